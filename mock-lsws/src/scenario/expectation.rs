//! What a whole response has to be.

use serde::Deserialize;

use super::matcher::Matcher;
use super::one_or_many::OneOrMany;
use super::pairs::Pairs;
use super::time::Time;

/// Conditions on one response; what is not mentioned is free. That its packets are well formed and in order is checked
/// without being mentioned.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseExpectation {
    /// The status field, or the values it may have.
    pub status: OneOrMany<i32>,
    /// Header lines that must be there; the value of the first of that name is compared.
    pub headers: Pairs<Matcher>,
    /// Header lines that must not be there.
    pub no_headers: OneOrMany<String>,
    /// The body.
    pub body: Option<Matcher>,
    /// How the request has to be acknowledged.
    pub ack: Option<Ack>,
    /// Whether the response announces that the connection closes.
    pub conn_close: ConnCloseRule,
    /// Number of RESP_STREAM packets.
    pub stream_packets: Option<usize>,
    /// How long the whole response may take, counted from the start of the step.
    pub within: Option<Time>,
    /// Text that STDERR_STREAM packets bring.
    pub stderr: Option<Matcher>,
}

/// How an application says that it has received a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ack {
    /// REQ_RECEIVED.
    ReqReceived,
    /// The PID notice.
    PidNotice,
    /// Either; what every request has to get unless an earlier step has read it.
    Either,
    /// Nothing.
    Nothing,
}

/// Whether CONN_CLOSE belongs to the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnCloseRule {
    /// It must not be there: the connection is to stay open.
    #[default]
    Absent,
    /// It must be there.
    Present,
    /// It may be there.
    Allowed,
}
