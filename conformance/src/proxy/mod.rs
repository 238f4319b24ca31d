//! A liar to test the judge with: stands between server and application and damages responses.
//!
//! It takes descriptor 0 as the application would, starts the application on a descriptor of its own, and passes
//! everything on; one kind of packet on its way back is damaged. A run against an application behind it has to fail.

mod damage;
mod relay;

pub use damage::Damage;
pub use relay::{ProxyError, run};
