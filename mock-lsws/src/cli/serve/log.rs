//! What a server says while it serves: the lines of its log, and transcripts. All of it goes to standard error.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use mock_lsws::{Detail, Level, Note, RequestRecord, ServerLog};

use super::super::output;

const HEADING: Style = Style::new().bold();
const TIME: Style = Style::new().dimmed();

/// A log that prints every line from `least` on, with the time of day (UTC).
pub(super) fn server_log(least: Level) -> ServerLog {
    ServerLog::new(move |note| {
        if note.level >= least {
            output::stderr(line(note));
        }
    })
}

fn line(note: &Note) -> String {
    let style = match note.level {
        Level::Error => AnsiColor::Red.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Notice | Level::Info => Style::new(),
    };
    let time = Timestamp::now().strftime("%H:%M:%S%.3f");
    format!("{TIME}{time}{TIME:#} {style}{note}{style:#}")
}

/// Prints what passed between server and applications for one request, in one piece: others are served at the same time.
pub(super) fn transcript(record: &RequestRecord, detail: Detail) {
    let mut text = String::new();
    let request = String::from_utf8_lossy(&record.request_line);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{HEADING}{} from {}: status {}, {:.3} ms{HEADING:#}",
        request.escape_debug(),
        record.client,
        record.status,
        record.time_taken.as_secs_f64() * 1000.0
    );
    for transcript in record.exchanges.iter().filter_map(|exchange| exchange.transcript.as_ref()) {
        for entry in transcript.entries() {
            let _ = write!(text, "\n{}", output::entry_text(&entry, detail));
        }
    }
    output::stderr(text);
}
