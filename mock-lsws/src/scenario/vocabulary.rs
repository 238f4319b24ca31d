//! All keys of a scenario file in one table: what editors and people are told. That it is the one the reader has is
//! proved by a test, which asks every type that is read for its keys and words.

use super::vocabulary::Kind::{
    AnyOf, Bool, Duration, Free, ListOf, MapOf, Name, Number, OneOrMany, PairsOf, Ref, Text, Words,
};

/// What can stand for a key.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A text with `{names}` in it, or a number taken as one.
    Text,
    /// A text without a meaning of its own: a name, a title.
    Name,
    /// A whole number.
    Number,
    /// `"1.5s"`.
    Duration,
    /// True or false.
    Bool,
    /// One of these words.
    Words(&'static [&'static str]),
    /// What the definition of this name says.
    Ref(&'static str),
    /// A list of these.
    ListOf(&'static Self),
    /// One of these, or a list of them that is not empty.
    OneOrMany(&'static Self),
    /// Any names with such values.
    MapOf(&'static Self),
    /// Any names with such values, as a table or as a list of pairs.
    PairsOf(&'static Self),
    /// Any of these.
    AnyOf(&'static [Self]),
    /// Anything.
    Free,
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What can stand for it.
    pub kind: Kind,
    /// Whether it has to be there.
    pub is_required: bool,
    /// What it means, in one line.
    pub doc: &'static str,
}

/// A part of the language with a name.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name in the schema.
    pub name: &'static str,
    /// What it is.
    pub form: Form,
}

/// What a [`Definition`] is.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A table with these keys and no others.
    Table(&'static [Key]),
    /// Any of these.
    AnyOf(&'static [Kind]),
}

const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, is_required: false, doc }
}

const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, is_required: true, doc }
}

const fn table(name: &'static str, keys: &'static [Key]) -> Definition {
    Definition { name, form: Form::Table(keys) }
}

const fn any_of(name: &'static str, kinds: &'static [Kind]) -> Definition {
    Definition { name, form: Form::AnyOf(kinds) }
}

const OUTCOME: Kind = Words(&["answered", "closed", "refused"]);

/// The whole language; a file is a `scenario`.
pub const DEFINITIONS: &[Definition] = &[
    table(
        "scenario",
        &[
            required("title", Name, "what has to be true, in one sentence"),
            required("class", Words(&["must", "should", "detail"]), "how much it matters"),
            required("spec", ListOf(&Name), "the checks and clauses it tests, one an element"),
            required("why", Name, "why anybody should care; shown when it fails"),
            key("tags", ListOf(&Name), "words to select cases by"),
            key(
                "needs",
                ListOf(&Words(&[
                    "group",
                    "accept-notify",
                    "busy-limit",
                    "early-end",
                    "threads",
                    "wsgi",
                    "lswsgi-options",
                    "scripts",
                    "preload",
                    "suexec",
                ])),
                "what the application has to be able to do; else the case is skipped",
            ),
            key("may_log", ListOf(&Ref("matcher")), "lines on stderr that are no sign of trouble"),
            key("logs", ListOf(&Ref("log_count")), "lines that stderr has when everything has ended"),
            key("timeout", Duration, "how long the case may take"),
            key("vars", MapOf(&Free), "names with a value each, for `{name}`"),
            key(
                "matrix",
                MapOf(&AnyOf(&[ListOf(&Free), MapOf(&Free)])),
                "names with several values; each combination is a case",
            ),
            required("start", Ref("start"), "how the application is started"),
            required("step", ListOf(&Ref("step")), "what happens then, in this order"),
        ],
    ),
    table(
        "start",
        &[
            required(
                "mode",
                Words(&["worker", "listen", "bind", "null", "pipe", "closed", "unconnected"]),
                "what descriptor 0 is: a connection, a listening socket, nothing of use",
            ),
            key("socket", Words(&["unix", "tcp"]), "what kind of socket, if it listens"),
            key("address", Text, "where an application listens that makes its socket itself"),
            key("role", Name, "which of the subject's applications runs; this or `wsgi`"),
            key("wsgi", Name, "a WSGI application in Python, the file `app.py` of a folder for the case"),
            key("files", MapOf(&Name), "further files of that folder, by path"),
            key("args", ListOf(&Text), "words behind the command, for what needs `lswsgi-options`"),
            key("env", PairsOf(&Text), "environment of the process"),
            key("core_limit", Words(&["highest", "soft_zero"]), "the limit on core files it is started with"),
            key(
                "secret",
                Name,
                "it is root's, and has a suEXEC secret in a file with this mode, such as `0600`",
            ),
        ],
    ),
    table(
        "step",
        &[
            key("note", Name, "what the step shows"),
            key("repeat", Number, "how often it is done"),
            key("clients", Number, "how many do it at the same time, each on a new connection"),
            key(
                "for",
                Duration,
                "for how long they do it, again and again; on a new connection when theirs has ended",
            ),
            key(
                "give_up",
                Duration,
                "with `for`: how long they wait for an answer, which need not come; without it each request is answered",
            ),
            key("distinct", MapOf(&Ref("range")), "how many different values they capture, by name"),
            key("on", Name, "the connection it is about, `main` without it"),
            key("request", Ref("request"), "sends a request"),
            key("send", Ref("bytes"), "sends bytes as they are"),
            key("split", OneOrMany(&Number), "offsets at which a new write begins"),
            key("drip", Number, "bytes a write"),
            key("gap", Duration, "time between two writes"),
            key("damage", OneOrMany(&Ref("damage")), "what happens to the bytes before they are sent"),
            key("generate", Ref("generate"), "does the step again and again, each time a little differently"),
            key("expect", OneOrMany(&Ref("response")), "a whole response that is any of these"),
            key("expect_packets", ListOf(&Ref("packet")), "packets one by one"),
            key("expect_outcome", Ref("outcome"), "how it ends, whatever is said"),
            key("expect_eof", Ref("eof"), "the application closes the connection"),
            key("expect_no_bytes", Ref("silence"), "nothing arrives"),
            key("expect_exit", Ref("exit"), "the process ends"),
            key("expect_process", Ref("process"), "what the process is"),
            key("connect", Name, "opens this connection"),
            key("close", Name, "closes this connection"),
            key("half_close", Name, "closes the direction towards the application"),
            key("reset", Name, "closes this connection with a reset"),
            key(
                "faults",
                ListOf(&Text),
                "what happens to bytes on connections opened from here on, such as `app:latency=20ms`; none: nothing",
            ),
            key("signal", Ref("signal"), "sends a signal"),
            key("wait_log", Ref("log"), "waits for a line on the application's stderr"),
            key("write_files", MapOf(&Name), "writes files of the application's folder, by path"),
            key("start_again", Bool, "starts the application, which has ended, once more"),
            key("pause", Duration, "lets time pass"),
            key("parallel", ListOf(&Ref("row")), "rows of steps that run at the same time"),
        ],
    ),
    table("row", &[required("step", ListOf(&Ref("step")), "the steps of this row, in their order")]),
    table(
        "request",
        &[
            key("method", Text, "GET without it"),
            key("path", Text, "with an optional query; `/` without it"),
            key("headers", PairsOf(&Ref("bytes")), "request headers"),
            key("env", PairsOf(&Ref("bytes")), "variables, after the usual ones"),
            key("without_env", ListOf(&Name), "usual variables that are to be missing"),
            key(
                "special_env",
                PairsOf(&Ref("bytes")),
                "special variables; their names start with a control byte",
            ),
            key("suexec", Ref("suexec"), "whom it asks to run as"),
            key("body", Ref("bytes"), "the body; its length is announced"),
            key("body_length", Number, "a length to announce for a body that later steps send"),
            key("more_headers", Number, "this many headers `X-1: 1`, `X-2: 2` and so on"),
            key("env_entries", Number, "short variables, until there are this many"),
            key("pad_to", Number, "the length of the packet in bytes"),
            key("recording", Name, "a recorded request to send instead"),
            key("byte_order", Words(&["native", "opposite"]), "of the packet's integers"),
            key("raw", Ref("raw"), "single fields of the packet, right or wrong"),
        ],
    ),
    table(
        "suexec",
        &[
            required("uid", Number, "the user"),
            required("gid", Number, "the group"),
            key(
                "signature",
                Words(&["good", "wrong", "missing"]),
                "by which it says that it may; good without it",
            ),
        ],
    ),
    table(
        "raw",
        &[
            key("magic", Ref("bytes"), "the first two bytes"),
            key("type", Number, "the packet type"),
            key("flag", Number, "the flag byte"),
            key("flag_bits", Number, "bits set beside the one that has a meaning"),
            key("packet_len", Number, "the packet length"),
            key("packet_len_off_by", Number, "added to the right packet length"),
            key("http_header_len", Number, "httpHeaderLen"),
            key("req_body_len", Number, "reqBodyLen"),
            key("script_file_off", Number, "scriptFileOff"),
            key("script_name_off", Number, "scriptNameOff"),
            key("query_string_off", Number, "queryStringOff"),
            key("request_method_off", Number, "requestMethodOff"),
            key("cnt_unknown_headers", Number, "cntUnknownHeaders"),
            key("cnt_env", Number, "cntEnv"),
            key("cnt_special_env", Number, "cntSpecialEnv"),
            key("special_env_terminator", Ref("bytes"), "what ends the special variables"),
            key("env_terminator", Ref("bytes"), "what ends the variables"),
            key("padding", Ref("bytes"), "the bytes before the header index"),
            key("padding_byte", Number, "what padding of the right length consists of"),
            key("known_hole", Ref("bytes"), "the two bytes between lengths and offsets of known headers"),
            key("known", PairsOf(&Ref("known_header")), "entries of known headers, by name"),
            key("env", PairsOf(&Ref("variable")), "lengths of variables, by name"),
            key("special_env", PairsOf(&Ref("variable")), "lengths of special variables, by name"),
            key("unknown", PairsOf(&Ref("unknown_header")), "entries of other headers, by name"),
            key("block_cut", Number, "bytes taken off the end of the header block"),
        ],
    ),
    table("known_header", &[key("len", Number, "its length"), key("off", Number, "its offset")]),
    table(
        "variable",
        &[
            key("key_len", Number, "the length of its name"),
            key("value_len", Number, "the length of its value"),
        ],
    ),
    table(
        "unknown_header",
        &[
            key("name_off", Number, "the offset of its name"),
            key("name_len", Number, "the length of its name"),
            key("value_off", Number, "the offset of its value"),
            key("value_len", Number, "the length of its value"),
        ],
    ),
    any_of("bytes", &[Text, Ref("bytes_table"), ListOf(&Ref("bytes"))]),
    table(
        "bytes_table",
        &[
            key("text", Text, "a text"),
            key("hex", Name, "hexadecimal; blanks between bytes are allowed"),
            key("file", Name, "the content of a file, relative to the folder of all scenarios"),
            key("random", Number, "this many bytes that look random"),
            key("seed", Number, "which ones"),
            key("repeat", Number, "how many times"),
        ],
    ),
    table(
        "damage",
        &[
            key("at", Number, "the byte whose bits are flipped"),
            key("xor", Number, "which bits"),
            key("cut", Number, "how many of the first bytes are sent"),
            key("flip_bits", Number, "how many bits are flipped anywhere"),
            key("seed", Number, "which ones"),
        ],
    ),
    table(
        "generate",
        &[
            key("cut", Ref("cuts"), "in two writes, cut elsewhere each time"),
            key("drip", OneOrMany(&Number), "in writes of this many bytes, a variant for each number"),
            key("bit_flips", Number, "this many variants with flipped bits"),
            key("bits", Number, "how many bits each, 1 without it"),
            key("seed", Number, "which ones"),
        ],
    ),
    any_of("cuts", &[Words(&["every-offset"]), Ref("cuts_table")]),
    table(
        "cuts_table",
        &[
            key("from", Number, "the first offset"),
            key("to", Number, "the last offset"),
            key("every", Number, "the distance from one to the next"),
        ],
    ),
    table(
        "response",
        &[
            key("status", OneOrMany(&Number), "the status field; 0 stands for 200"),
            key(
                "headers",
                PairsOf(&Ref("matcher")),
                "header lines that are there; a name again: the next one of that name",
            ),
            key("no_headers", OneOrMany(&Name), "header lines that are not"),
            key("body", Ref("matcher"), "the body"),
            key(
                "ack",
                Words(&["req_received", "pid_notice", "either", "nothing"]),
                "how the request is acknowledged",
            ),
            key("conn_close", Words(&["absent", "present", "allowed"]), "whether CONN_CLOSE is part of it"),
            key("stream_packets", Number, "number of RESP_STREAM packets"),
            key("within", Duration, "how long it may take"),
            key("stderr", Ref("matcher"), "what STDERR_STREAM packets bring"),
        ],
    ),
    any_of("packet", &[Text, Ref("packet_table")]),
    table(
        "packet_table",
        &[
            key("packet", Name, "its name, several with `|`, and `?`, `*` or `+` behind"),
            key("any_of", ListOf(&Ref("packet")), "alternatives, each with a content of its own"),
            key("payload", Ref("matcher"), "its bytes or text"),
            key("status", OneOrMany(&Number), "the status in RESP_HEADER"),
            key("within", Duration, "how long to wait for it"),
        ],
    ),
    any_of("outcome", &[OUTCOME, ListOf(&OUTCOME), Ref("outcome_table")]),
    table(
        "outcome_table",
        &[
            required("any_of", ListOf(&OUTCOME), "the ends that are right"),
            key("within", Duration, "how long it may take"),
        ],
    ),
    table(
        "eof",
        &[
            key("within", Duration, "how long it may take"),
            key("or_reset", Bool, "whether a reset is as good"),
        ],
    ),
    table("silence", &[required("for", Duration, "how long nothing arrives")]),
    table(
        "exit",
        &[
            key("code", Number, "the exit code"),
            key("signal", Name, "the signal that ends it"),
            key("within", Duration, "the latest moment, from the start of the step"),
            key("not_before", Duration, "the earliest moment"),
        ],
    ),
    table(
        "process",
        &[
            key("pid", Text, "a captured process; the one that was started without it"),
            key("alive", Bool, "whether it runs"),
            key("below", Bool, "whether it is a descendant of the one that was started"),
            key("title", Ref("matcher"), "its command line"),
            key("name", Ref("matcher"), "its short name"),
            key("children", Ref("range"), "running processes below it"),
            key("workers", Ref("range"), "those of them that serve requests"),
            key("zombies", Ref("range"), "processes below it that ended and were not waited for"),
            key("descriptors", Ref("range"), "open descriptors"),
            key("limits", Ref("limits"), "resource limits"),
            key("within", Duration, "how long it may take until all of this holds"),
        ],
    ),
    table(
        "limits",
        &[
            key("core", Ref("limit"), "bytes of a core file"),
            key("open_files", Ref("limit"), "open descriptors"),
            key("address_space", Ref("limit"), "bytes of address space"),
            key("processes", Ref("limit"), "processes of the user"),
        ],
    ),
    table(
        "limit",
        &[key("soft", Ref("range"), "the limit in force"), key("hard", Ref("range"), "the limit of that")],
    ),
    table(
        "signal",
        &[
            required("name", Name, "such as TERM"),
            key("to", Text, "`subject`, `parent`, `all`, or a captured process"),
        ],
    ),
    table(
        "log",
        &[
            required("line", Ref("matcher"), "what the line is"),
            key("within", Duration, "how long to wait for it"),
        ],
    ),
    table(
        "log_count",
        &[
            required("line", Ref("matcher"), "what the line is"),
            key("count", Ref("range"), "how often it is there; at least once without it"),
        ],
    ),
    any_of("matcher", &[Text, Ref("matcher_table")]),
    table(
        "matcher_table",
        &[
            key("text", Text, "the exact text"),
            key("bytes", Ref("bytes"), "the exact bytes"),
            key("contains", OneOrMany(&Text), "texts that occur in it"),
            key("excludes", OneOrMany(&Text), "texts that do not"),
            key("starts_with", Text, "how it begins"),
            key("lines", OneOrMany(&Text), "whole lines in it, in any order"),
            key("no_line_starts", OneOrMany(&Text), "beginnings that no line of it has"),
            key("length", Ref("range"), "its length in bytes"),
            key("sha256", Name, "its SHA-256 in hexadecimal"),
            key("number", Ref("range"), "it is a decimal number in this range"),
        ],
    ),
    any_of("range", &[Number, Ref("range_table")]),
    table(
        "range_table",
        &[key("min", Number, "the smallest right number"), key("max", Number, "the largest right number")],
    ),
];

/// The keys of the table `name`; none if there is no such table.
#[must_use]
pub fn keys(name: &str) -> &'static [Key] {
    let definition = DEFINITIONS.iter().find(|definition| definition.name == name);
    match definition.map(|definition| definition.form) {
        Some(Form::Table(keys)) => keys,
        _ => &[],
    }
}

#[cfg(test)]
mod tests;
