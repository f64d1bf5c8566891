//! What administrators do with an event's seats: off sale and back, all away and back.

use std::collections::BTreeSet;

use parking_lot::MutexGuard;

use crate::engine::Engine;
use crate::error::{BlockRefusal, CatalogRefusal, CommandError};
use crate::ids::{EventIndex, SeatIndex, UnixMillis, UserIndex};
use crate::inventory::{AdminHold, EventInventory};
use crate::journal::{Journal, Pending, Purpose};
use crate::limits::SEATS_PER_BLOCK_MAX;
use crate::record::Record;

impl<J: Journal> Engine<J> {
    /// Takes free seats off sale, all of them or none.
    ///
    /// # Errors
    /// In this order: event unknown; no seats or too many; a seat unknown; journal unavailable;
    /// seats taken.
    pub fn block_seats(
        &self,
        event: EventIndex,
        seats: &[SeatIndex],
        reason: String,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<BlockRefusal>> {
        let (inventory, seats) = self.seats_to_block(event, seats)?;
        let mut admin = block_of(inventory, &seats)?;
        let permit = self.journal.reserve(Purpose::NewWork)?;
        let seats = Vec::from_iter(seats);
        if inventory.seats.take_all(&inventory.plan, &seats).is_err() {
            let taken = |seat: &SeatIndex| inventory.seats.is_taken(&inventory.plan, *seat);
            let taken = seats.into_iter().filter(taken).collect();
            return Err(BlockRefusal::SeatsTaken(taken).into());
        }
        // From here it must succeed.
        admin.blocked.extend(&seats);
        let record = Record::SeatsBlocked { event, seats, reason, at: now };
        Ok(Pending::new((), self.journal.append(permit, &record)))
    }

    /// Puts blocked seats back on sale, all of them or none.
    ///
    /// # Errors
    /// In this order: event unknown; no seats or too many; a seat unknown; seats that are not
    /// blocked; journal unavailable.
    pub fn unblock_seats(
        &self,
        event: EventIndex,
        seats: &[SeatIndex],
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<BlockRefusal>> {
        let (inventory, seats) = self.seats_to_block(event, seats)?;
        let mut admin = block_of(inventory, &seats)?;
        let not_blocked: Vec<SeatIndex> = seats.difference(&admin.blocked).copied().collect();
        if !not_blocked.is_empty() {
            return Err(BlockRefusal::NotBlocked(not_blocked).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed. Log, then bits (I2).
        let record =
            Record::SeatsUnblocked { event, seats: seats.iter().copied().collect(), at: now };
        let lsn = self.journal.append(permit, &record);
        admin.blocked.retain(|seat| !seats.contains(seat));
        inventory.seats.give_back_all(&inventory.plan, &Vec::from_iter(seats));
        Ok(Pending::new((), lsn))
    }

    /// Takes all of an event's seats away, those blocked too, where no order has any. Answers with how
    /// many there were.
    ///
    /// The administrators take every bit that is free (I1), so a hold that races with this one has its
    /// bit first or finds it taken.
    ///
    /// # Errors
    /// In this order: event unknown; it has no seats; journal unavailable; orders have some of them.
    pub fn remove_seats(
        &self,
        event: EventIndex,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<u32>, CommandError<CatalogRefusal>> {
        let (inventory, mut admin) = self.administered(event)?;
        let count = inventory.plan.seat_count();
        if count == 0 || admin.seats_removed {
            return Err(CatalogRefusal::NoSeats(event).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        let is_blocked = |seat: &SeatIndex| admin.blocked.contains(seat);
        let free: Vec<SeatIndex> =
            (0..count).map(SeatIndex).filter(|seat| !is_blocked(seat)).collect();
        if inventory.seats.take_all(&inventory.plan, &free).is_err() {
            return Err(CatalogRefusal::SeatsInUse(event).into());
        }
        // From here it must succeed.
        let lsn = self.journal.append(permit, &Record::SeatsRemoved { event, by, at: now });
        admin.blocked.clear();
        inventory.set_seats_removed(&mut admin, true);
        Ok(Pending::new(count, lsn))
    }

    /// Makes the seats of an event again that were taken away, all of them free. Answers with how many
    /// there are.
    ///
    /// # Errors
    /// In this order: event unknown; it has no layout; its seats are there; journal unavailable.
    pub fn generate_seats(
        &self,
        event: EventIndex,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<u32>, CommandError<CatalogRefusal>> {
        let (inventory, mut admin) = self.administered(event)?;
        let seats = inventory.plan.seat_count();
        if seats == 0 {
            return Err(CatalogRefusal::NoLayout(event).into());
        }
        if !admin.seats_removed {
            return Err(CatalogRefusal::SeatsExist { event, seats }.into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed. Log, then bits (I2).
        let lsn = self.journal.append(permit, &Record::SeatsGenerated { event, by, at: now });
        inventory.set_seats_removed(&mut admin, false);
        let all: Vec<SeatIndex> = (0..seats).map(SeatIndex).collect();
        inventory.seats.give_back_all(&inventory.plan, &all);
        Ok(Pending::new(seats, lsn))
    }

    fn seats_to_block(
        &self,
        event: EventIndex,
        seats: &[SeatIndex],
    ) -> Result<(&EventInventory, BTreeSet<SeatIndex>), BlockRefusal> {
        let inventory = self.listed(event).ok_or(BlockRefusal::UnknownEvent(event))?;
        if !(1..=SEATS_PER_BLOCK_MAX).contains(&seats.len()) {
            return Err(BlockRefusal::BadCount { max: SEATS_PER_BLOCK_MAX });
        }
        match seats.iter().find(|&&seat| !inventory.plan.contains(seat)) {
            Some(&seat) => Err(BlockRefusal::UnknownSeat(seat)),
            None => Ok((inventory, seats.iter().copied().collect())),
        }
    }
}

/// The lock under which these seats can be blocked or unblocked; there are none while they are taken
/// away.
fn block_of<'i>(
    inventory: &'i EventInventory,
    seats: &BTreeSet<SeatIndex>,
) -> Result<MutexGuard<'i, AdminHold>, BlockRefusal> {
    let admin = inventory.admin.lock();
    match (seats.first(), admin.seats_removed) {
        (Some(&seat), true) => Err(BlockRefusal::UnknownSeat(seat)),
        _ => Ok(admin),
    }
}
