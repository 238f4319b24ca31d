//! Log files after rotation: every process of the group goes on in new ones.

use std::sync::atomic::Ordering;

use super::run::Manager;
use crate::group::message::ToTemplate;
use crate::{log, rotation, sys};

impl Manager<'_> {
    /// Has everybody open their log files anew, because of `why`. From here on no line goes to the old access log; what is
    /// printed to an old standard error may, until its process has followed. Returns how many processes there are.
    pub(super) fn reopen_logs(&self, why: &str) -> usize {
        let count = self.board.group.reopened.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        rotation::follow_to(count);
        log::info(format_args!("{why}: opening log files anew"));
        // One that has so much to do that it takes no more messages looks by itself.
        let templates =
            self.source.channels().map(|channel| channel.send(&ToTemplate::Reopen.encode(), None));
        let templates = templates.count();
        let workers: Vec<_> = self.workers.iter().filter_map(|(_, worker)| worker.pid).collect();
        workers.iter().copied().for_each(sys::tell_worker);
        1 + templates + workers.len()
    }
}
