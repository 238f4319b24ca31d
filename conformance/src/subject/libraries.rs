//! The shared libraries of a program, and whether another user can read them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mock_lsws::User;

use super::reach;

/// The first shared library of `binary` that `user` cannot read, though this program can: its own processes would do
/// without it, or take another of the same name. None for scripts and for programs that need no library, and on systems
/// without `ldd`, where the first start tells.
pub(super) fn out_of_reach(binary: &Path, user: &User) -> Option<PathBuf> {
    // Looks only: nothing of the program runs.
    let listed = Command::new("ldd").arg(binary).env("LC_ALL", "C").stdin(Stdio::null()).output().ok()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed.lines().filter_map(library).find(|library| reach::obstacle(library, user).is_some())
}

/// The file in a line such as `libm.so.6 => /lib/libm.so.6 (0x00007f8ea433e000)`, or without the arrow where the program
/// names a path.
fn library(line: &str) -> Option<PathBuf> {
    let found = line.split_once(" => ").map_or(line.trim(), |(_, found)| found);
    let (path, _) = found.rsplit_once(" (")?;
    path.starts_with('/').then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_files_name_them() {
        assert_eq!(
            library("\tlibm.so.6 => /lib/libm.so.6 (0x00007f8ea433e000)"),
            Some("/lib/libm.so.6".into())
        );
        for line in
            ["\tlibx.so => not found", "\tlinux-vdso.so.1 (0x00007f8ea50f3000)", "\tstatically linked", ""]
        {
            assert_eq!(library(line), None, "{line}");
        }
    }
}
