//! Tests of the lswsgi program from outside: started as the server starts it, spoken to in LSAPI.

mod application;
mod check;
mod children;
mod command_line;
mod connections;
mod core_dump;
mod errors;
mod failing;
mod file_wrapper;
mod forking;
mod full_log;
mod hostile;
mod large;
mod leaving;
mod loading;
mod log;
mod packets;
mod ping;
mod readme;
mod reload;
mod request;
mod signals;
mod support;
mod title;
mod validator;
mod watchdog;
