//! The exit codes of lswsgi. They are part of its interface: scripts and servers may rely on them.

/// Every voluntary exit: the connection ended, the request limit, the idle limit, a stop, the server's death.
pub const OK: u8 = 0;

/// Wrong usage: an unknown option, an argument that cannot be parsed, or a descriptor 0 that is not a socket.
pub const USAGE: u8 = 2;

/// Python could not be initialised.
pub const PYTHON: u8 = 3;

/// The address given with `--address` could not be bound.
pub const BIND: u8 = 4;

/// The application's file does not exist or cannot be read.
pub const NO_FILE: u8 = 5;

/// The application's file has no such callable.
pub const NO_CALLABLE: u8 = 6;

/// The application raised an exception while it was imported.
pub const IMPORT: u8 = 7;

/// The operating system refused something a worker cannot do without, such as waiting on its socket.
pub const SYSTEM: u8 = 8;

/// `lswsgi check`: the application can be served, and threads run after its import.
pub const THREADS: u8 = 9;

/// A request was over LSAPI_MAX_PROCESS_TIME: the process has answered for it and ended.
pub const RUNAWAY: u8 = 10;

/// `lswsgi ctl`: there is no such group: no control socket, nobody who listens on it, or it has ended.
pub const NO_GROUP: u8 = 11;

/// `lswsgi ctl`: the group refused, the socket may not be used, or the answer cannot be understood.
pub const REFUSED: u8 = 12;

/// `lswsgi ctl`: no answer in time, or a reload or stop that has not ended by then.
pub const TIMEOUT: u8 = 13;

/// `lswsgi ctl reload`: the new code cannot be used, and the old code serves on.
pub const NOT_RELOADED: u8 = 14;

/// The suEXEC daemon does not serve: its secret, its default user or descriptor 0 is not fit for it.
pub const SUEXEC: u8 = 15;

/// Interrupted from the keyboard, and once more while it was stopping: a group ends its workers at once.
pub const INTERRUPTED: u8 = 128 + 2;
