//! What administrators did.

use crate::command::{AdminAct, Checked};
use crate::engine::Engine;
use crate::error::JournalUnavailable;
use crate::ids::UnixMillis;
use crate::journal::{Journal, Pending, Purpose};
use crate::record::{AdminActed, Record};

impl<J: Journal> Engine<J> {
    /// Writes down what an administrator did.
    ///
    /// # Errors
    /// Journal unavailable.
    pub fn note_admin_act(
        &self,
        act: Checked<AdminAct>,
        now: UnixMillis,
    ) -> Result<Pending<()>, JournalUnavailable> {
        let AdminAct { by, method, path, body } = act.into_inner();
        let permit = self.journal.reserve(Purpose::Completion)?;
        let record = AdminActed { by, method, path, body, at: now };
        let lsn = self.journal.append(permit, &Record::AdminActed(Box::new(record)));
        Ok(Pending::new((), lsn))
    }
}
