//! What administrators did.

use crate::command::{AdminAct, Checked};
use crate::engine::Engine;
use crate::error::JournalUnavailable;
use crate::ids::UnixMillis;
use crate::journal::{Journal, Pending, Purpose};
use crate::record::{AdminActed, AdminMade, Record};

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
        let AdminAct { by, method, path, body, made } = act.into_inner();
        let permit = self.journal.reserve(Purpose::Completion)?;
        let acted = AdminActed { by, method, path, body, at: now };
        let record = match made {
            Some(made) => Record::AdminMade(Box::new(AdminMade { acted, made })),
            None => Record::AdminActed(Box::new(acted)),
        };
        let lsn = self.journal.append(permit, &record);
        Ok(Pending::new((), lsn))
    }
}
