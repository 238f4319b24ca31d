//! Exit codes of the program `mock-lsws`. They are an interface: scripts depend on them.

/// A response came and was delivered whole; `serve` was stopped.
pub const OK: u8 = 0;

/// With `--fail`: a response came, and its status is 400 or above.
pub const HTTP_ERROR: u8 = 1;

/// The command line is wrong.
pub const USAGE: u8 = 2;

/// The application could not be started.
pub const NOT_STARTED: u8 = 3;

/// No connection: the address refused it or is not there. `serve`: its address cannot be listened on.
pub const NOT_CONNECTED: u8 = 4;

/// The application broke the protocol: what it sent is no packet, or not in a permitted order. A server would have
/// answered with an error.
pub const PROTOCOL: u8 = 5;

/// The application closed or reset the connection before the response was complete.
pub const CUT_OFF: u8 = 6;

/// The response was not complete in time.
pub const TIMEOUT: u8 = 7;

/// A file named on the command line could not be read or written, or the output could not be written.
pub const FILES: u8 = 8;

/// The hidden `spawner` subcommand could not work.
pub const SPAWNER: u8 = 9;

/// A configuration file has mistakes.
pub const CONFIG: u8 = 10;

/// Ctrl-C, as shells report it.
pub const INTERRUPTED: u8 = 130;
