//! Files that ask for a reload when they change.

use std::time::Instant;

use super::run::Manager;

impl Manager<'_> {
    /// Looks whether a file asks for new code.
    pub(super) fn watch(&mut self, now: Instant) {
        if let Some(changed) = self.files.read(now) {
            self.reload(&changed, now);
        }
    }
}
