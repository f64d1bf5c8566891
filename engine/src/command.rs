//! Validated inputs. What these types hold has passed every check that needs no state.

mod people;

pub use crate::command::people::{AdminAct, EditPost, NewPost, Suspend};
use crate::error::{HoldRefusal, InvalidField};
use crate::ids::TicketTypeIndex;
use crate::ids::{EventIndex, LayoutIndex, SeatIndex, UnixMillis, UserIndex};
use crate::limits::{
    CATEGORY_CHARS_MAX, DESCRIPTION_CHARS_MAX, HOLD_TTL_MS_MAX, HOLD_TTL_MS_MIN,
    LAYOUT_TEXT_BYTES_MAX, LINES_PER_ORDER_MAX, NAME_CHARS_MAX, PHONE_CHARS_MAX, PRICE_MAX,
    ROW_NUMBER_MAX, ROWS_PER_SECTION_MAX, SEATS_PER_EVENT_MAX, SEATS_PER_HOLD_MAX,
    SEATS_PER_ROW_MAX, SECTION_NAME_CHARS_MAX, SECTIONS_PER_LAYOUT_MAX, TEXT_CHARS_MAX,
    TICKET_TYPES_PER_EVENT_MAX, TICKET_TYPES_TEXT_BYTES_MAX, TICKETS_PER_LINE_MAX,
    TICKETS_PER_TYPE_MAX, TICKETS_PER_USER_MAX,
};
use crate::record::{
    EventDetails, EventRules, EventTerms, IdempotencyKey, NewTicketType, Role, SeatList, Section,
    TicketHold, TicketTypeDetails,
};

/// Who asks, when, and under which key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The user.
    pub by: UserIndex,
    /// The instant of the request.
    pub at: UnixMillis,
    /// The client's idempotency key.
    pub key: Option<IdempotencyKey>,
}

/// Seats to hold: at least one, at most [`SEATS_PER_HOLD_MAX`], distinct, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedSeats(SeatList);

impl WantedSeats {
    /// Checks and sorts.
    ///
    /// # Errors
    /// In this order: nothing named, too many named, one named twice.
    pub fn new(seats: &[SeatIndex]) -> Result<WantedSeats, HoldRefusal> {
        if seats.is_empty() {
            return Err(HoldRefusal::Empty);
        }
        let mut list = SeatList::from_slice(seats)
            .ok_or(HoldRefusal::TooManySeats { max: SEATS_PER_HOLD_MAX })?;
        list.sort_unstable();
        match list.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(HoldRefusal::RepeatedSeat(pair[0])),
            None => Ok(WantedSeats(list)),
        }
    }

    /// The seats.
    #[must_use]
    pub fn seats(&self) -> &SeatList {
        &self.0
    }
}

/// Tickets to hold: at least one type, each once, ascending, each at least one ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedTickets(Vec<(TicketTypeIndex, u32)>);

impl WantedTickets {
    /// Checks, sorts, and adds up what names the same type.
    ///
    /// # Errors
    /// In this order: nothing named, a quantity out of range, too many types.
    pub fn new(lines: &[(TicketTypeIndex, u32)]) -> Result<WantedTickets, HoldRefusal> {
        let mut sums = std::collections::BTreeMap::new();
        for &(ticket_type, quantity) in lines {
            let sum: &mut u32 = sums.entry(ticket_type).or_insert(0);
            *sum = sum.saturating_add(quantity);
            if quantity == 0 || *sum > TICKETS_PER_LINE_MAX {
                return Err(HoldRefusal::BadQuantity(ticket_type));
            }
        }
        match sums.len() {
            0 => Err(HoldRefusal::Empty),
            1..=LINES_PER_ORDER_MAX => Ok(WantedTickets(sums.into_iter().collect())),
            _ => Err(HoldRefusal::TooManySeats { max: LINES_PER_ORDER_MAX }),
        }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[(TicketTypeIndex, u32)] {
        &self.0
    }
}

/// A new account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// Normalised address.
    pub email: String,
    /// As bcrypt prints it.
    pub password_hash: String,
    /// Shown to others.
    pub name: String,
    /// Free form.
    pub phone: Option<String>,
    /// What the account may do.
    pub role: Role,
    /// 64 random bits, see [`crate::ids::UserId`].
    pub tag: u64,
}

impl NewUser {
    /// Checks the lengths.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<NewUser>, InvalidField> {
        text("email", &self.email, 1, TEXT_CHARS_MAX)?;
        text("password", &self.password_hash, 1, NAME_CHARS_MAX)?;
        text("name", &self.name, 1, NAME_CHARS_MAX)?;
        optional_text("phone", self.phone.as_deref(), PHONE_CHARS_MAX)?;
        Ok(Checked(self))
    }
}

/// A new venue layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLayout {
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// In the order of their seats.
    pub sections: Vec<Section>,
}

impl NewLayout {
    /// Checks lengths, numbers and the total.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<NewLayout>, InvalidField> {
        text("name", &self.name, 1, NAME_CHARS_MAX)?;
        optional_text("description", self.description.as_deref(), DESCRIPTION_CHARS_MAX)?;
        number("sections", self.sections.len() as u64, 1, SECTIONS_PER_LAYOUT_MAX as u64)?;
        let mut total = 0;
        for (position, section) in self.sections.iter().enumerate() {
            text("sections.name", &section.name, 1, SECTION_NAME_CHARS_MAX)?;
            number("sections.rows", section.rows.into(), 1, ROWS_PER_SECTION_MAX.into())?;
            let seats = section.seats_per_row.into();
            number("sections.seatsPerRow", seats, 1, SEATS_PER_ROW_MAX.into())?;
            number("sections.price", section.price.into(), 0, PRICE_MAX.into())?;
            number("sections.startRow", section.start_row.into(), 0, ROW_NUMBER_MAX.into())?;
            if self.sections[..position].iter().any(|other| other.name == section.name) {
                return Err(InvalidField::new("sections.name", "must be unique in the layout"));
            }
            total += u64::from(section.rows) * u64::from(section.seats_per_row);
        }
        number("sections", total, 1, SEATS_PER_EVENT_MAX.into())?;
        let names = self.sections.iter().map(|section| section.name.len()).sum::<usize>();
        let texts = names + self.name.len() + self.description.as_ref().map_or(0, String::len);
        bytes("sections.name", texts, LAYOUT_TEXT_BYTES_MAX)?;
        Ok(Checked(self))
    }
}

/// A new event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What is shown of it.
    pub details: EventDetails,
    /// Its seats.
    pub layout: Option<LayoutIndex>,
    /// Its ticket types.
    pub ticket_types: Vec<NewTicketType>,
    /// Which of them are sold beside seats, by position; absent ones are not.
    pub standing: Vec<bool>,
    /// Its booking rules.
    pub rules: EventRules,
    /// How it sells tickets and lets orders be paid.
    pub terms: EventTerms,
    /// What kind of event it is.
    pub category: Option<Category>,
    /// Who makes it; `None` for sample data.
    pub created_by: Option<UserIndex>,
}

impl NewEvent {
    /// Checks lengths, numbers and dates.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<NewEvent>, InvalidField> {
        check_details(&self.details)?;
        let types = self.ticket_types.len() as u64;
        number("ticketTypes", types, 0, TICKET_TYPES_PER_EVENT_MAX as u64)?;
        check_ticket_types(&self.ticket_types, &OF_AN_EVENT)?;
        let rules = &self.rules;
        let seats = rules.seats_per_reservation.into();
        number("maxSeats", seats, 1, SEATS_PER_HOLD_MAX as u64)?;
        number("holdTtl", rules.hold_ttl_ms, HOLD_TTL_MS_MIN, HOLD_TTL_MS_MAX)?;
        number("maxPerUser", rules.seats_per_user.unwrap_or(1).into(), 1, u32::MAX.into())?;
        check_terms(&self.terms)?;
        Ok(Checked(self))
    }
}

/// Ticket types to add to an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicketTypes {
    /// Which.
    pub event: EventIndex,
    /// In order; at least one.
    pub ticket_types: Vec<NewTicketType>,
    /// Which of them are sold beside seats, by position; absent ones are not.
    pub standing: Vec<bool>,
}

impl NewTicketTypes {
    /// Checks lengths and numbers.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<NewTicketTypes>, InvalidField> {
        let types = self.ticket_types.len() as u64;
        number("ticketTypes", types, 1, TICKET_TYPES_PER_EVENT_MAX as u64)?;
        check_ticket_types(&self.ticket_types, &ALONE)?;
        Ok(Checked(self))
    }
}

/// New details of a ticket type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditTicketType {
    /// Of which event.
    pub event: EventIndex,
    /// Which of its types.
    pub ticket_type: TicketTypeIndex,
    /// All of them.
    pub details: TicketTypeDetails,
    /// Whether it is sold beside seats; `None` for as before.
    pub standing: Option<bool>,
}

impl EditTicketType {
    /// Checks lengths and numbers.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<EditTicketType>, InvalidField> {
        let TicketTypeDetails { name, price, total_quantity, description } = &self.details;
        check_ticket_type(name, *price, *total_quantity, description.as_deref(), &ALONE)?;
        Ok(Checked(self))
    }
}

/// The name of a category: visible, without blanks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category(String);

impl Category {
    /// Checks the length.
    ///
    /// # Errors
    /// It has none of its 1 to [`CATEGORY_CHARS_MAX`] characters, or control characters.
    pub fn new(name: &str) -> Result<Category, InvalidField> {
        let name = name.trim();
        text("category", name, 1, CATEGORY_CHARS_MAX)?;
        match name.chars().any(char::is_control) {
            true => Err(InvalidField::new("category", "must not have control characters")),
            false => Ok(Category(name.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The name.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }
}

/// New details of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditEvent {
    /// Which.
    pub event: EventIndex,
    /// All of them.
    pub details: EventDetails,
}

impl EditEvent {
    /// Checks lengths and dates.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<EditEvent>, InvalidField> {
        check_details(&self.details)?;
        Ok(Checked(self))
    }
}

/// New terms of an event; which of its ticket types are sold beside seats stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EditTerms {
    /// Which.
    pub event: EventIndex,
    /// All of them.
    pub terms: EventTerms,
}

impl EditTerms {
    /// Checks the numbers.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<EditTerms>, InvalidField> {
        check_terms(&self.terms)?;
        Ok(Checked(self))
    }
}

/// An input whose `check` passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<T>(T);

impl<T> Checked<T> {
    /// The input.
    pub fn into_inner(self) -> T {
        self.0
    }

    /// The input.
    pub fn get(&self) -> &T {
        &self.0
    }
}

/// What the fields of a ticket type are called where it comes from.
struct TicketTypeFields {
    name: &'static str,
    price: &'static str,
    total_quantity: &'static str,
    sold_elsewhere: &'static str,
    description: &'static str,
}

const OF_AN_EVENT: TicketTypeFields = TicketTypeFields {
    name: "ticketTypes.name",
    price: "ticketTypes.price",
    total_quantity: "ticketTypes.totalQuantity",
    sold_elsewhere: "ticketTypes.soldElsewhere",
    description: "ticketTypes.description",
};

const ALONE: TicketTypeFields = TicketTypeFields {
    name: "name",
    price: "price",
    total_quantity: "totalQuantity",
    sold_elsewhere: "soldElsewhere",
    description: "description",
};

fn check_ticket_types(
    ticket_types: &[NewTicketType],
    fields: &TicketTypeFields,
) -> Result<(), InvalidField> {
    let mut texts = 0;
    for new in ticket_types {
        let NewTicketType { name, price, total_quantity, sold_elsewhere, description } = new;
        check_ticket_type(name, *price, *total_quantity, description.as_deref(), fields)?;
        let total = u64::from(*total_quantity);
        number(fields.sold_elsewhere, u64::from(*sold_elsewhere), 0, total)?;
        texts += name.len() + description.as_ref().map_or(0, String::len);
    }
    bytes(fields.description, texts, TICKET_TYPES_TEXT_BYTES_MAX)
}

fn check_ticket_type(
    name: &str,
    price: u32,
    total_quantity: u32,
    description: Option<&str>,
    fields: &TicketTypeFields,
) -> Result<(), InvalidField> {
    text(fields.name, name, 1, NAME_CHARS_MAX)?;
    number(fields.price, price.into(), 0, PRICE_MAX.into())?;
    number(fields.total_quantity, total_quantity.into(), 0, TICKETS_PER_TYPE_MAX.into())?;
    optional_text(fields.description, description, DESCRIPTION_CHARS_MAX)
}

fn check_terms(terms: &EventTerms) -> Result<(), InvalidField> {
    let tickets = terms.max_tickets.unwrap_or(1).into();
    number("maxTickets", tickets, 1, TICKETS_PER_USER_MAX.into())?;
    match terms.ticket_hold_ttl {
        None | Some(TicketHold::Never) => Ok(()),
        Some(TicketHold::Millis(ms)) => {
            number("ticketHoldTtl", ms, HOLD_TTL_MS_MIN, HOLD_TTL_MS_MAX)
        }
    }
}

fn check_details(details: &EventDetails) -> Result<(), InvalidField> {
    text("title", &details.title, 1, TEXT_CHARS_MAX)?;
    text("venue", &details.venue, 1, TEXT_CHARS_MAX)?;
    optional_text("description", details.description.as_deref(), DESCRIPTION_CHARS_MAX)?;
    optional_text("address", details.address.as_deref(), TEXT_CHARS_MAX)?;
    optional_text("artistName", details.artist_name.as_deref(), TEXT_CHARS_MAX)?;
    optional_text("posterImageUrl", details.poster_image_url.as_deref(), DESCRIPTION_CHARS_MAX)?;
    if details.sale_starts_at >= details.sale_ends_at {
        return Err(InvalidField::new("saleEndDate", "must be after saleStartDate"));
    }
    Ok(())
}

/// A name of visible characters: no control characters, not only blanks.
fn text(
    field: &'static str,
    value: &str,
    min_chars: usize,
    max_chars: usize,
) -> Result<(), InvalidField> {
    let chars = value.chars().count();
    if value.trim().chars().count() < min_chars || chars > max_chars {
        return Err(InvalidField::new(
            field,
            format!("must have {min_chars} to {max_chars} characters"),
        ));
    }
    no_control_characters(field, value)
}

fn optional_text(
    field: &'static str,
    value: Option<&str>,
    max_chars: usize,
) -> Result<(), InvalidField> {
    let value = value.unwrap_or_default();
    if value.chars().count() > max_chars {
        return Err(InvalidField::new(field, format!("must have at most {max_chars} characters")));
    }
    no_control_characters(field, value)
}

fn no_control_characters(field: &'static str, value: &str) -> Result<(), InvalidField> {
    let allowed = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    match value.chars().all(allowed) {
        true => Ok(()),
        false => Err(InvalidField::new(field, "must not have control characters")),
    }
}

/// Texts that have to fit a record together.
fn bytes(field: &'static str, length: usize, max: usize) -> Result<(), InvalidField> {
    match length <= max {
        true => Ok(()),
        false => Err(InvalidField::new(field, format!("must have at most {max} bytes in all"))),
    }
}

fn number(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), InvalidField> {
    match (min..=max).contains(&value) {
        true => Ok(()),
        false => Err(InvalidField::new(field, format!("must be from {min} to {max}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_seats_are_sorted_and_distinct() {
        let seats = |list: &[u32]| {
            let list: Vec<SeatIndex> = list.iter().map(|&seat| SeatIndex(seat)).collect();
            WantedSeats::new(&list).map(|wanted| wanted.seats().to_vec())
        };
        assert_eq!(seats(&[3, 1, 2]), Ok(vec![SeatIndex(1), SeatIndex(2), SeatIndex(3)]));
        assert_eq!(seats(&[]), Err(HoldRefusal::Empty));
        assert_eq!(seats(&[1, 2, 1]), Err(HoldRefusal::RepeatedSeat(SeatIndex(1))));
        assert_eq!(seats(&[0; 9]), Err(HoldRefusal::TooManySeats { max: 8 }));
    }

    #[test]
    fn ticket_lines_add_up() {
        let a = TicketTypeIndex(0);
        let b = TicketTypeIndex(1);
        let lines = |list: &[(TicketTypeIndex, u32)]| {
            WantedTickets::new(list).map(|wanted| wanted.lines().to_vec())
        };
        assert_eq!(lines(&[(b, 1), (a, 2), (b, 3)]), Ok(vec![(a, 2), (b, 4)]));
        assert_eq!(lines(&[]), Err(HoldRefusal::Empty));
        assert_eq!(lines(&[(a, 0)]), Err(HoldRefusal::BadQuantity(a)));
        assert_eq!(lines(&[(a, u32::MAX), (a, u32::MAX)]), Err(HoldRefusal::BadQuantity(a)));
    }

    #[test]
    fn layouts_are_bounded() {
        let section = |rows, seats_per_row| Section {
            name: "A".into(),
            rows,
            seats_per_row,
            price: 1,
            start_row: 1,
        };
        let layout = |sections: Vec<Section>| {
            NewLayout { name: "hall".into(), description: None, sections }
                .check()
                .map(|_| ())
                .map_err(|invalid| invalid.field)
        };
        assert_eq!(layout(vec![section(3, 10)]), Ok(()));
        assert_eq!(layout(vec![]), Err("sections"));
        assert_eq!(layout(vec![section(0, 10)]), Err("sections.rows"));
        assert_eq!(layout(vec![section(1, u32::MAX)]), Err("sections.seatsPerRow"));
        assert_eq!(layout(vec![section(3, 10), section(3, 10)]), Err("sections.name"));
    }
}
