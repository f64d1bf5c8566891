//! What goes back: pieces that are owed, parts of orders, and what the provider gives back or takes
//! without being asked.

use tiketi_engine::ids::{ChargeIndex, RefundIndex, UnixMillis};
use tiketi_engine::money::Split;
use tiketi_engine::record::{
    Claim, DisputeState, OrderRef, PartReturned, RefundAccountGiven, RefundOutcome, SeatsReturned,
};

use super::super::Auditor;
use super::super::finding::Rule;
use super::{MoneyModel, Piece, PieceState, Stage};

impl MoneyModel {
    pub(super) fn pieces_of(&self, index: usize) -> impl Iterator<Item = &Piece> {
        let pieces = self.charge(index).map(|charge| charge.pieces.as_slice());
        pieces.unwrap_or_default().iter().map(|&piece| &self.pieces[piece])
    }

    /// What the buyer still waits for.
    pub(super) fn owed(&self, index: usize) -> u64 {
        self.pieces_of(index).filter(|piece| piece.is_owed()).map(|piece| piece.card).sum()
    }

    /// What the provider has of it: kept, owed, or given back by hand.
    fn at_provider(&self, index: usize) -> u64 {
        let waits = self.pieces_of(index).filter(|piece| piece.state != PieceState::Done);
        let waits: u64 = waits.map(|piece| piece.card).sum();
        waits + self.charge(index).map_or(0, |charge| charge.kept.card)
    }

    /// Gives back some of a charge, or says why that cannot be.
    pub(super) fn give_back(
        &mut self,
        index: usize,
        amount: Split,
        at: UnixMillis,
    ) -> Result<(), String> {
        let piece = self.pieces.len();
        let charge = self.charge_mut(index).ok_or_else(|| format!("charge {index} is unknown"))?;
        let kept = charge.kept;
        if charge.stage != Stage::Captured || amount.card > kept.card || amount.points > kept.points
        {
            return Err(format!("more goes back than charge {index} has"));
        }
        charge.kept.card -= amount.card;
        charge.kept.points -= amount.points;
        if charge.is_gone() {
            charge.gone_at.get_or_insert(at);
        }
        let user = charge.user;
        if amount.card > 0 {
            charge.pieces.push(piece);
            let (card, state) = (amount.card, PieceState::Due);
            self.pieces.push(Piece { charge: index, card, state, failures: 0, at });
        }
        self.account(user).credit(amount.points);
        Ok(())
    }

    /// Takes money that has gone already off what is owed, newest first, and then off what was given
    /// back by hand.
    pub(super) fn owe_less(&mut self, index: usize, mut card: u64) {
        let newest: Vec<usize> = match self.charge(index) {
            Some(charge) => charge.pieces.iter().rev().copied().collect(),
            None => return,
        };
        for is_by_hand in [false, true] {
            for &piece in &newest {
                let piece = &mut self.pieces[piece];
                let is_meant = match is_by_hand {
                    false => piece.is_owed(),
                    true => piece.state == PieceState::ByHand,
                };
                if !is_meant || card == 0 {
                    continue;
                }
                let less = piece.card.min(card);
                piece.card -= less;
                card -= less;
                if piece.card == 0 {
                    piece.state = PieceState::Done;
                }
            }
        }
    }
}

impl Auditor {
    /// The money of an order that is over goes back.
    pub(in crate::auditor) fn money_of_ended(&mut self, order: OrderRef, at: UnixMillis) {
        let of_order = self.money.of_order(order).to_vec();
        for index in of_order {
            let charge = self.money.charge(index);
            let kept = charge.filter(|charge| charge.stage == Stage::Captured);
            let Some(kept) = kept.map(|charge| charge.kept) else { continue };
            if let Err(why) = self.money.give_back(index, kept, at) {
                self.find(Rule::Money, why);
            }
            self.check_charge(index);
        }
    }

    pub(in crate::auditor) fn seats_returned(&mut self, returned: &SeatsReturned) {
        self.instant(returned.at);
        let part = Claim::Seats(returned.seats);
        self.claim_returned(returned.charge, &part, returned.amount, returned.at);
    }

    pub(in crate::auditor) fn part_returned(&mut self, returned: &PartReturned) {
        let PartReturned { charge, part, amount, by, key, at } = returned;
        self.is_new(*at);
        if by.position() >= self.users.len() {
            let text = format!("user {by}, unknown, asks for a part of charge {charge}");
            self.find(Rule::UnknownThing, text);
        }
        let order = self.money.charge(charge.position()).and_then(|charge| charge.order);
        if let (Some(key), Some(order)) = (key, order) {
            let found = self.key_used(by.0, **key, order, *at);
            self.add(found.into_iter().collect());
        }
        self.claim_returned(*charge, part, *amount, *at);
    }

    fn claim_returned(&mut self, charge: ChargeIndex, part: &Claim, amount: Split, at: UnixMillis) {
        let index = charge.position();
        if !self.has_charge(index, "gives a part back") {
            return;
        }
        let Some((order, kept)) = self.money.charge(index).map(|one| (one.order, one.kept)) else {
            return;
        };
        if let Err(why) = self.money.give_back(index, amount, at) {
            self.find(Rule::Money, why);
        }
        match order {
            Some(order) => {
                let paid_by = self.order_mut(order).and_then(|order| order.paid_by);
                if paid_by.is_some_and(|other| other != index) {
                    let text = format!("charge {index} gives back a part that another one paid");
                    self.find(Rule::Money, text);
                }
                let won = amount.card + amount.points;
                self.part_given_back(order, part, (won, kept.card + kept.points), at);
            }
            None => self.find(Rule::Money, format!("charge {index} for points has no parts")),
        }
        self.check_charge(index);
    }

    /// Refunds that were refused are asked for again.
    pub(in crate::auditor) fn refund_account_given(&mut self, given: &RefundAccountGiven) {
        self.instant(given.at);
        let index = given.charge.position();
        if !self.has_charge(index, "gets an account") {
            return;
        }
        let pieces = self.money.charge(index).map(|charge| charge.pieces.clone());
        for piece in pieces.unwrap_or_default() {
            let piece = &mut self.money.pieces[piece];
            if piece.state == PieceState::Refused {
                piece.state = PieceState::Due;
            }
        }
    }

    /// A piece ends once. What the provider had taken on may fail, which is tried again once; what
    /// it refused may be tried again, end with a call for all that is left, or be made by hand.
    pub(in crate::auditor) fn refund_ended(
        &mut self,
        refund: RefundIndex,
        outcome: RefundOutcome,
        at: UnixMillis,
    ) {
        self.instant(at);
        let Some(piece) = self.money.pieces.get_mut(refund.position()) else {
            return self.find(Rule::UnknownThing, format!("refund {refund} ends, unknown"));
        };
        let before = piece.state;
        let (after, fits) = match outcome {
            RefundOutcome::Done => (PieceState::Done, piece.is_owed()),
            RefundOutcome::Refused => (PieceState::Refused, before == PieceState::Due),
            RefundOutcome::Again => (PieceState::Due, before == PieceState::Refused),
            RefundOutcome::ByHand => (PieceState::ByHand, piece.is_owed()),
            RefundOutcome::Failed => {
                piece.failures = piece.failures.saturating_add(1);
                let again = if piece.failures == 1 { PieceState::Due } else { PieceState::Refused };
                (again, before == PieceState::Done && piece.card > 0)
            }
        };
        piece.state = after;
        let charge = piece.charge;
        if !fits {
            let text = format!("refund {refund} is {before:?} and ends as {outcome:?}");
            self.find(Rule::Money, text);
        }
        if matches!(outcome, RefundOutcome::Failed | RefundOutcome::ByHand) {
            self.is_new(at);
        }
        self.check_charge(charge);
    }

    /// Whether a charge has captured money; where it has none, that is a finding.
    fn is_captured(&mut self, index: usize, how: &str) -> bool {
        if !self.has_charge(index, how) {
            return false;
        }
        let stage = self.money.charge(index).map(|charge| charge.stage);
        if stage != Some(Stage::Captured) {
            self.find(Rule::Money, format!("charge {index} {how}, but its money is not here"));
        }
        stage == Some(Stage::Captured)
    }

    pub(in crate::auditor) fn returned_elsewhere(
        &mut self,
        charge: ChargeIndex,
        card: u64,
        at: UnixMillis,
    ) {
        self.is_new(at);
        let index = charge.position();
        if !self.is_captured(index, "went back elsewhere") {
            return;
        }
        let there = self.money.at_provider(index);
        if card == 0 || card > there {
            let text = format!("{card} won of charge {index} went back elsewhere, of {there}");
            self.find(Rule::Money, text);
        }
        self.goes_elsewhere(index, card.min(there), at);
        self.check_charge(index);
    }

    /// It counts against what is kept first, then against what the buyer waits for.
    fn goes_elsewhere(&mut self, index: usize, card: u64, at: UnixMillis) {
        let Some(charge) = self.money.charge_mut(index) else { return };
        let of_kept = charge.kept.card.min(card);
        charge.kept.card -= of_kept;
        charge.elsewhere += card;
        if charge.is_gone() {
            charge.gone_at.get_or_insert(at);
        }
        let (user, is_for_points) = (charge.user, charge.order.is_none());
        if is_for_points {
            self.money.account(user).take_back(of_kept);
        }
        self.money.owe_less(index, card - of_kept);
    }

    pub(in crate::auditor) fn return_failed(
        &mut self,
        charge: ChargeIndex,
        card: u64,
        is_owed: bool,
        at: UnixMillis,
    ) {
        self.is_new(at);
        let index = charge.position();
        if !self.is_captured(index, "did not go back elsewhere") {
            return;
        }
        let is_kept = self.is_paid_by(index);
        let Some(charge) = self.money.charge_mut(index) else { return };
        let (gone, order, user) = (charge.elsewhere, charge.order, charge.user);
        let back = card.min(gone);
        charge.elsewhere -= back;
        charge.kept.card += back;
        charge.gone_at = None;
        let mut found = Vec::new();
        if card == 0 || card > gone {
            let text = format!("{card} won of charge {index} are there again, {gone} had gone");
            found.push((Rule::Money, text));
        }
        if is_owed != (order.is_some() && !is_kept) {
            let text = format!("{card} won of charge {index} are there again, for the wrong side");
            found.push((Rule::Money, text));
        }
        match (order, is_owed) {
            (None, _) => self.money.account(user).credit(back),
            (Some(_), true) => {
                let back = self.money.give_back(index, Split { card: back, points: 0 }, at);
                found.extend(back.err().map(|why| (Rule::Money, why)));
            }
            (Some(_), false) => {}
        }
        self.add(found);
        self.check_charge(index);
    }

    pub(in crate::auditor) fn disputed(
        &mut self,
        charge: ChargeIndex,
        amount: u64,
        state: DisputeState,
        at: UnixMillis,
    ) {
        self.is_new(at);
        let index = charge.position();
        if !self.is_captured(index, "is disputed") {
            return;
        }
        let there = self.money.at_provider(index);
        let Some(charge) = self.money.charge_mut(index) else { return };
        let before = charge.dispute.replace((amount, state, at));
        let mut found = Vec::new();
        if amount == 0 || amount > charge.amount.card {
            let text = format!("{amount} won of charge {index} are disputed, which it never had");
            found.push((Rule::Money, text));
        }
        if before.is_some_and(|(before, stood, _)| (before, stood) == (amount, state)) {
            found.push((Rule::Money, format!("the dispute of charge {index} is {state:?} twice")));
        }
        if state == DisputeState::Lost {
            self.goes_elsewhere(index, amount.min(there), at);
        }
        self.add(found);
        self.check_charge(index);
    }
}
