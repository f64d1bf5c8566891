//! The end of an audit: what was acknowledged, held against what the server kept.

use crate::audit::{CLOCK_DOUBT_MS, Findings, Ledger, Sale, SaleState};
use crate::contract::{KeptReservation, SeatStatus};
use crate::hall::{Hall, SeatNumber};

/// What the server says in the end.
pub(crate) struct Final<'a> {
    /// The seats, in the order of the hall.
    pub(crate) map: &'a [SeatStatus],
    /// The reservations, in the order of the sales; `None` where the server knows none.
    pub(crate) kept: &'a [Option<KeptReservation>],
    /// Only this run sold seats of the event.
    pub(crate) is_own_event: bool,
    /// The server's time when the map was asked for.
    pub(crate) now: i64,
}

/// Finds everything in the final state that contradicts what was acknowledged.
pub(crate) fn judge(ledger: &mut Ledger, hall: &Hall, last: &Final<'_>) {
    let mut findings = std::mem::take(&mut ledger.findings);
    for (sale, kept) in ledger.sales.iter().zip(last.kept) {
        judge_sale(sale, kept.as_ref(), hall, &mut findings);
    }
    judge_seats(ledger, hall, last, &mut findings);
    judge_sums(ledger, hall, last, &mut findings);
    ledger.findings = findings;
}

fn judge_sale(sale: &Sale, kept: Option<&KeptReservation>, hall: &Hall, findings: &mut Findings) {
    let id = sale.id;
    let Some(kept) = kept else {
        findings.add(|| format!("the acknowledged sale {id} is missing"));
        return;
    };
    let is_completed = kept.payment_status == "completed";
    let (status, payment) = (&kept.status, &kept.payment_status);
    match sale.state {
        SaleState::Paid if !is_completed || status != "confirmed" => {
            findings.add(|| format!("the paid sale {id} is {status}/{payment}"));
        }
        SaleState::Cancelled if is_completed || status != "cancelled" => {
            findings.add(|| format!("the cancelled sale {id} is {status}/{payment}"));
        }
        SaleState::Held if is_completed => {
            findings.add(|| format!("{id} is paid, and nobody paid it"));
        }
        _ => {}
    }
    if kept.total_amount != sale.amount {
        let (said, kept) = (sale.amount, kept.total_amount);
        findings.add(|| format!("{id} costs {kept} won now, {said} were acknowledged"));
    }
    let mut seats: Vec<Option<SeatNumber>> =
        kept.seats.iter().map(|seat| hall.number(seat.id)).collect();
    seats.sort_unstable();
    let mut expected: Vec<Option<SeatNumber>> = sale.seats.iter().copied().map(Some).collect();
    expected.sort_unstable();
    if seats != expected {
        findings.add(|| format!("{id} has other seats now than were acknowledged"));
    }
}

fn judge_seats(ledger: &Ledger, hall: &Hall, last: &Final<'_>, findings: &mut Findings) {
    for (seat, &is) in (0..).zip(last.map) {
        let owner = ledger.owners[seat as usize].map(|number| &ledger.sales[number]);
        if let Some(should) = expected(ledger, seat, owner, last)
            && is != should
        {
            let label = hall.label(seat);
            findings.add(|| format!("{label} is {is:?} in the end and not {should:?}"));
        }
    }
}

/// What a seat has to be, where that is certain.
fn expected(
    ledger: &Ledger,
    seat: SeatNumber,
    owner: Option<&Sale>,
    last: &Final<'_>,
) -> Option<SeatStatus> {
    let Some(sale) = owner else {
        let is_certain = last.is_own_event && !ledger.doubtful[seat as usize];
        return is_certain.then_some(SeatStatus::Available);
    };
    match sale.state {
        SaleState::Paid => Some(SeatStatus::Reserved),
        SaleState::Held if sale.expires_at > last.now + CLOCK_DOUBT_MS => Some(SeatStatus::Locked),
        SaleState::Cancelled if last.is_own_event && !ledger.doubtful[seat as usize] => {
            Some(SeatStatus::Available)
        }
        SaleState::Held
        | SaleState::Paying
        | SaleState::NotPaid
        | SaleState::PayUnknown
        | SaleState::Cancelling
        | SaleState::Cancelled => None,
    }
}

/// What was paid is what the sold seats cost, but for what went unanswered.
fn judge_sums(ledger: &Ledger, hall: &Hall, last: &Final<'_>, findings: &mut Findings) {
    if !last.is_own_event {
        return;
    }
    let paid: u64 = ledger
        .sales
        .iter()
        .filter(|sale| sale.state == SaleState::Paid)
        .map(|sale| sale.amount)
        .sum();
    let is_unknown = |seat: usize| {
        let state = ledger.owners[seat].map(|number| ledger.sales[number].state);
        ledger.doubtful[seat]
            || matches!(
                state,
                Some(SaleState::Paying | SaleState::PayUnknown | SaleState::Cancelling)
            )
    };
    let sold = (0..last.map.len()).filter(|&seat| last.map[seat] == SeatStatus::Reserved);
    let (certain, open): (Vec<usize>, Vec<usize>) = sold.partition(|&seat| !is_unknown(seat));
    let price = |seats: &[usize]| seats.iter().map(|&seat| hall.price(seat as u32)).sum::<u64>();
    let (certain, open) = (price(&certain), price(&open));
    if !(certain..=certain + open).contains(&paid) {
        findings.add(|| match open {
            0 => format!("{paid} won were paid for seats of {certain} won"),
            _ => format!("{paid} won were paid for seats of {certain} to {} won", certain + open),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::HoldAck;
    use crate::contract::KeptSeat;
    use crate::hall::tests::hall;
    use uuid::Uuid;

    const HELD: SeatStatus = SeatStatus::Locked;
    const SOLD: SeatStatus = SeatStatus::Reserved;
    const FREE: SeatStatus = SeatStatus::Available;

    fn kept(
        status: &str,
        payment_status: &str,
        amount: u64,
        seats: &[u32],
    ) -> Option<KeptReservation> {
        Some(KeptReservation {
            total_amount: amount,
            status: status.to_owned(),
            payment_status: payment_status.to_owned(),
            seats: seats
                .iter()
                .map(|seat| KeptSeat { id: Uuid::from_u128(u128::from(*seat)) })
                .collect(),
        })
    }

    /// Seat 0 is paid, 1 held, 2 paid and cancelled, 3 never asked for.
    fn check(
        map: [SeatStatus; 4],
        change: impl FnOnce(&mut Vec<Option<KeptReservation>>),
    ) -> Vec<String> {
        let hall = hall(1, 4);
        let mut ledger = Ledger::new(4);
        for seat in 0..3 {
            let (id, seats) = (Uuid::from_u128(u128::from(seat)), &[seat][..]);
            let ack = HoldAck {
                id,
                user: 0,
                asked: seats,
                got: seats,
                amount: 100,
                expires_at: 10_000,
                now: 0,
            };
            ledger.hold(&hall, &ack);
        }
        for paid in [0, 2] {
            ledger.paying(paid);
            ledger.paid(&hall, paid, 100);
        }
        ledger.cancelling(2);
        ledger.cancelled(2);
        let mut all = vec![
            kept("confirmed", "completed", 100, &[0]),
            kept("pending", "pending", 100, &[1]),
            kept("cancelled", "refunded", 100, &[2]),
        ];
        change(&mut all);
        judge(&mut ledger, &hall, &Final { map: &map, kept: &all, is_own_event: true, now: 0 });
        std::mem::take(&mut ledger.findings().said)
    }

    #[test]
    fn an_honest_end() {
        assert_eq!(check([SOLD, HELD, FREE, FREE], |_| {}), [""; 0]);
    }

    #[test]
    fn dishonest_ends() {
        type Change = fn(&mut Vec<Option<KeptReservation>>);
        let same: Change = |_| {};
        let ends: [(&str, [SeatStatus; 4], Change); 9] = [
            ("0 is missing", [SOLD, HELD, FREE, FREE], |kept| kept[0] = None),
            ("is pending/pending", [SOLD, HELD, FREE, FREE], |all| {
                all[0] = kept("pending", "pending", 100, &[0]);
            }),
            ("nobody paid", [SOLD, HELD, FREE, FREE], |all| {
                all[1] = kept("confirmed", "completed", 100, &[1]);
            }),
            ("the cancelled sale", [SOLD, HELD, FREE, FREE], |all| {
                all[2] = kept("confirmed", "completed", 100, &[2]);
            }),
            ("costs 90 won now", [SOLD, HELD, FREE, FREE], |all| {
                all[0] = kept("confirmed", "completed", 90, &[0]);
            }),
            ("other seats now", [SOLD, HELD, FREE, FREE], |all| {
                all[0] = kept("confirmed", "completed", 100, &[3]);
            }),
            ("A-1-1 is Available", [FREE, HELD, FREE, FREE], same),
            ("A-1-2 is Available", [SOLD, FREE, FREE, FREE], same),
            ("A-1-4 is Locked", [SOLD, HELD, FREE, HELD], same),
        ];
        for (what, map, change) in ends {
            let said = check(map, change);
            assert!(said.iter().any(|finding| finding.contains(what)), "{what}: {said:?}");
        }
        let said = check([SOLD, HELD, FREE, SOLD], same);
        assert!(said.iter().any(|finding| finding == "100 won were paid for seats of 200 won"));
    }
}
