//! The port to the journal: room, order, durability.
//!
//! A command asks for room first, then takes its seats, then appends: nothing can fail between the
//! last compare-and-swap and the append (I3, I5). What a command returns is [`Pending`] until the
//! journal says that its record is durable (I6).

use parking_lot::Mutex;

use crate::error::JournalUnavailable;
use crate::ids::Lsn;
use crate::record::Record;

/// Where commands put their records.
pub trait Journal: Send + Sync {
    /// Asks for room for one record.
    ///
    /// # Errors
    /// [`JournalUnavailable::Poisoned`] after a failed write, [`JournalUnavailable::DiskLow`] for
    /// new work while the disk is nearly full, [`JournalUnavailable::QueueFull`] while too much
    /// waits for the disk. Nothing is touched.
    fn reserve(&self, purpose: Purpose) -> Result<Permit, JournalUnavailable>;

    /// Fixes the record's place in the log. Cannot fail: a journal that was poisoned after the
    /// permit was given returns a position that never becomes durable.
    ///
    /// # Durability
    /// None yet: wait for `durable_lsn` to reach the returned position.
    fn append(&self, permit: Permit, record: &Record) -> Lsn;
}

impl<J: Journal + ?Sized> Journal for std::sync::Arc<J> {
    fn reserve(&self, purpose: Purpose) -> Result<Permit, JournalUnavailable> {
        (**self).reserve(purpose)
    }

    fn append(&self, permit: Permit, record: &Record) -> Lsn {
        (**self).append(permit, record)
    }
}

/// What a record is for: under pressure new work is refused before work already begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Begins something: a hold, an account, an event.
    NewWork,
    /// Ends or carries on something that exists: expiry, payment, cancel.
    Completion,
}

/// Room for one record, not its order. Dropping it gives the room back.
#[derive(Debug)]
#[must_use]
pub struct Permit(());

impl Permit {
    /// For implementations of [`Journal`]: states that one more record fits.
    pub fn granted() -> Permit {
        Permit(())
    }
}

/// An answer that must not leave before its record is durable (I6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "wait until the record is durable, then take the value"]
pub struct Pending<T> {
    value: T,
    lsn: Lsn,
}

impl<T> Pending<T> {
    /// An answer that becomes true once `lsn` is durable.
    pub fn new(value: T, lsn: Lsn) -> Self {
        Pending { value, lsn }
    }

    /// What `durable_lsn` has to reach.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The answer, for the engine itself.
    pub(crate) fn peek(&self) -> &T {
        &self.value
    }

    /// Another answer that waits for the same record.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Pending<U> {
        Pending { value: change(self.value), lsn: self.lsn }
    }

    /// The answer, once it may leave.
    ///
    /// # Panics
    /// Where `durable_lsn` does not cover the record: the caller did not wait.
    pub fn acknowledge(self, durable_lsn: Lsn) -> T {
        assert!(self.lsn <= durable_lsn, "answer taken before its record is durable");
        self.value
    }
}

/// A journal in memory, for tests and for measuring the engine alone: durable at once, kept until
/// taken.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    records: Mutex<(Lsn, Vec<Record>)>,
}

impl MemoryJournal {
    /// A journal whose next record gets the position after `last`.
    #[must_use]
    pub fn after(last: Lsn) -> Self {
        MemoryJournal { records: Mutex::new((last, Vec::new())) }
    }

    /// The position of the last record; all of them count as durable.
    #[must_use]
    pub fn durable_lsn(&self) -> Lsn {
        self.records.lock().0
    }

    /// Takes the records since the last call, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.records.lock().1)
    }

    /// Drops the records but keeps their room, for measuring.
    pub fn forget(&self) {
        self.records.lock().1.clear();
    }
}

impl Journal for MemoryJournal {
    fn reserve(&self, _: Purpose) -> Result<Permit, JournalUnavailable> {
        Ok(Permit::granted())
    }

    fn append(&self, _: Permit, record: &Record) -> Lsn {
        let mut records = self.records.lock();
        records.0 = records.0.next();
        records.1.push(record.clone());
        records.0
    }
}
