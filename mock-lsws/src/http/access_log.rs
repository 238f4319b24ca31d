//! One line for each request, in the combined format with two fields of our own.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::record::RequestRecord;

/// Where the access log goes. Cheap to clone.
///
/// A line is that of the combined format, then the time taken in microseconds, and how often an application was sent
/// the request:
///
/// ```text
/// 127.0.0.1 - bob [22/Nov/2026:05:18:20 +0000] "GET /a HTTP/1.1" 200 826 "-" "curl/8.14.1" 1240 1
/// ```
#[derive(Clone, Default)]
pub struct AccessLog(Option<Arc<Mutex<dyn Write + Send>>>);

impl AccessLog {
    /// Nowhere.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// To this file, which is made if it is not there, at its end.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::writer(OpenOptions::new().append(true).create(true).open(path)?))
    }

    /// To standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::writer(io::stdout())
    }

    /// To this writer: it gets each line whole, in one call.
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self(Some(Arc::new(Mutex::new(writer))))
    }

    pub(super) fn write(&self, record: &RequestRecord) {
        let Some(writer) = &self.0 else { return };
        let line = line(record);
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A log nobody can write to any more must not end the server.
        let _ = writer.write_all(&line).and_then(|()| writer.flush());
    }
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "AccessLog" } else { "AccessLog(none)" })
    }
}

fn line(record: &RequestRecord) -> Vec<u8> {
    let mut line = Vec::with_capacity(160);
    line.extend(record.client.ip().to_canonical().to_string().bytes());
    line.extend(b" - ");
    match &record.user {
        Some(user) if !user.is_empty() => escape(user, &mut line),
        _ => line.push(b'-'),
    }
    line.extend(format!(" [{}] ", time(record)).bytes());
    quote(Some(&record.request_line), &mut line);
    line.extend(format!(" {} {} ", record.status, record.body_bytes).bytes());
    quote(record.referer.as_deref(), &mut line);
    line.push(b' ');
    quote(record.user_agent.as_deref(), &mut line);
    line.extend(format!(" {} {}\n", record.time_taken.as_micros(), record.sends()).bytes());
    line
}

fn time(record: &RequestRecord) -> String {
    let since = record.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0);
    Timestamp::from_second(seconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::UTC)
        .strftime("%d/%b/%Y:%H:%M:%S +0000")
        .to_string()
}

fn quote(value: Option<&[u8]>, line: &mut Vec<u8>) {
    line.push(b'"');
    match value {
        Some(value) if !value.is_empty() => escape(value, line),
        _ => line.push(b'-'),
    }
    line.push(b'"');
}

/// What a client sends must not look like another line or another field.
fn escape(value: &[u8], line: &mut Vec<u8>) {
    for &byte in value {
        match byte {
            b'"' | b'\\' => line.extend([b'\\', byte]),
            b' '..=b'~' => line.push(byte),
            _ => line.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
}
