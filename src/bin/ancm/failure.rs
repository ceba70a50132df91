//! Why the program ends without success: one clear message and an exit status.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

/// What is said on stderr, and the status that goes with it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong, where, and what to do about it. May have several lines.
    message: String,
    status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// The command line or the configuration is wrong: 2, as clap's own errors.
    Usage,
    /// Everything else: 1.
    Other,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Failure {
    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            status: Status::Usage,
        }
    }

    /// Anything that is not the fault of the command line or the configuration.
    pub(crate) fn other(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            status: Status::Other,
        }
    }

    /// Says it on stderr.
    pub(crate) fn report(&self) -> ExitCode {
        // Nobody reads stderr: the status still tells.
        let _ = writeln!(io::stderr(), "error: {}", self.message);
        match self.status {
            Status::Usage => ExitCode::from(2),
            Status::Other => ExitCode::from(1),
        }
    }
}
