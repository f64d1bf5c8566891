//! Every bound of the engine, in one place, held against each other at compile time.

/// Seats one reservation can ever hold, whatever a server or an event allows.
///
/// A hold slot keeps its seats in one cache line; eight is what fits beside the slot's state.
pub const SEATS_PER_HOLD_MAX: usize = 8;

/// Different ticket types one order can name.
pub const LINES_PER_ORDER_MAX: usize = SEATS_PER_HOLD_MAX;

/// Tickets of one type in one order; shares a 32-bit word with the ticket type.
pub const TICKETS_PER_LINE_MAX: u32 = (1 << 20) - 1;

/// Tickets without seats that one user can hold and own of one event, where neither the server nor the
/// event says otherwise.
pub const TICKETS_PER_USER: u32 = 10;

/// The highest such cap.
pub const TICKETS_PER_USER_MAX: u32 = 1_000_000;

/// Ticket types of one event.
pub const TICKET_TYPES_PER_EVENT_MAX: usize = 256;

/// Tickets of one type that can be put on sale.
pub const TICKETS_PER_TYPE_MAX: u32 = 10_000_000;

/// Seats of one event: forty of the largest stadiums.
pub const SEATS_PER_EVENT_MAX: u32 = 1 << 22;

/// Orders one event can take in its life, ended ones included.
pub const ORDERS_PER_EVENT_MAX: u32 = u32::MAX - 1;

/// Sections of one layout.
pub const SECTIONS_PER_LAYOUT_MAX: usize = 200;

/// Rows of one section.
pub const ROWS_PER_SECTION_MAX: u32 = 1_000;

/// Seats of one row.
pub const SEATS_PER_ROW_MAX: u32 = 1_000;

/// Highest row number a layout can print.
pub const ROW_NUMBER_MAX: u32 = 100_000;

/// Price of one seat or ticket, in won.
pub const PRICE_MAX: u32 = 1_000_000_000;

/// Won of one charge.
pub const CHARGE_MAX: u64 = 1 << 40;

/// Charges one installation can have in its life.
pub const CHARGES_MAX: u32 = u32::MAX - 1;

/// Bytes of a provider's name for a payment.
pub const PAYMENT_KEY_BYTES_MAX: usize = 200;

/// Bytes of a provider's code in the trail of a charge.
pub const PROVIDER_CODE_BYTES_MAX: usize = 64;

/// Bytes of a bank's code, digits of an account, characters of its holder's name (providers.md 1.6).
pub const BANK_BYTES_MAX: usize = 20;
/// See [`BANK_BYTES_MAX`].
pub const ACCOUNT_DIGITS_MAX: usize = 20;
/// See [`BANK_BYTES_MAX`].
pub const ACCOUNT_HOLDER_CHARS_MAX: usize = 60;

/// Layouts, events and users one installation can name.
pub const LAYOUTS_MAX: u32 = 100_000;
/// See [`LAYOUTS_MAX`].
pub const EVENTS_MAX: u32 = 1 << 24;
/// See [`LAYOUTS_MAX`].
pub const USERS_MAX: u32 = 1 << 30;

/// Characters of an e-mail address, a title, a venue, an address or an artist's name.
pub const TEXT_CHARS_MAX: usize = 255;
/// Characters of a user's, a layout's or a ticket type's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Characters of a section's name.
pub const SECTION_NAME_CHARS_MAX: usize = 50;
/// Characters of a phone number.
pub const PHONE_CHARS_MAX: usize = 20;
/// Characters of an event's category.
pub const CATEGORY_CHARS_MAX: usize = 50;
/// Characters of a description, a picture's address or the reason of a block.
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// Characters of a news post's text.
pub const NEWS_CONTENT_CHARS_MAX: usize = 10_000;

/// News posts that stand at once.
pub const NEWS_MAX: usize = 10_000;

/// News posts whose views one record counts.
pub const NEWS_VIEWS_PER_RECORD_MAX: usize = 4_000;

/// What administrators did, as far as it can be looked up; the log has all of it.
pub const AUDIT_KEPT_MAX: usize = 10_000;

/// Bytes of a target in the audit list.
pub const AUDIT_PATH_BYTES_MAX: usize = 512;
/// Bytes of the id of what an administrator made.
pub const AUDIT_MADE_BYTES_MAX: usize = 64;

/// Bytes of a request's content in the audit list.
pub const AUDIT_BODY_BYTES_MAX: usize = 2_048;

/// Bytes of one encoded record. Larger ones are refused before they are logged.
pub const RECORD_BYTES_MAX: usize = 48 * 1024;

/// Bytes of all names and descriptions of the ticket types that one command brings.
pub const TICKET_TYPES_TEXT_BYTES_MAX: usize = 20 * 1024;

/// Bytes of all names of a layout, its own and its sections', and of its description.
pub const LAYOUT_TEXT_BYTES_MAX: usize = 40 * 1024;

/// Bytes of one group-commit batch, header included.
///
/// sled moves values that fill a quarter of a segment to blob files, which it never syncs
/// (reliability.md F1); with 8 MiB segments a batch stays far below that.
pub const BATCH_BYTES_MAX: usize = 64 * 1024;

/// Seats one command can block or unblock.
pub const SEATS_PER_BLOCK_MAX: usize = 5_000;

/// How long a hold may be kept, in milliseconds.
pub const HOLD_TTL_MS_MIN: u64 = 1_000;
/// See [`HOLD_TTL_MS_MIN`].
pub const HOLD_TTL_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// How long the outcome of an idempotency key is remembered, in milliseconds.
pub const IDEMPOTENCY_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// How long an equal order without a key is taken for the same click, in milliseconds.
pub const SAME_CLICK_MS: u64 = 5_000;

/// Places one event's line can hand out in its life.
pub const PLACES_PER_EVENT_MAX: u32 = u32::MAX - 1;

/// People of one line that administrators have moved up and that still wait.
pub const MOVED_UP_MAX: usize = 1_000;

/// Lanes of one line, everybody's among them.
pub const LANES_MAX: usize = 4;

/// Highest share of a lane: with four lanes, turns are counted in steps of up to a millionth.
pub const LANE_SHARE_MAX: u16 = 100;

/// Characters of a lane's name.
pub const LANE_NAME_CHARS_MAX: usize = 40;

/// People put into a lane by one command.
pub const LANE_MEMBERS_PER_COMMAND_MAX: usize = 5_000;

/// Bytes of a draw's beacon.
pub const BEACON_BYTES_MAX: usize = 200;

/// People in one event at once, where the server sets no other default.
pub const QUEUE_THRESHOLD: u32 = 1_000;

/// Highest rate of letting people in, in thousandths of a person a second: ten million people.
pub const QUEUE_RATE_MILLI_MAX: u64 = 10_000_000_000;

/// How long somebody who was let in stays without doing anything, in milliseconds, by default.
pub const SESSION_TTL_MS: u64 = 300_000;

/// How long somebody waits without a sign of life, in milliseconds, by default.
pub const SILENCE_MS: u64 = 120_000;

/// Longest estimate of a wait, in seconds.
pub const ESTIMATE_S_MAX: u32 = 24 * 60 * 60;

/// People let in or sent away under one hold of a room's lock: others wait for it meanwhile.
pub const QUEUE_STEPS_PER_LOCK: usize = 256;

/// People let in or sent away for one event by one call of the tick.
pub const QUEUE_STEPS_PER_TICK: usize = 1 << 16;

const _: () = {
    assert!(SEATS_PER_HOLD_MAX <= u8::MAX as usize);
    // A ticket line packs its type beside its quantity.
    assert!(TICKET_TYPES_PER_EVENT_MAX <= 1 << 12);
    assert!(TICKETS_PER_LINE_MAX < 1 << 20);
    // A cap that no single line can reach would be a cap of nothing.
    assert!(
        TICKETS_PER_USER <= TICKETS_PER_USER_MAX && TICKETS_PER_USER_MAX < TICKETS_PER_LINE_MAX
    );
    // Every record fits a batch beside the batch header.
    assert!(RECORD_BYTES_MAX + 1024 <= BATCH_BYTES_MAX);
    // A block of seats fits a record: five bytes are the longest encoded index.
    assert!(SEATS_PER_BLOCK_MAX * 5 + DESCRIPTION_CHARS_MAX * 4 + 64 <= RECORD_BYTES_MAX);
    // So do a news post, the views of many, and what an administrator did.
    assert!(
        (NEWS_CONTENT_CHARS_MAX + TEXT_CHARS_MAX + NAME_CHARS_MAX) * 4 + 64 <= RECORD_BYTES_MAX
    );
    assert!(NEWS_VIEWS_PER_RECORD_MAX * 10 + 64 <= RECORD_BYTES_MAX);
    assert!(AUDIT_BODY_BYTES_MAX + AUDIT_PATH_BYTES_MAX + 64 <= RECORD_BYTES_MAX);
    // So does a group of members of a lane.
    assert!(LANE_MEMBERS_PER_COMMAND_MAX * 5 + 64 <= RECORD_BYTES_MAX);
    // When the last of the longest line is due is a number.
    assert!((u32::MAX as u64).checked_mul((LANE_SHARE_MAX as u64).pow(LANES_MAX as u32)).is_some());
    // A bucket holds a second's worth and one person, in millionths of a person.
    assert!(QUEUE_RATE_MILLI_MAX < u64::MAX / 1_000 - 1_000);
    // The next place is a number too.
    assert!(PLACES_PER_EVENT_MAX < u32::MAX);
    // Texts and numbers of a whole layout fit a record.
    assert!(LAYOUT_TEXT_BYTES_MAX + SECTIONS_PER_LAYOUT_MAX * 25 + 64 <= RECORD_BYTES_MAX);
    // So do those of an event with all its ticket types.
    assert!(
        TICKET_TYPES_TEXT_BYTES_MAX
            + TICKET_TYPES_PER_EVENT_MAX * 24
            + 4 * (4 * TEXT_CHARS_MAX + 2 * DESCRIPTION_CHARS_MAX)
            + 128
            <= RECORD_BYTES_MAX
    );
};
