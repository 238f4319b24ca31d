//! What concerns a group of processes.

use std::time::Duration;

use clap::ValueEnum;

use super::number::Avoid;
use super::reader::{Origin, Reader};
use super::table;

/// Memory that has to be free for a fork that is not necessary, unless LSAPI_AVOID_FORK says how much.
pub(super) const DEFAULT_FREE_MEMORY: u64 = 1 << 30;

/// What concerns a group of processes.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// Workers: LSAPI_CHILDREN. Up to 1 there is no group.
    pub children: u32,
    /// Workers beyond that while all are busy: LSAPI_EXTRA_CHILDREN.
    pub extra_children: u32,
    /// Idle workers that are kept: LSAPI_MAX_IDLE_CHILDREN, at least 1.
    pub max_idle_children: u32,
    /// How long the manager stays without workers; `None` is for ever. LSAPI_PGRP_MAX_IDLE.
    pub pgrp_max_idle: Option<Duration>,
    /// Memory below which no more workers are forked than must be, in bytes: LSAPI_AVOID_FORK, default 1 GiB.
    pub min_free_memory: u64,
    /// Workers that hold a connection at which another gives its connection up after a request: LSAPI_MAX_BUSY_WORKER.
    pub max_busy_workers: Option<u32>,
    /// Idle workers that are kept ready: `--min-idle`.
    pub min_idle: u32,
    /// Age at which a worker is replaced, up to a tenth earlier: `--max-lifetime`.
    pub max_lifetime: Option<Duration>,
    /// Which process imports the application: `--load`.
    pub load: Load,
    /// How long a process may outlive the signal that should end it: `--kill-after`.
    pub kill_after: Duration,
}

/// Which process of a group imports the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Load {
    /// The template; but each worker for itself if threads run after the import, which a fork would not take along.
    #[default]
    Auto,
    /// The template, whatever runs after the import.
    Preload,
    /// Each worker for itself.
    Lazy,
}

impl GroupSettings {
    /// Reads them, and says why forks are avoided, if they are.
    pub(super) fn read(reader: &mut Reader<'_>) -> (Self, Option<String>) {
        let children = reader.read(&table::CHILDREN).value;
        let avoid = reader.read(&table::AVOID_FORK);
        let avoids_forks = (avoid.value != Avoid::Off).then(|| avoid.origin.condition());
        let (extra, idle, origin) = match &avoids_forks {
            Some(why) => (0, children, Origin::default_because(why)),
            None => (children / 3, children / 3, Origin::Default),
        };
        let extra_children = reader.read_or(&table::EXTRA_CHILDREN, extra, origin.clone()).value;
        let (min_idle, max_idle_children) = read_idle(reader, children, idle.max(1), origin);
        let max_busy_workers = reader.read(&table::MAX_BUSY_WORKERS).value.map(|limit| match limit {
            // What lsapi 2.3 says 0 was meant as.
            0 => children / 2 + 1,
            limit => limit,
        });
        reader.show(&table::MAX_BUSY_WORKERS, &max_busy_workers);
        let settings = Self {
            children: narrow(children),
            extra_children: narrow(extra_children),
            max_idle_children: narrow(max_idle_children),
            pgrp_max_idle: reader.read(&table::PGRP_MAX_IDLE).value,
            min_free_memory: if let Avoid::Below(bytes) = avoid.value { bytes } else { DEFAULT_FREE_MEMORY },
            max_busy_workers: max_busy_workers.map(narrow),
            min_idle: narrow(min_idle),
            max_lifetime: reader.read(&table::MAX_LIFETIME).value,
            load: reader.read(&table::LOAD).value,
            kill_after: reader.read(&table::KILL_AFTER).value,
        };
        (settings, avoids_forks)
    }
}

/// How many idle workers are kept ready, and how many are kept: never fewer, as one would start what the other stops.
fn read_idle(reader: &mut Reader<'_>, children: u64, default: u64, origin: Origin) -> (u64, u64) {
    let wanted = reader.read(&table::MIN_IDLE).value;
    let min_idle = if children > 1 { wanted.min(children) } else { wanted };
    let (default, origin) = if min_idle > default {
        (min_idle, Origin::default_because("--min-idle is more"))
    } else {
        (default, origin)
    };
    let max_idle = reader.read_or(&table::MAX_IDLE_CHILDREN, default, origin).value;
    if wanted > children && children > 1 {
        reader.correct(&table::MIN_IDLE, &min_idle, "is more than there may be workers (--children)");
    }
    if min_idle > max_idle {
        reader.correct(&table::MIN_IDLE, &max_idle, "is more than may be idle (--max-idle-children)");
    }
    (min_idle.min(max_idle), max_idle)
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
