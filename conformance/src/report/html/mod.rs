//! The run as one HTML page that needs nothing else: no network, no second file, and no script to be read.
//!
//! A script adds the filter; styles follow the reader's light or dark setting, and paper. The page's own policy lets nothing
//! in: what the subject said is text, and would stay text if it were not escaped.

mod case;
mod escape;
mod report;
mod transcript;

pub use report::HtmlReport;
