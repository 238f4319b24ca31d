//! A site in one of the frameworks, started.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lsapi::RequestBuilder;
use serde_json::Value;

use crate::packages;
use crate::support::{Connection, Response, Start, Worker};

/// The frameworks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framework {
    Flask,
    Django,
}

/// Both of them.
pub(crate) const BOTH: [Framework; 2] = [Framework::Flask, Framework::Django];

/// The virtual environment of the sites, made with the interpreter lswsgi is linked to.
pub(crate) fn venv() -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frameworks/requirements.txt");
    packages::venv(Path::new(env!("CARGO_TARGET_TMPDIR")), env!("LSWSGI_PYTHON"), &requirements)
}

/// A site that runs, and a connection to it.
pub(crate) struct Site {
    pub(crate) worker: Worker,
    pub(crate) connection: Connection,
}

impl Site {
    /// Starts it, with one connection to it.
    pub(crate) fn start(framework: Framework) -> Self {
        let (worker, connection) = Self::prepare(framework).connected();
        Self { worker, connection }
    }

    /// The site, to be started. Flask's is told of its virtual environment, Django's has it beside it.
    pub(crate) fn prepare(framework: Framework) -> Start {
        let venv = venv();
        let source = match framework {
            Framework::Flask => include_str!("sites/flask_site.py"),
            Framework::Django => include_str!("sites/django_site.py"),
        };
        let mut start = Start::application(source);
        let folder = start.dir().to_owned();
        std::fs::write(folder.join("content.py"), include_str!("sites/content.py"))
            .expect("the folder is ours");
        start = match framework {
            Framework::Flask => start.arg("--venv").arg(venv.to_str().expect("a path in UTF-8")),
            Framework::Django => {
                symlink(venv, folder.join("venv")).expect("the folder is ours");
                start
            }
        };
        // Large uploads go to files.
        start.env("TMPDIR", folder.to_str().expect("a path in UTF-8"))
    }

    /// Sends a request and reads its response.
    pub(crate) fn ask(&mut self, request: &RequestBuilder) -> Response {
        self.connection.send(&request.encode());
        self.connection.response()
    }

    /// Gets a page that is JSON.
    pub(crate) fn json(&mut self, request: &RequestBuilder) -> Value {
        let response = self.ask(request);
        let told = || format!("{} {:?}: {}", response.status, response.text(), self.worker.log());
        assert_eq!(response.status, 200, "{}", told());
        serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}: {}", told()))
    }

    /// Ends the connection and with it the process. Returns everything it said.
    pub(crate) fn end(self) -> String {
        let Self { mut worker, connection } = self;
        drop(connection);
        assert_eq!(worker.wait().code(), Some(0), "{}", worker.log());
        worker.log()
    }
}
