//! Which cases: what `run`, `list` and `explain` have in common.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mock_lsws::scenario::Class;

use crate::filter::Shard;

/// Which cases.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which cases")]
pub struct SelectArgs {
    /// IDs, folders of IDs or globs such as 'wire/*'; all cases without any. `id` stands for all its `id[k=v]`
    #[arg(value_name = "ID")]
    pub patterns: Vec<String>,
    /// Classes of cases to include; a case named by its ID runs whatever its class
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',', default_value = "must,should")]
    pub classes: Vec<ClassArg>,
    /// Only cases with this tag, or one of several
    #[arg(long = "tag", value_name = "TAG", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Only cases that test this clause, such as W17 or 'lsapi 1.7'; repeat it for several
    #[arg(long = "spec", value_name = "CLAUSE")]
    pub clauses: Vec<String>,
    /// Not these: an ID, folder or glob; repeat it for several
    #[arg(long = "exclude", value_name = "ID")]
    pub excluded: Vec<String>,
    /// Only this part of them, such as 2/3: every third case, from the second on
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// The folder of scenarios [default: `scenarios` of the checkout]
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// A class on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassArg {
    /// A real server depends on it
    Must,
    /// Robustness that every application owes
    Should,
    /// Behaviour of the reference library
    Detail,
}

impl From<ClassArg> for Class {
    fn from(class: ClassArg) -> Self {
        match class {
            ClassArg::Must => Self::Must,
            ClassArg::Should => Self::Should,
            ClassArg::Detail => Self::Detail,
        }
    }
}
