//! A Python interpreter of the system, for a subject whose own is out of its user's reach.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use super::reach;

/// Where systems keep theirs.
const CANDIDATES: [&str; 2] = ["/usr/bin/python3", "/usr/local/bin/python3"];

/// Asks an interpreter for its shared library and for the name a linker looks for it under.
const QUESTION: &str = "import sysconfig as s, os
v = s.get_config_var
if v('Py_ENABLE_SHARED'):
    print(os.path.join(v('LIBDIR'), v('LDLIBRARY')))";

/// An interpreter that can be embedded and whose library `account` can read.
pub(super) fn find(account: &Account) -> Option<PathBuf> {
    CANDIDATES.iter().map(Path::new).find(|candidate| is_usable(candidate, account)).map(Path::to_path_buf)
}

fn is_usable(interpreter: &Path, account: &Account) -> bool {
    let mut command = Command::new(interpreter);
    let answer = command.args(["-I", "-c", QUESTION]).stdin(Stdio::null()).stderr(Stdio::null()).output();
    let answer =
        answer.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let library = Path::new(answer.trim());
    library.is_file()
        && [interpreter, library].iter().all(|file| reach::obstacle(file, &account.user).is_none())
}
