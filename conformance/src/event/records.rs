//! Transcripts as reports have them.

use mock_lsws::{Entry, EntryRecord};

/// Bytes of one transcript entry that go into a report.
const MOST_BYTES: usize = 64 << 10;

/// `entries` as reports have them.
pub(crate) fn records(entries: &[Entry]) -> Vec<EntryRecord> {
    let record = |entry| {
        let mut record = EntryRecord::from(entry);
        record.bytes.truncate(2 * MOST_BYTES);
        record
    };
    entries.iter().map(record).collect()
}
