//! Bodies that are no JSON of a wire type: tables, the form of a picture, what providers send.

use serde_json::{Value, json};
use tiketi_engine::limits::{
    SEATS_PER_BLOCK_MAX, SECTIONS_PER_LAYOUT_MAX, TICKET_TYPES_PER_EVENT_MAX,
};

use crate::http::body::JSON_BYTES_MAX;
use crate::images::UPLOAD_BYTES_MAX;

/// The form with a picture.
pub(super) fn picture() -> Value {
    let about = format!(
        "A JPEG, PNG or WebP of at most {} MiB; its name and metadata are not kept.",
        UPLOAD_BYTES_MAX >> 20
    );
    json!({
        "schema": {
            "type": "object",
            "required": ["image"],
            "properties": {"image": {
                "type": "string",
                "format": "binary",
                "contentMediaType": "application/octet-stream",
                "description": about,
            }},
        },
        "encoding": {"image": {"contentType": "image/jpeg, image/png, image/webp"}},
    })
}

/// Ticket types, one a row.
pub(super) fn ticket_types() -> Value {
    table(
        TICKET_TYPES_PER_EVENT_MAX,
        "`name`, `price` in won and `totalQuantity`; `description` may be left out, and so may `standing`, \
         `true` for a type that is sold beside the seats of an event.",
        "name,price,totalQuantity,description,standing\nA구역 스탠딩,150000,300,1층 앞쪽,true\nB구역 지정석,110000,500,,\n",
    )
}

/// The sections of a layout, one a row.
pub(super) fn sections() -> Value {
    table(
        SECTIONS_PER_LAYOUT_MAX,
        "`name`, `rows`, `seatsPerRow` and `price` of a seat in won; `startRow`, the number of the \
         first row, may be left out and is 1 then.",
        "name,rows,seatsPerRow,price,startRow\nVIP,5,20,150000,1\nR,10,20,110000,6\n",
    )
}

/// Seats, one a row.
pub(super) fn seats() -> Value {
    table(
        SEATS_PER_BLOCK_MAX,
        "`seat`: its label, as on a ticket, or its id.",
        "seat\nVIP-1-1\nVIP-1-2\n",
    )
}

/// What a provider sends: as its own documentation has it.
pub(super) fn anything() -> Value {
    json!({"schema": {"description": "As the provider's own documentation has it."}})
}

fn table(rows_max: usize, columns: &str, example: &str) -> Value {
    let about = format!(
        "CSV in UTF-8, of at most {} KiB and {rows_max} rows. The first row names the columns, in any \
         order and case: {columns} All of a table is taken, or nothing of it: then `errors` of the \
         refusal tells rows and columns.",
        JSON_BYTES_MAX >> 10,
    );
    let schema = json!({"type": "string", "description": about, "examples": [example]});
    json!({ "schema": schema })
}
