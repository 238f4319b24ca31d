//! Configuration files: TOML with the names of the real server.
//!
//! Owns reading them and placing what is wrong. What makes a configuration unusable is not decided here but where every
//! configuration is checked; this module adds the lines.

pub(super) mod account;
mod app;
mod context;
pub(super) mod keys;
mod read;
pub(super) mod section;
#[cfg(test)]
mod tests;
