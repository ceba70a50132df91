//! What is started: the command line of `web.config`, made one of this operating system.

mod arguments;
mod discover;
mod launcher;
mod program;
mod split;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use self::unix as os;
#[cfg(windows)]
use self::windows as os;

use std::{
    fmt,
    path::{Path, PathBuf},
};

pub(super) use self::{
    launcher::{Launch, launch},
    program::entry_in_another_case,
    split::{quote, split},
};
use super::{
    findings::{Findings, Position},
    vars::Vars,
};

/// A program and its arguments, already split and translated for this operating system.
///
/// Its `Display` is one line, quoted so that [`web.config`'s rules](super) would split it into the same arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// An absolute path, or a bare name to be found on `PATH`.
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) problem: Option<Unresolved>,
}

/// Why a command can't be started as it stands: what was looked for, and what would help.
///
/// Not an error of the configuration: the server runs, and each request is answered with 502 until the app is there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unresolved {
    reason: String,
}

impl Unresolved {
    fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { reason }
    }

    /// That none of `places` has what was wanted.
    fn nowhere(what: &str, places: &[String]) -> Self {
        let mut reason = format!("{what} was not found; looked for ");
        for (index, place) in places.iter().enumerate() {
            if index > 0 {
                reason.push_str(", ");
            }
            reason.push_str(place);
        }
        Self { reason }
    }
}

impl CommandLine {
    /// A command that was not looked up.
    pub(super) fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        Self {
            program,
            arguments,
            problem: None,
        }
    }

    /// The program: an absolute path, or as it was written where it was not found.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its arguments, one by one.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }

    /// Why this command can't be started, as far as that could be seen when the configuration was read.
    #[must_use]
    pub fn problem(&self) -> Option<&Unresolved> {
        self.problem.as_ref()
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.program.to_string_lossy()))?;
        for argument in &self.arguments {
            write!(f, " {}", quote(argument))?;
        }
        Ok(())
    }
}

/// `path`, written for any operating system, absolute or under `root`. `None`: a path that can't exist here.
pub(super) fn under(root: &Path, path: &str) -> Option<PathBuf> {
    let native = os::native(path);
    (!os::is_foreign(&native)).then(|| program::lexical(&root.join(native)))
}

/// Where programs and files are looked for.
pub(super) struct Places<'a> {
    pub(super) root: &'a Path,
    pub(super) vars: &'a dyn Vars,
    /// Where the command stands, for warnings.
    pub(super) at: Option<Position>,
}

/// `program` and `arguments` as this operating system can start them; as they are, with the reason, where it can't.
pub(super) fn resolve(
    program: &str,
    arguments: Vec<String>,
    places: &Places<'_>,
    findings: &mut Findings,
) -> CommandLine {
    match program::resolve(program, places, findings) {
        Ok(found) => {
            let mut all: Vec<String> = found.library.into_iter().collect();
            all.extend(arguments::translate(arguments, places, findings));
            let problem = arguments::missing_library(&found.program, &all, places.root);
            CommandLine {
                program: found.program,
                arguments: all,
                problem,
            }
        }
        Err(problem) => CommandLine {
            program: program.into(),
            arguments,
            problem: Some(problem),
        },
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
