//! The mock server, driven through its public edge: as a library and as a program.

#![forbid(unsafe_code)]

mod connection;
mod long_responses;
mod requests;
mod responses;
mod run;
mod serve;
mod served;
mod spawner;
mod spawning;
mod support;
mod transcript;
