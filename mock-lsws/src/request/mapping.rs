//! How a URL comes to an application, and what that makes of its path.

use std::path::{Path, PathBuf};

use super::path::DecodedPath;

/// The part of the server's configuration a request fell under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// A Python application mounted at `prefix`: `/` or `/app/`. SCRIPT_NAME loses its last slash, and the variables about
    /// the document root are left out.
    WsgiContext {
        /// Where it is mounted; begins and ends with `/`.
        prefix: String,
    },
    /// Any LSAPI application mounted at `prefix`. SCRIPT_NAME keeps its last slash.
    LsapiContext {
        /// Where it is mounted; begins and ends with `/`.
        prefix: String,
        /// The folder of static files, for DOCUMENT_ROOT and PATH_TRANSLATED.
        document_root: PathBuf,
    },
    /// A script below the document root, handled by its suffix.
    Script {
        /// The script in URLs, for example `/x.php`.
        name: String,
        /// The folder it lies in.
        document_root: PathBuf,
    },
}

/// A path, split into the variables an application finds it in. `None` where a variable is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) script_name: Vec<u8>,
    pub(crate) path_info: Option<Vec<u8>>,
    pub(crate) script_filename: Option<Vec<u8>>,
    pub(crate) document_root: Option<Vec<u8>>,
    pub(crate) path_translated: Option<Vec<u8>>,
}

impl Split {
    /// A script with its path in URLs, and the path behind it.
    pub(crate) fn script(name: &[u8], info: &[u8], file: Vec<u8>, document_root: &Path) -> Self {
        let path_info = Some(info.to_vec()).filter(|info| !info.is_empty());
        Self {
            script_name: name.to_vec(),
            script_filename: Some(file),
            path_translated: path_info.as_ref().map(|info| join(document_root, info)),
            document_root: Some(folder(document_root)),
            path_info,
        }
    }

    /// Without what is left out in a Python context (lsapi 4.2.1).
    pub(crate) fn without_document_root(self) -> Self {
        Self { document_root: None, path_translated: None, ..self }
    }
}

impl Mapping {
    /// A Python application at `/`, the mapping when nothing else is said.
    #[must_use]
    pub fn root() -> Self {
        Self::WsgiContext { prefix: "/".into() }
    }

    /// The file below `document_root` that `path` of a URL leads to, as a script handler has it.
    #[must_use]
    pub fn script(path: &str, document_root: PathBuf) -> Self {
        let name = String::from_utf8_lossy(DecodedPath::new(path.as_bytes()).path()).into_owned();
        Self::Script { name, document_root }
    }

    /// Splits a decoded path. One that is not below the mount point is taken as if it were the part below it.
    pub(crate) fn split(&self, path: &DecodedPath, overread: bool) -> Split {
        let decoded = path;
        let path = decoded.path();
        let below = |prefix: &str| {
            let prefix = prefix.trim_end_matches('/').as_bytes();
            let rest = path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(b"/"));
            rest.unwrap_or(path).to_vec()
        };
        match self {
            Self::WsgiContext { prefix } => Split {
                script_name: prefix.trim_end_matches('/').as_bytes().to_vec(),
                path_info: Some(match below(prefix) {
                    info if overread && path.ends_with(&info) => {
                        decoded.over_read(path.len() - info.len()).to_vec()
                    }
                    info => info,
                }),
                script_filename: None,
                document_root: None,
                path_translated: None,
            },
            Self::LsapiContext { prefix, document_root } => {
                let path_info = below(prefix);
                Split {
                    script_name: format!("{}/", prefix.trim_end_matches('/')).into_bytes(),
                    script_filename: None,
                    path_translated: Some(join(document_root, &path_info)),
                    document_root: Some(folder(document_root)),
                    path_info: Some(path_info),
                }
            }
            Self::Script { name, document_root } => Split::script(
                name.as_bytes(),
                &below(name),
                join(document_root, name.as_bytes()),
                document_root,
            ),
        }
    }
}

impl Default for Mapping {
    fn default() -> Self {
        Self::root()
    }
}

fn folder(path: &Path) -> Vec<u8> {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.strip_suffix(b"/").unwrap_or(bytes).to_vec()
}

fn join(folder_path: &Path, below: &[u8]) -> Vec<u8> {
    [&folder(folder_path), below].concat()
}
