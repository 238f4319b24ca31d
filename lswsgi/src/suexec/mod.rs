//! suEXEC: a daemon of root's whose processes run as whom the server names (lsapi 3).
//!
//! The server signs with a secret both know which user a request belongs to. The daemon never reads a byte of a request: it
//! accepts, and forks a process for each connection. That one reads the first request, checks the signature, becomes the user,
//! and only then starts Python. It serves its connection, and ends with it.
//!
//! Nothing is shared with those processes but the connection: their users may run any code in them. So there is no board, no
//! channel and no template as in a [`group`](crate::group).
//!
//! * `daemon`: accepts, forks, reaps, stops;
//! * `worker`: the process of a connection, until it is a user's;
//! * `credentials`: the signature of a request;
//! * `secret`: the secret, and the file it is in;
//! * `identity`: users and groups, and becoming one for good.

mod credentials;
mod daemon;
mod identity;
mod secret;
mod worker;

pub(crate) use daemon::{run, secret_file};
pub(crate) use secret::Unfit;
