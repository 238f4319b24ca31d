//! The server process: the parent of the applications.

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Pid, Signal};

use super::link;
use super::message::{Message, Request, now};
use super::reap::Events;
use crate::exit_code;
use crate::launch::launch;

/// Starts applications until the client is gone. Runs in a fork of the keeper, whose descriptors it gives up.
pub(crate) fn run(events: &mut Events, socket: OwnedFd, keeper: Pid) -> u8 {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    match Events::new(socket) {
        Ok(own) => *events = own,
        Err(_) => return exit_code::SPAWNER,
    }
    // The keeper may have died before the line above it took effect.
    if rustix::process::getppid() != Some(keeper) {
        return exit_code::SPAWNER;
    }
    loop {
        let Ok(ready) = events.wait() else { return exit_code::SPAWNER };
        if ready.child {
            events.reap();
        }
        if ready.stop {
            return 0;
        }
        if !ready.control {
            continue;
        }
        match link::receive(events.control()) {
            Ok(Some((Request::Spawn { id, spec }, fds))) => {
                let Ok([input, log]) = <[OwnedFd; 2]>::try_from(fds) else { return exit_code::SPAWNER };
                let answer = match launch(&spec, input.as_fd(), log.as_fd()) {
                    Ok(pid) => Message::Spawned { id, pid: pid.as_raw_nonzero().get(), at: now() },
                    Err(error) => Message::SpawnFailed { id, error },
                };
                events.tell(&answer);
            }
            Ok(None) => return 0,
            Ok(Some(_)) | Err(_) => return exit_code::SPAWNER,
        }
    }
}
