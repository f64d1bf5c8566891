//! An order that somebody names, found in a log.

use tiketi_engine::ids::{ExternalId, Lsn, OrderNumber, ReservationId, reservation_number};
use tiketi_engine::record::{OrderRef, Record};
use tiketi_gateway::api::Id;

/// The order that somebody names by its id or number.
pub(crate) enum WantedOrder {
    Id(ReservationId),
    Number(String),
}

impl WantedOrder {
    pub(crate) fn parse(text: &str) -> Result<WantedOrder, String> {
        if let Some(id) = Id::parse(text) {
            return match ExternalId::decode(id.0) {
                Some(ExternalId::Reservation(id)) => Ok(WantedOrder::Id(id)),
                _ => Err("this id is not one of an order".to_owned()),
            };
        }
        let shape = text.len() == 20
            && text.starts_with("TK")
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match shape {
            true => Ok(WantedOrder::Number(text.to_ascii_uppercase())),
            false => {
                Err("expected an order's id, or its number such as TK1795196714996ROJ1Q".into())
            }
        }
    }

    /// Whether a record that makes an order makes this one.
    pub(crate) fn is_made_by(&self, lsn: Lsn, record: &Record) -> Option<OrderRef> {
        let Record::Held(held) = record else {
            return None;
        };
        let same = match self {
            WantedOrder::Id(id) => {
                let made = OrderRef { event: id.event, number: OrderNumber(id.order.0) };
                made == held.order && id.slot == held.slot
            }
            WantedOrder::Number(number) => *number == reservation_number(held.at, lsn),
        };
        same.then_some(held.order)
    }
}

#[cfg(test)]
mod tests {
    use tiketi_engine::ids::EventIndex;

    use super::*;

    #[test]
    fn orders_are_named_by_id_or_number() {
        let id = ExternalId::Reservation(ReservationId {
            event: EventIndex(1),
            slot: tiketi_engine::ids::HoldSlot(2),
            order: OrderNumber(3),
        });
        assert!(matches!(WantedOrder::parse(&Id::from(id).to_string()), Ok(WantedOrder::Id(_))));
        assert!(matches!(WantedOrder::parse("TK1795196714996ROJ1Q"), Ok(WantedOrder::Number(_))));
        let event = Id::from(EventIndex(1)).to_string();
        for wrong in ["", "7", "TK1", event.as_str()] {
            assert!(WantedOrder::parse(wrong).is_err(), "{wrong}");
        }
    }
}
