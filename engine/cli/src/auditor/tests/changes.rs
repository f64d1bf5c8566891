//! What administrators change, done right and done wrong.

use tiketi_engine::record::EndReason::{CancelledByAdmin, EventCancelled};
use tiketi_engine::record::{
    NewTicketType, OrderConfirmed, TicketTypeDetails, TicketTypeEdited, TicketTypesAdded,
};

use super::*;
use crate::auditor::Rule;

fn deleted(at_ms: u64) -> Record {
    Record::EventDeleted { event: EventIndex(0), by: None, at: at(at_ms) }
}

fn removed(at_ms: u64) -> Record {
    Record::SeatsRemoved { event: EventIndex(0), by: None, at: at(at_ms) }
}

fn generated(at_ms: u64) -> Record {
    Record::SeatsGenerated { event: EventIndex(0), by: None, at: at(at_ms) }
}

fn edited_type(price: u32, total_quantity: u32, at_ms: u64) -> Record {
    let details =
        TicketTypeDetails { name: "pit".into(), price, total_quantity, description: None };
    Record::TicketTypeEdited(Box::new(TicketTypeEdited {
        event: EventIndex(0),
        ticket_type: TicketTypeIndex(0),
        details,
        by: None,
        at: at(at_ms),
    }))
}

fn added(first: u16) -> Record {
    let new = NewTicketType {
        name: "box".into(),
        price: 10,
        total_quantity: 2,
        sold_elsewhere: 0,
        description: None,
    };
    Record::TicketTypesAdded(Box::new(TicketTypesAdded {
        event: EventIndex(0),
        first: TicketTypeIndex(first),
        ticket_types: vec![new],
        by: None,
        at: at(1),
    }))
}

fn confirmed(number: u32, slot: u32, at_ms: u64) -> Record {
    Record::OrderConfirmed(Box::new(OrderConfirmed {
        order: order(number),
        slot: HoldSlot(slot),
        method: PaymentMethod::BankTransfer,
        by: None,
        at: at(at_ms),
    }))
}

#[test]
fn what_is_right_has_no_findings() {
    for (what, records) in [
        ("deleted", vec![held(0, &[0], 1), deleted(2), ended(0, EventCancelled, 3)]),
        ("called off, then deleted", vec![called_off(1), deleted(2)]),
        ("seats away and back", vec![blocked(&[0]), removed(2), generated(3), held(0, &[0], 4)]),
        ("a new type sold", vec![added(2), tickets(0, &[(2, 2, 10)])]),
        ("a dearer type, more of it", vec![edited_type(20, 9, 0), tickets(0, &[(0, 6, 20)])]),
        (
            "the old price in the same moment",
            vec![edited_type(20, 9, 0), tickets(0, &[(0, 1, 10)])],
        ),
        ("held and confirmed", vec![held(0, &[0], 1), confirmed(0, 0, 2)]),
        (
            "confirmed after it ended",
            vec![
                held(0, &[0], 1),
                ended(0, CancelledByAdmin, 2),
                held(1, &[1], 3),
                confirmed(0, 7, 4),
                ended(0, CancelledByAdmin, 5),
                held(2, &[0], 6),
            ],
        ),
    ] {
        check(what, &records, &[]);
    }
}

#[test]
fn what_is_wrong_is_found() {
    use Rule::{NotTheOwner, Numbering, OrderOfLife, SaleWithoutOrder, Stock, Sum, TwoOwners};
    check("deleted twice", &[deleted(1), deleted(2)], &[OrderOfLife]);
    check("seats taken away twice", &[removed(1), removed(2)], &[OrderOfLife]);
    check("seats that are there made", &[generated(1)], &[NotTheOwner]);
    check(
        "a held seat taken away",
        &[held(0, &[0], 1), removed(2)],
        &[TwoOwners, SaleWithoutOrder],
    );
    check(
        "a seat held that is not there",
        &[removed(1), held(0, &[0], 2)],
        &[TwoOwners, SaleWithoutOrder],
    );
    check("types out of order", &[added(3)], &[Numbering]);
    check(
        "more sold than there are",
        &[tickets(0, &[(0, 3, 10)]), edited_type(10, 3, 2)],
        &[Stock, Sum],
    );
    check(
        "confirmed twice",
        &[held(0, &[0], 1), confirmed(0, 0, 2), confirmed(0, 0, 3)],
        &[OrderOfLife],
    );
    let lost =
        [held(0, &[0], 1), ended(0, CancelledByAdmin, 2), held(1, &[0], 3), confirmed(0, 7, 4)];
    check("its seat was sold meanwhile", &lost, &[TwoOwners, Sum, SaleWithoutOrder]);
}
