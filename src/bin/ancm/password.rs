//! `ancm password`: a line for the file of users.

use std::io::{self, BufRead as _, Read as _, Write as _};

use ancm::authentication::users;

use crate::{args::RawPassword, failure::Failure};

/// More is no password.
const LONGEST: u64 = 1024;

/// Reads the password from stdin, as an argument could be seen by everybody, and prints the line.
pub(crate) fn password(raw: &RawPassword) -> Result<(), Failure> {
    let failed = |what: &str, error: io::Error| Failure::other(format_args!("{what}: {error}"));
    let mut typed = String::new();
    let mut stdin = io::stdin().lock().take(LONGEST);
    let read = stdin.read_line(&mut typed);
    read.map_err(|error| failed("can't read the password from stdin", error))?;
    let password = typed.strip_suffix('\n').unwrap_or(&typed);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() || password.contains(char::is_control) {
        return Err(Failure::usage(
            "expected a password without control characters on stdin, in one line",
        ));
    }
    let line = users::line(&raw.user, password).map_err(Failure::usage)?;
    let written = io::stdout().write_all(line.as_bytes());
    written.map_err(|error| failed("can't write to stdout", error))
}
