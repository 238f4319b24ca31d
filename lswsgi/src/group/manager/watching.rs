//! Files that ask for a reload when they change.

use std::time::Instant;

use super::run::Manager;
use crate::restart_file;

impl Manager<'_> {
    /// Looks whether a file asks for new code.
    pub(super) fn watch(&mut self, now: Instant) {
        let is_asked = self.restart_file.as_mut().is_some_and(|file| file.read(now));
        if is_asked && self.stopping.is_none() {
            self.reload(&format!("{} has changed", restart_file::NAME), now);
        }
    }
}
