//! The embedded interpreter, and everything an application can touch. All of pyo3 is here.
//!
//! * [`embed`] starts CPython, `leave` ends its time, [`load`] imports the application;
//! * `fork` forks workers from the process that has done both;
//! * [`host`] takes one request from environ to RESP_END;
//! * `body` sends what it returns;
//! * [`scripts`] are applications that requests name, and `imports` knows which files either has imported;
//! * `environ`, `names` and `text` build the WSGI environment without building any string twice;
//! * `request` and `head` are `start_response` and `write`, and what they let through;
//! * `input` is `wsgi.input`, and `errors` is `wsgi.errors` where it goes to the server;
//! * `file_wrapper` is `wsgi.file_wrapper`;
//! * [`inspect`] asks the interpreter about itself and about threads;
//! * `signals` keeps handlers of the application's off the signals the runtime needs;
//! * `stacks` tells what all threads are doing, without the interpreter lock;
//! * `failure` says what is logged and answered when the application fails, `traceback` what is printed of an exception.

#![expect(unsafe_code, reason = "CPython's C interface; one of the two places that may hold it")]

mod body;
pub mod embed;
mod environ;
mod errors;
mod failure;
mod file_wrapper;
pub(crate) mod fork;
mod head;
pub mod host;
pub(crate) mod imports;
mod input;
pub mod inspect;
pub(crate) mod leave;
pub mod load;
mod names;
mod request;
pub mod scripts;
mod signals;
pub(crate) mod stacks;
mod text;
mod traceback;
