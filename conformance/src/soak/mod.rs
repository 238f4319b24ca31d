//! Traffic for minutes or hours, and what it does to the processes of a subject.
//!
//! A soak runs one application of its own, `app.wsgi`, so the subject has to run WSGI applications. [`run`] starts it and
//! keeps it running; `traffic` is what it is sent, `sample` what is seen of its processes, `verdict` which growth is too
//! much, `report` what people and programs read. Single conversations are left to the scenarios.

mod error;
mod report;
mod run;
mod sample;
mod traffic;
mod verdict;

pub use error::SoakError;
pub use run::{Soak, run};
