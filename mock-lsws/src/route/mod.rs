//! Which part of the configuration a request falls under, and what that makes of it.
//!
//! Owns the order in which contexts, script aliases and the document root are asked, and what may be reached in a folder. The
//! packet for an application is the request's; sending a file or a page is the front's.
//!
//! Symbolic links are followed, as the real server does unless it is told otherwise: whoever can make one below a folder
//! that is served can put a file there as well.

mod alias;
mod auth;
mod place;
mod resolve;
mod router;

pub(crate) use router::{Route, Router};
