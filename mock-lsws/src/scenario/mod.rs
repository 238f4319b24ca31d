//! The scenario language: what one conformance case sends to an application and what it expects back.
//!
//! A scenario is a TOML file with a closed vocabulary; unknown keys are errors that name file, line and column. This
//! module owns the model, reading it from files and comparing values with it. Running the steps, starting processes
//! and judging responses as a whole is left to whoever runs scenarios.
//!
//! A file is read in three steps: names with values from the start (`[matrix]`, `[vars]`, the subject's figures) are
//! replaced in the document, which makes one case or several of it; the names that a case captures are checked; what is
//! left is read into the model. All of them know the place of a mistake.
//!
//! Strings in a scenario are templates: `{name}` stands for a value. In what is sent it must be known already; in
//! what is expected the first use captures it and every later use has to be equal. `{{` and `}}` are the braces.

mod assemble;
mod bytes_spec;
mod capability;
mod damage;
mod declared;
mod error;
mod expand;
mod expectation;
mod files;
mod filler;
mod generate;
mod log_expectation;
mod matcher;
mod matrix;
mod model;
mod names;
mod number_range;
mod one_or_many;
mod outcome;
mod packet_pattern;
mod pairs;
mod parse;
mod process_expectation;
mod program;
mod raw_overrides;
mod request_spec;
mod schema;
mod seeded;
mod shorthand;
mod start_table;
mod step;
mod step_table;
mod suexec_spec;
mod template;
mod time;
mod vars;
pub mod vocabulary;

pub use assemble::assemble;
pub use bytes_spec::{BytesError, BytesSpec};
pub use capability::Capability;
pub use damage::Damage;
pub use declared::Declared;
pub use expectation::{Ack, ConnCloseRule, ResponseExpectation};
pub use files::Files;
pub use generate::{Cuts, Generate, Variant};
pub use log_expectation::LogExpectation;
pub use matcher::{Matcher, Mismatch};
pub use model::{Class, HandedLimit, Mode, ROLES, Scenario, SocketKind, Start};
pub use number_range::NumberRange;
pub use one_or_many::OneOrMany;
pub use outcome::{ExpectOutcome, Outcome};
pub use packet_pattern::{PacketKind, PacketPattern, Repeat};
pub use pairs::Pairs;
pub use parse::{parse_cases, parse_file, parse_text};
pub use process_expectation::{ExpectExit, ExpectProcess, LimitExpectation, ResourceName};
pub use program::{APP, Program};
pub use raw_overrides::RawOverrides;
pub use request_spec::{RequestError, RequestSpec};
pub use schema::json_schema;
pub use step::{Action, Clients, Expect, MAIN, Outgoing, Pace, Sending, SignalTarget, Step, Traffic};
pub use suexec_spec::SUEXEC_SECRET;
pub use template::{Template, TemplateError};
pub use time::Time;
pub use vars::Vars;
