//! Standing between server and application: a liar to test the judge with, and the way to an application that runs
//! already.
//!
//! It takes descriptor 0 as the application would, starts the application on a descriptor of its own or connects to where
//! it listens, and passes everything on; one kind of packet on its way back may be damaged. A run against an application
//! behind a damaging proxy has to fail.

mod damage;
mod relay;
mod serve;

pub use damage::Damage;
pub use serve::{ProxyError, Upstream, run};
