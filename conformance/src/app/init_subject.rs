//! `conformance init-subject`.

use std::io::{self, Write};

use mock_lsws::scenario::Declared;

use crate::cli::InitSubjectArgs;
use crate::subject::init;
use crate::{Error, catalog, checkout};

/// Writes a subject file, or its text to standard output.
pub(super) fn run(args: &InitSubjectArgs) -> Result<(), Error> {
    // Without scenarios the file only has no list of roles.
    let root = match (checkout::scenarios(args.scenarios.as_deref()), &args.scenarios) {
        (Err(error), Some(_)) => return Err(error),
        (root, _) => root.ok(),
    };
    let probes = match &root {
        Some(root) => catalog::probes(root, &Declared::default())?,
        None => Vec::new(),
    };
    let Some(name) = &args.target else {
        return match write!(anstream::stdout(), "{}", init::template(None, &probes)) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(Error::Output),
        };
    };
    let path = checkout::subject_file(name, &root.unwrap_or_default());
    init::write(&path, &probes).map_err(|source| Error::NotWritten { path: path.clone(), source })?;
    anstream::eprintln!(
        "conformance: wrote {0}: fill in command and roles, then run `conformance run --subject {0}`",
        checkout::shown(&path).display()
    );
    Ok(())
}
