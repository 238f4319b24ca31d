//! `[start]` as files write it: which keys go together, and what is wrong where they do not.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::capability::Capability;
use super::error::Mistake;
use super::files::Files;
use super::model::{HandedLimit, Mode, SocketKind, Start};
use super::pairs::Pairs;
use super::program::{APP, Program};
use super::template::Template;

/// `[start]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartTable {
    pub(crate) mode: Mode,
    socket: Option<Spanned<SocketKind>>,
    address: Option<Spanned<Template>>,
    role: Option<String>,
    wsgi: Option<Spanned<String>>,
    files: Option<Spanned<Files>>,
    args: Option<Spanned<Vec<Template>>>,
    #[serde(default)]
    env: Pairs<Template>,
    core_limit: Option<HandedLimit>,
    secret: Option<Spanned<String>>,
}

/// How the application is started, from the table at byte `place` of a file whose head has `needs`.
pub(crate) fn resolve(table: StartTable, place: usize, needs: &[Capability]) -> Result<Start, Mistake> {
    let StartTable { mode, socket, address, role, wsgi, files, args, env, core_limit, secret } = table;
    if let Some(socket) = socket.as_ref().filter(|_| mode != Mode::Listen) {
        let message = "`socket` is about a listening one: write `mode = \"listen\"`, or leave it out";
        return Err((socket.span().start, message.into()));
    }
    match (mode, &address) {
        (Mode::Bind, None) => {
            let message = "`mode = \"bind\"` is for an application that is told where to listen: write `address`, such as \
                           \"{start.socket}\" or \"127.0.0.1:{start.port}\"";
            return Err((place, message.into()));
        }
        (Mode::Bind, Some(_)) | (_, None) => {}
        (_, Some(address)) => {
            let message = "`address` is what an application is told that listens by itself: write `mode = \"bind\"`, or \
                           leave it out";
            return Err((address.span().start, message.into()));
        }
    }
    if let Some(args) = args.as_ref().filter(|_| !needs.contains(&Capability::LswsgiOptions)) {
        let message = "`args` are understood by lswsgi only: write `needs = [\"lswsgi-options\"]` in the head of the file";
        return Err((args.span().start, message.into()));
    }
    let secret_mode = secret.as_ref().map(mode_of_secret).transpose()?;
    let program = match (role, wsgi) {
        (Some(role), None) => {
            if let Some(files) = files {
                let message = "`files` stand beside the application in `wsgi`: a role brings its own, leave `files` out";
                return Err((files.span().start, message.into()));
            }
            Program::Role(role)
        }
        (None, Some(source)) => {
            let mut all = vec![(PathBuf::from(APP), source.into_inner())];
            if let Some(files) = files {
                if files.get_ref().occupies(Path::new(APP)) {
                    let message = "`app.py` is what `wsgi` is written to: leave it out of `files`";
                    return Err((files.span().start, message.into()));
                }
                all.extend(files.into_inner().0);
            }
            Program::Wsgi(Files(all))
        }
        (Some(_), Some(wsgi)) => {
            let message = "`role` and `wsgi` both say what runs: use one of them";
            return Err((wsgi.span().start, message.into()));
        }
        (None, None) => {
            let message =
                "nothing says what runs: write `role`, or `wsgi` with the text of a WSGI application";
            return Err((place, message.into()));
        }
    };
    let socket = socket.map_or(SocketKind::Unix, Spanned::into_inner);
    let address = address.map(Spanned::into_inner);
    let args = args.map(Spanned::into_inner).unwrap_or_default();
    Ok(Start { mode, socket, address, program, args, env, core_limit, secret_mode })
}

/// The permissions of the file of the secret.
fn mode_of_secret(text: &Spanned<String>) -> Result<u32, Mistake> {
    u32::from_str_radix(text.get_ref(), 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(|| {
        let message = "`secret` is the mode of its file: four octal digits, such as \"0600\"";
        (text.span().start, message.into())
    })
}
