//! What one person does: each step a request, its answer told to the auditor.

use std::time::Instant;

use crate::audit::turns::{Told, VisitNumber};
use crate::audit::{HoldAck, SaleNumber};
use crate::contract::{Paid, Reserved, SeatStatus, Standing, unix_ms};
use crate::hall::SeatNumber;
use crate::record::Step;
use crate::run::{COME_BACK, Reply, Run};

/// Somebody with an account.
#[derive(Clone, Copy)]
pub(crate) struct Person {
    pub(crate) account: u32,
    /// Whether the auditor may judge the turns of this visit.
    pub(crate) is_new: bool,
}

/// Somebody's place before the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Inside,
    InLine,
    /// No usable answer.
    Nowhere,
}

/// What became of a wish for seats.
pub(crate) enum HoldEnd {
    Held(SaleNumber),
    /// Somebody else has one of them.
    Gone,
    /// No chance.
    Hopeless,
}

impl Run {
    pub(crate) fn person(&self, number: u32) -> Person {
        Person { account: self.people.account(number), is_new: self.people.is_new(number) }
    }

    /// Asks to be let in.
    pub(crate) async fn join(
        &self,
        person: Person,
        intended: Instant,
    ) -> (Place, Option<VisitNumber>) {
        if !person.is_new {
            self.turns.borrow_mut().came_again(person.account);
        }
        let (place, told) = self.ask_line(Step::Join, person, intended).await;
        let told = told.filter(|_| person.is_new);
        let visit = told.map(|told| self.turns.borrow_mut().came(person.account, told));
        (place, visit)
    }

    /// Asks how the line stands.
    pub(crate) async fn poll(
        &self,
        person: Person,
        visit: Option<VisitNumber>,
        intended: Instant,
    ) -> Place {
        let (place, told) = self.ask_line(Step::Poll, person, intended).await;
        if let (Some(visit), Some(told)) = (visit, told) {
            self.turns.borrow_mut().asked_again(visit, told);
        }
        place
    }

    async fn ask_line(
        &self,
        step: Step,
        person: Person,
        intended: Instant,
    ) -> (Place, Option<Told>) {
        let (route, body) = match step {
            Step::Join => (&self.routes.check, "{}"),
            _ => (&self.routes.status, ""),
        };
        let asked = Instant::now();
        let token = self.people.token(person.account);
        let Reply::Done(answer) = self.call(step, intended, route, token, body).await else {
            return (Place::Nowhere, None);
        };
        let Ok(standing) = answer.json::<Standing>() else {
            self.fail_nonsense("a place in line without `queued`");
            return (Place::Nowhere, None);
        };
        self.line.set(u64::from(standing.queue_size));
        let Standing { queued, position, .. } = standing;
        let told = Told { asked, told: Instant::now(), queued, position };
        (if queued { Place::InLine } else { Place::Inside }, Some(told))
    }

    /// Gives the place up, in line or inside.
    pub(crate) async fn leave(&self, person: Person, visit: Option<VisitNumber>) {
        if let Some(visit) = visit {
            self.turns.borrow_mut().left(visit);
        }
        let token = self.people.token(person.account);
        self.call(Step::Leave, Instant::now(), &self.routes.leave, token, "{}").await;
    }

    /// Looks at something that is only looked at; whether it came.
    pub(crate) async fn look_at_event(&self, person: Person, intended: Instant) -> bool {
        let token = self.people.token(person.account);
        let reply = self.call(Step::Event, intended, &self.routes.event, token, "").await;
        matches!(reply, Reply::Done(_))
    }

    /// Looks at the seats; whether the map came.
    pub(crate) async fn look_at_map(&self, person: Person, intended: Instant) -> bool {
        let token = self.people.token(person.account);
        let (reply, _) = self.insist(Step::Map, intended, &self.routes.map, token, "").await;
        let Reply::Done(answer) = reply else { return false };
        let looked = self.hall.borrow_mut().look(answer.body());
        if let Err(error) = looked {
            self.fail_nonsense(&format!("{error:#}"));
            return false;
        }
        true
    }

    /// Asks for seats.
    pub(crate) async fn hold(
        &self,
        person: Person,
        intended: Instant,
        seats: &[SeatNumber],
    ) -> HoldEnd {
        let body = self.hold_body(seats);
        let sent = Instant::now();
        for &seat in seats {
            self.sent_holds.borrow_mut()[seat as usize] = Some(sent);
        }
        let token = self.people.token(person.account);
        match self.call(Step::Hold, intended, &self.routes.reserve, token, &body).await {
            Reply::Done(answer) => match answer.json::<Reserved<'_>>() {
                // A hold of this account that the ledger has: nothing new is held.
                Ok(reserved)
                    if reserved.already_yours
                        && self.ledger.borrow().has(reserved.reservation.id) =>
                {
                    seats.iter().for_each(|&seat| self.seen_taken(seat));
                    HoldEnd::Gone
                }
                Ok(reserved) => self.held(person, seats, &reserved),
                Err(_) => {
                    self.fail_nonsense("a hold without a reservation");
                    HoldEnd::Hopeless
                }
            },
            Reply::Refused(code) => match code.as_str() {
                "SEAT_UNAVAILABLE" | "HTTP 400" | "HTTP 409" => {
                    seats.iter().for_each(|&seat| self.seen_taken(seat));
                    HoldEnd::Gone
                }
                _ => HoldEnd::Hopeless,
            },
            Reply::Unknown => {
                self.ledger.borrow_mut().hold_unknown(seats);
                if self.tries == 1 {
                    return HoldEnd::Hopeless;
                }
                // The page is loaded anew, and shows the seats as they are by then. Where the run
                // is over, the next step hears it.
                self.clock.until(Instant::now() + COME_BACK).await.unwrap_or(());
                HoldEnd::Gone
            }
        }
    }

    fn hold_body(&self, seats: &[SeatNumber]) -> String {
        let hall = self.hall.borrow();
        let mut body = format!("{{\"eventId\":\"{}\",\"seatIds\":[", self.event);
        for (&seat, number) in seats.iter().zip(0..) {
            let comma = if number == 0 { "" } else { "," };
            let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
            body.push_str(comma);
            body.push('"');
            body.push_str(hall.seats()[seat as usize].id.as_hyphenated().encode_lower(&mut id));
            body.push('"');
        }
        body.push_str("]}");
        body
    }

    /// A seat asked for may be the one that is taken; the next look at the map tells.
    fn seen_taken(&self, seat: SeatNumber) {
        let mut hall = self.hall.borrow_mut();
        if hall.view()[seat as usize] == SeatStatus::Available {
            hall.set(seat, SeatStatus::Locked);
        }
    }

    fn held(&self, person: Person, asked: &[SeatNumber], reserved: &Reserved<'_>) -> HoldEnd {
        let reservation = &reserved.reservation;
        let mut hall = self.hall.borrow_mut();
        let got: Option<Vec<SeatNumber>> =
            reservation.seats.iter().map(|seat| hall.number(seat.id)).collect();
        let (Some(got), Some(expires_at)) = (got, unix_ms(&reservation.expires_at)) else {
            self.fail_nonsense("a reservation of seats that the hall does not have");
            return HoldEnd::Hopeless;
        };
        got.iter().for_each(|&seat| hall.set(seat, SeatStatus::Locked));
        let (id, user, now) = (reservation.id, person.account, self.server_ms());
        let amount = reservation.total_amount;
        let prices: u64 = reservation.seats.iter().map(|seat| seat.price).sum();
        let mut ledger = self.ledger.borrow_mut();
        if prices != amount {
            let finding = || format!("{id} costs {amount} won, and its seats {prices} as it says");
            ledger.findings().add(finding);
        }
        let ack = HoldAck { id, user, asked, got: &got, amount, expires_at, now };
        HoldEnd::Held(ledger.hold(&hall, &ack))
    }

    /// Pays; whether it was acknowledged.
    pub(crate) async fn pay(&self, person: Person, sale: SaleNumber, intended: Instant) -> bool {
        let id = self.ledger.borrow().sales()[sale].id;
        self.ledger.borrow_mut().paying(sale);
        let body = format!("{{\"reservationId\":\"{id}\",\"paymentMethod\":\"kakao_pay\"}}");
        let token = self.people.token(person.account);
        let (reply, is_first) =
            self.insist(Step::Pay, intended, &self.routes.pay, token, &body).await;
        match reply {
            Reply::Done(answer) => match answer.json::<Paid>() {
                Ok(paid) if paid.success => {
                    self.paid(sale, paid.payment.total_amount);
                    true
                }
                _ => {
                    self.ledger.borrow_mut().unpaid(sale, false);
                    self.fail_nonsense("a payment without success");
                    false
                }
            },
            Reply::Refused(code) if !is_first && code == "ALREADY_PAID" => {
                // By a try that went unanswered: this is its answer.
                let amount = self.ledger.borrow().sales()[sale].amount;
                self.paid(sale, amount);
                true
            }
            Reply::Refused(_) => {
                // What is refused now may have been done by a try that went unanswered.
                self.ledger.borrow_mut().unpaid(sale, is_first);
                false
            }
            Reply::Unknown => {
                self.ledger.borrow_mut().unpaid(sale, false);
                false
            }
        }
    }

    fn paid(&self, sale: SaleNumber, amount: u64) {
        let mut hall = self.hall.borrow_mut();
        let mut ledger = self.ledger.borrow_mut();
        ledger.paid(&hall, sale, amount);
        for &seat in &ledger.sales()[sale].seats {
            hall.set(seat, SeatStatus::Reserved);
        }
    }

    /// Looks at the own tickets, which what was just paid has to be among.
    pub(crate) async fn look_at_tickets(
        &self,
        person: Person,
        sale: SaleNumber,
        intended: Instant,
    ) {
        let token = self.people.token(person.account);
        let (reply, _) = self.insist(Step::Tickets, intended, &self.routes.mine, token, "").await;
        let Reply::Done(answer) = reply else { return };
        let id = self.ledger.borrow().sales()[sale].id;
        let text = id.to_string();
        if !answer.body().windows(text.len()).any(|window| window == text.as_bytes()) {
            let finding = || format!("the acknowledged sale {id} is missing from its buyer's list");
            self.ledger.borrow_mut().findings().add(finding);
        }
    }

    /// Cancels what was paid.
    pub(crate) async fn cancel(&self, person: Person, sale: SaleNumber, intended: Instant) {
        let id = self.ledger.borrow().sales()[sale].id;
        self.ledger.borrow_mut().cancelling(sale);
        let route = self.http.route("POST", &format!("/api/reservations/{id}/cancel"));
        let token = self.people.token(person.account);
        if let (Reply::Done(_), _) = self.insist(Step::Cancel, intended, &route, token, "{}").await
        {
            let mut ledger = self.ledger.borrow_mut();
            ledger.cancelled(sale);
            let mut hall = self.hall.borrow_mut();
            for &seat in &ledger.sales()[sale].seats {
                hall.set(seat, SeatStatus::Available);
            }
        }
    }
}
