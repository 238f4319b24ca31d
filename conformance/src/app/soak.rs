//! `conformance soak`.

use std::num::NonZeroUsize;
use std::time::Duration;

use mock_lsws::scenario::Capability;

use super::{own_program, runtime, say, wishes};
use crate::cli::{SoakArgs, SoakMode};
use crate::soak::{self, Soak, SoakError};
use crate::subject::Subject;
use crate::{Error, checkout};

pub(super) fn run(args: &SoakArgs) -> Result<u8, Error> {
    let root = checkout::scenarios(args.scenarios.as_deref())?;
    let subject = Subject::load(&args.subject.name, &root)?;
    if !subject.provides.contains(&Capability::Wsgi) {
        return Err(SoakError::NotWsgi { subject: subject.name }.into());
    }
    let spawner = own_program()?;
    let wishes = wishes(&args.subject, &root, &spawner);
    let runtime = runtime()?;
    // The copies, if any, are there until the soak is over.
    let (place, _copies) = runtime.block_on(subject.deploy(&wishes, &say))?;
    let minutes = u64::from(args.minutes.get()) * 60;
    let clients = match args.mode {
        SoakMode::Group => usize::try_from(args.children).unwrap_or(usize::MAX).saturating_mul(2),
        SoakMode::Worker => 1,
    };
    let soak = Soak {
        subject,
        place,
        spawner: spawner.clone(),
        mode: args.mode,
        length: Duration::from_secs(args.seconds.map_or(minutes, |seconds| seconds.get().into())),
        children: args.children,
        max_requests: args.max_requests.get(),
        clients: args.clients.map_or(clients, NonZeroUsize::get),
        json: args.json.clone(),
    };
    runtime.block_on(soak::run(soak))
}
