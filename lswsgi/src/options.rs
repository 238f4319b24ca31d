//! Where the operator has a choice about how requests are handled.
//!
//! Each choice has an option and, because a server's own command line names nothing but the application, a variable.

use clap::ValueEnum;

/// The choices together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Where `wsgi.errors` and tracebacks go: `--errors`, else LSWSGI_ERRORS.
    pub errors: ErrorLog,
    /// What becomes of headers with an underscore in their name: `--underscore-headers`, else LSWSGI_UNDERSCORE_HEADERS.
    pub underscore_headers: UnderscoreHeaders,
    /// What becomes of requests whose body has no known length: `--unknown-length`, else LSWSGI_UNKNOWN_LENGTH.
    pub unknown_length: UnknownLength,
    /// How a response of no declared length ends when the application fails in it: `--late-error`, else LSWSGI_LATE_ERROR.
    pub late_error: LateError,
    /// Whether error pages show the traceback: `--debug`, or LSWSGI_DEBUG set.
    pub debug: bool,
}

/// Where the errors of requests are logged. The runtime's own log and what an application prints go to standard error in
/// any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ErrorLog {
    /// Standard error, which LiteSpeed points at the application's stderr.log.
    #[default]
    Stderr,
    /// The server's own log, over the connection; standard error while no request is under way.
    Lsapi,
}

/// What becomes of a request header with an underscore in its name. In an environ it has the same key as one with a hyphen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UnderscoreHeaders {
    /// Left out: a client could pass for a proxy in front, which checks only the name with the hyphen.
    #[default]
    Drop,
    /// Kept, and joined with one that has the hyphen.
    Keep,
}

/// What becomes of a request whose body has no known length (lsapi 1.3: reqBodyLen -1). Its bytes come, and no end ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum UnknownLength {
    /// The application gets what arrives, and an error after the body timeout if it waits for the end.
    #[default]
    Accept,
    /// Answered with 411 Length Required.
    #[value(name = "411")]
    Refuse,
}

/// How a response ends in which the application fails after the first byte. One with a declared Content-Length just ends:
/// the client sees that it is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LateError {
    /// It ends, and looks complete. A server would send a request that got no end twice more.
    #[default]
    End,
    /// For GET and HEAD the connection is closed without the end: the client sees a broken response, after the server has
    /// tried the request twice more.
    Abort,
}
