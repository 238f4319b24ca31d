//! Standing between server and application: a liar to test the judge with, and the way to an application that runs
//! already.
//!
//! It takes descriptor 0 as the application would, starts the application on a descriptor of its own or connects to where
//! it listens, and passes everything on; requests may be changed on their way there, and one kind of packet damaged on its way
//! back. A run against an application behind a proxy that does so has to fail.

mod damage;
mod relay;
mod serve;
mod tampering;

pub use damage::Damage;
pub use serve::{ProxyError, Upstream, run};
pub use tampering::{Replace, Tampering};
