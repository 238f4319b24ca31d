//! All reports of a run: where they go, and handing the events to each.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{HtmlReport, JsonLines, JsonReport, JunitReport, MarkdownReport, TapReport, TextReport};
use crate::event::Event;

/// Something that writes down a run while it happens.
pub trait Report {
    /// Takes in what happened and writes what is complete by now.
    ///
    /// # Errors
    /// When it cannot be written.
    fn event(&mut self, event: &Event) -> io::Result<()>;
}

/// What a report looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One event a line.
    JsonLines,
    /// One document.
    Json,
    /// One document of JUnit XML.
    Junit,
    /// The Test Anything Protocol, version 14.
    Tap,
    /// For the page of a CI job.
    Markdown,
    /// One page for a browser.
    Html,
    /// For people.
    Text,
}

impl Format {
    const ALL: [(&'static str, Self); 7] = [
        ("jsonl", Self::JsonLines),
        ("json", Self::Json),
        ("junit", Self::Junit),
        ("tap", Self::Tap),
        ("markdown", Self::Markdown),
        ("html", Self::Html),
        ("text", Self::Text),
    ];
}

/// A report that is asked for: `FORMAT=FILE`, with `-` for standard output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportTarget {
    /// What it looks like.
    pub format: Format,
    /// Where it goes; `None` is standard output.
    pub file: Option<PathBuf>,
}

impl FromStr for ReportTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Format::ALL.map(|(name, _)| name).join(", ");
        let (name, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or_else(|| format!("write FORMAT=FILE, as in junit=report.xml; formats are {names}"))?;
        let (_, format) = Format::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| format!("there is no format `{name}`; formats are {names}"))?;
        Ok(Self { format, file: (file != "-").then(|| PathBuf::from(file)) })
    }
}

/// What standard output is called in messages.
const STDOUT: &str = "standard output";

/// A file that a report cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error("the report {path} cannot be written", path = .path.display())]
pub struct ReportError {
    /// The file, or `standard output`.
    pub(crate) path: PathBuf,
    /// Why.
    pub(crate) source: io::Error,
}

/// One report and where it goes.
struct Sink {
    name: PathBuf,
    report: Box<dyn Report + Send>,
}

/// The reports of a run.
pub struct Reports {
    sinks: Vec<Sink>,
    failed: Option<ReportError>,
}

impl Reports {
    /// Looks whether the files of `targets` can be written, without touching them: a run takes long, and an empty report is
    /// worse than none.
    ///
    /// # Errors
    /// When a file cannot be written or is named twice.
    pub fn check(targets: &[ReportTarget]) -> Result<(), ReportError> {
        for (index, target) in targets.iter().enumerate() {
            let path = target.file.clone().unwrap_or_else(|| STDOUT.into());
            let wrong = |source| ReportError { path: path.clone(), source };
            if targets.iter().skip(index + 1).any(|other| other.file == target.file) {
                return Err(wrong(io::Error::other("two reports would be written to it")));
            }
            if let Some(file) = &target.file {
                can_be_written(file).map_err(wrong)?;
            }
        }
        Ok(())
    }

    /// Opens the files of `targets`. Unless one of them is standard output, the text report goes there.
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn open(targets: &[ReportTarget], verbosity: u8) -> Result<Self, ReportError> {
        let mut sinks = Vec::new();
        if targets.iter().all(|target| target.file.is_some()) {
            sinks.push(to_stdout(Format::Text, verbosity));
        }
        for target in targets {
            sinks.push(match &target.file {
                None => to_stdout(target.format, verbosity),
                Some(path) => {
                    let file =
                        File::create(path).map_err(|source| ReportError { path: path.clone(), source })?;
                    let out: Box<dyn Write + Send> = Box::new(BufWriter::new(file));
                    let out = anstream::StripStream::new(out);
                    Sink { name: path.clone(), report: report(target.format, out, verbosity) }
                }
            });
        }
        Ok(Self { sinks, failed: None })
    }

    /// Hands `event` to every report. One that cannot be written any more is left out from then on.
    pub fn event(&mut self, event: &Event) {
        let failed = &mut self.failed;
        self.sinks.retain_mut(|sink| match sink.report.event(event) {
            Ok(()) => true,
            // Whoever reads has seen enough; the exit code still has to tell the verdict.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
            Err(source) => {
                failed.get_or_insert(ReportError { path: sink.name.clone(), source });
                false
            }
        });
    }

    /// Ends the reports.
    ///
    /// # Errors
    /// The first that could not be written whole.
    pub fn finish(self) -> Result<(), ReportError> {
        self.failed.map_or(Ok(()), Err)
    }
}

fn to_stdout(format: Format, verbosity: u8) -> Sink {
    let report = match format {
        // A line at a time, with colours where they belong.
        Format::Text => report(format, anstream::stdout(), verbosity),
        _ => report(format, BufWriter::new(io::stdout()), verbosity),
    };
    Sink { name: STDOUT.into(), report }
}

fn report(format: Format, out: impl Write + Send + 'static, verbosity: u8) -> Box<dyn Report + Send> {
    match format {
        Format::JsonLines => Box::new(JsonLines::new(out)),
        Format::Json => Box::new(JsonReport::new(out)),
        Format::Junit => Box::new(JunitReport::new(out)),
        Format::Tap => Box::new(TapReport::new(out)),
        Format::Markdown => Box::new(MarkdownReport::new(out)),
        Format::Html => Box::new(HtmlReport::new(out)),
        Format::Text => Box::new(TextReport::new(out, verbosity)),
    }
}

/// Whether the file `path` can be written, as far as that shows without making or changing it.
///
/// # Errors
/// Why it cannot.
pub(crate) fn can_be_written(path: &Path) -> io::Result<()> {
    match File::options().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            folder.unwrap_or(Path::new(".")).read_dir().map(drop)
        }
        opened => opened.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_a_format_and_a_file() {
        let target: ReportTarget = "junit=a=b.xml".parse().unwrap();
        assert_eq!(target, ReportTarget { format: Format::Junit, file: Some("a=b.xml".into()) });
        assert_eq!("text=-".parse::<ReportTarget>().unwrap().file, None);
        for (wrong, words) in
            [("junit", "FORMAT=FILE"), ("junit=", "FORMAT=FILE"), ("xml=a", "no format `xml`")]
        {
            let message = wrong.parse::<ReportTarget>().unwrap_err();
            assert!(message.contains(words) && message.contains("jsonl"), "{message}");
        }
    }
}
