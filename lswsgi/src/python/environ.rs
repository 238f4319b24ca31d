//! The WSGI environment of a request (PEP 3333, "environ Variables").
//!
//! A template holds what is the same for every request; each request gets a copy with its own values in it. Headers go in
//! first and variables after them, so that what the server says wins over what the client says.

use lsapi::{BeginRequest, BodyLength, KnownHeader};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use super::file_wrapper::FileWrapper;
use super::names::{Names, Role};
use super::text::latin1;
use crate::options::UnderscoreHeaders;

/// What every environ starts from.
pub(super) struct Environ {
    template: Py<PyDict>,
    names: Names,
}

impl Environ {
    /// The template, with `errors` as wsgi.errors, which without it is sys.stderr. `multiprocess`: other processes may be
    /// serving the same application.
    pub(super) fn new(
        py: Python<'_>,
        errors: Option<&Bound<'_, PyAny>>,
        underscore_headers: UnderscoreHeaders,
        multiprocess: bool,
    ) -> PyResult<Self> {
        let template = PyDict::new(py);
        template.set_item("wsgi.version", (1, 0))?;
        template.set_item("wsgi.url_scheme", "http")?;
        let errors =
            errors.map_or_else(|| py.import("sys")?.getattr("stderr"), |errors| Ok(errors.clone()))?;
        template.set_item("wsgi.errors", errors)?;
        template.set_item("wsgi.multithread", false)?;
        template.set_item("wsgi.multiprocess", multiprocess)?;
        template.set_item("wsgi.run_once", false)?;
        template.set_item("wsgi.input_terminated", true)?;
        template.set_item("wsgi.file_wrapper", py.get_type::<FileWrapper>())?;
        // Required by PEP 3333 even where a server leaves them out.
        for (key, value) in [
            ("REQUEST_METHOD", "GET"),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", ""),
            ("QUERY_STRING", ""),
            ("SERVER_NAME", "localhost"),
            ("SERVER_PORT", "80"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("SERVER_SOFTWARE", concat!("lswsgi/", env!("CARGO_PKG_VERSION"))),
            ("GATEWAY_INTERFACE", "CGI/1.1"),
        ] {
            template.set_item(PyString::intern(py, key), value)?;
        }
        Ok(Self { template: template.unbind(), names: Names::new(py, underscore_headers) })
    }

    /// A fresh environ for `request`.
    pub(super) fn build<'py>(
        &mut self,
        py: Python<'py>,
        request: &BeginRequest<'_>,
        input: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let environ = self.template.bind(py).copy()?;
        set(&environ, intern!(py, "wsgi.input"), input)?;
        self.put_headers(py, request, &environ)?;
        self.put_variables(py, request, &environ)?;
        put_body_length(py, request, &environ)?;
        Ok(environ)
    }

    fn put_headers(
        &mut self,
        py: Python<'_>,
        request: &BeginRequest<'_>,
        environ: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        for (header, value) in request.known_headers().iter() {
            if header != KnownHeader::ContentLength {
                set(environ, self.names.known(header).bind(py), &latin1(py, value)?)?;
            }
        }
        for (position, header) in request.unknown_headers().iter().enumerate() {
            let name = self.names.header(py, position, header.name)?;
            let separator: &[u8] = match name.role {
                Role::Refused => continue,
                Role::Cookie => b"; ",
                _ => b", ",
            };
            let value = latin1(py, header.value)?;
            let key = name.key.bind(py);
            if let Some(first) = set_default(environ, key, &value)? {
                let joined = first.add(latin1(py, separator)?)?.add(value)?;
                environ.set_item(key, joined)?;
            }
        }
        Ok(())
    }

    fn put_variables(
        &mut self,
        py: Python<'_>,
        request: &BeginRequest<'_>,
        environ: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let mut root_had_slash = false;
        for (position, entry) in request.env().iter().enumerate() {
            let name = self.names.variable(py, position, entry.key())?;
            let mut value = entry.value();
            match name.role {
                Role::Refused => continue,
                Role::NeverEmpty if value.is_empty() => continue,
                Role::ScriptName => {
                    let stripped = value.strip_suffix(b"/");
                    root_had_slash = stripped.is_some();
                    value = stripped.unwrap_or(value);
                }
                Role::Https => {
                    let scheme = if is_on(value) { intern!(py, "https") } else { intern!(py, "http") };
                    set(environ, intern!(py, "wsgi.url_scheme"), scheme)?;
                }
                _ => {}
            }
            set(environ, name.key.bind(py), &latin1(py, value)?)?;
        }
        if root_had_slash { keep_slash(py, environ) } else { Ok(()) }
    }
}

/// A slash SCRIPT_NAME has lost must be in PATH_INFO: the two together are the path of the URL.
fn keep_slash(py: Python<'_>, environ: &Bound<'_, PyDict>) -> PyResult<()> {
    let key = intern!(py, "PATH_INFO");
    let Some(path) = environ.get_item(key)? else { return Ok(()) };
    if path.call_method1(intern!(py, "startswith"), ("/",))?.is_truthy()? {
        return Ok(());
    }
    environ.set_item(key, PyString::new(py, "/").add(path)?)
}

/// CONTENT_LENGTH says what can be read, which the packet knows better than the header.
fn put_body_length(py: Python<'_>, request: &BeginRequest<'_>, environ: &Bound<'_, PyDict>) -> PyResult<()> {
    let header = request.known_header(KnownHeader::ContentLength);
    let text = match (request.body_length(), header) {
        (BodyLength::Known(0), None) | (BodyLength::Unstated, _) => return Ok(()),
        (BodyLength::Known(len), Some(text))
            if std::str::from_utf8(text).is_ok_and(|t| t.parse() == Ok(len)) =>
        {
            latin1(py, text)?
        }
        (BodyLength::Known(len), _) => latin1(py, len.to_string().as_bytes())?,
        (BodyLength::Streaming, _) => {
            // Bytes will come, and nobody can tell how many: an application must not wait for an end.
            return environ.set_item(intern!(py, "wsgi.input_terminated"), false);
        }
    };
    environ.set_item(intern!(py, "CONTENT_LENGTH"), text)
}

fn is_on(value: &[u8]) -> bool {
    [&b"on"[..], b"1", b"yes"].iter().any(|on| value.eq_ignore_ascii_case(on))
}

fn set<T>(dict: &Bound<'_, PyDict>, key: &Bound<'_, PyString>, value: &Bound<'_, T>) -> PyResult<()> {
    // SAFETY: three live objects, the first an exact dict; the function takes references of its own.
    let result = unsafe { ffi::PyDict_SetItem(dict.as_ptr(), key.as_ptr(), value.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(PyErr::fetch(dict.py())) }
}

/// Sets `key` unless it is there; returns what was there.
fn set_default<'py>(
    dict: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
    value: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: as in `set`; the result is borrowed from the dict, or null with an exception set, and is given a reference
    // of its own before anything can change the dict.
    let present = unsafe {
        let present = ffi::PyDict_SetDefault(dict.as_ptr(), key.as_ptr(), value.as_ptr());
        Bound::from_borrowed_ptr_or_err(dict.py(), present)?
    };
    Ok((!present.is(value)).then_some(present))
}
