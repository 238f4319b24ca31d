//! What is typed behind `soak`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::SubjectArgs;

/// What the help of `soak` ends with.
pub(super) const HELP: &str = "\
The traffic is small and large responses, uploads, streams, slow requests, exceptions, crashes, clients that leave, and \
bytes that are no LSAPI, each client on a connection it keeps as a server does. Every second all processes of the subject \
are looked at. At the end the medians of the first quarter are compared with those of the last.

Exit codes:
  0    nothing has grown that must not, and every exchange was as expected
  1    descriptors, zombies or shared memory have grown, or an exchange was not as expected
  2    wrong command line, or a subject that runs no WSGI applications
  5    the subject could not be built or started
  130  interrupted by Ctrl-C or SIGTERM

Examples:
  conformance soak --minutes 60                    lswsgi as a group of four; workers are replaced all the time
  conformance soak --mode worker --seconds 30      one process, never replaced: leaks show at once
  conformance soak --json figures.json             and every sample for a plot";

/// How to soak what.
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// How long, in minutes
    #[arg(long, value_name = "N", default_value = "10")]
    pub minutes: NonZeroU32,
    /// How long, in seconds
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    pub seconds: Option<NonZeroU32>,
    /// What is soaked: it has to run WSGI applications.
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// As what it is started
    #[arg(long, value_name = "MODE", default_value = "group")]
    pub mode: SoakMode,
    /// Processes of a group: LSAPI_CHILDREN
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub children: u32,
    /// Requests after which each of these is replaced: LSAPI_MAX_REQS
    #[arg(long, value_name = "N", default_value = "200")]
    pub max_requests: NonZeroU32,
    /// Clients at the same time [default: twice as many as processes, and one for a worker]
    #[arg(long, value_name = "N")]
    pub clients: Option<NonZeroUsize>,
    /// Write all figures and samples to this file as JSON; `-` is standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The folder of scenarios, beside which the subjects are [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// As what a subject is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SoakMode {
    /// A process group on a listening socket: LSAPI_CHILDREN is set
    Group,
    /// One process on a listening socket, which is never replaced
    Worker,
}
