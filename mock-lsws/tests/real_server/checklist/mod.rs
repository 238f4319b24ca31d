//! What is known of the real server (lsapi 4), point by point, where no record in one of the tables is the test already.
//!
//! | point | what | test |
//! |---|---|---|
//! | 5 | environment of applications | `environment` |
//! | 6, 7 | layout of BEGIN_REQUEST, stale length | `captures` (07 for the stale length) |
//! | 8 | which variables, in which order | `captures`; `requests` (HTTPS) |
//! | 9 | over-read PATH_INFO | `captures`: 35, 41 |
//! | 10 | SCRIPT_NAME and PATH_INFO of the mappings | `requests`; `captures`: 01, 30, 31, 42, 70, 71 |
//! | 11 | odd headers, many headers, big headers | `requests`; `captures`: 10, 11 |
//! | 12 | body | `requests`; `flow` (busy application); `captures`: 03, 04, 37, 65 |
//! | 13 | body lengths | `requests`; `captures`: 06, 07 |
//! | 14 | pool and queue | `pool` |
//! | 15, 16, 17 | packets | `packets`; `misbehaviour` |
//! | 18, 19, 20, 21 | headers of responses | `headers`; `misbehaviour` |
//! | 22, 23, 24 | ends of connections, sends, lower limits | `ends`; `processes` (restart); `misbehaviour` |
//! | 25, 26, 27 | time limits, clients that leave, standard error | `waits`; `captures`: 50, 52, 53, 62 |
//! | 28, 31 | back-pressure, idle connections | `flow` |
//! | 29, 30, 32 | processes | `processes` |

mod ends;
mod environment;
mod flow;
mod headers;
mod packets;
mod pool;
mod processes;
mod requests;
mod stage;
mod waits;
