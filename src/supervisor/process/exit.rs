//! How a process ended.

use std::fmt;

/// How a process ended: with a code, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exit {
    /// What it returned, where it ended by itself.
    pub(crate) code: Option<i32>,
    /// What ended it, on Unix.
    pub(crate) signal: Option<i32>,
}

impl Exit {
    /// An end of which nothing is known.
    pub(crate) const fn unknown() -> Self {
        let (code, signal) = (None, None);
        Self { code, signal }
    }

    /// An end with `code`.
    #[cfg(any(test, windows))]
    pub(crate) const fn code(code: i32) -> Self {
        let (code, signal) = (Some(code), None);
        Self { code, signal }
    }

    /// An end by `signal`.
    #[cfg(any(unix, test))]
    pub(crate) const fn signal(signal: i32) -> Self {
        let (code, signal) = (None, Some(signal));
        Self { code, signal }
    }
}

/// `exit code 1`, `signal 9 (SIGKILL)`. A Windows status that is no small number is shown as it is written
/// there: `exit code 0xc0000005`.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code @ 0..), _) => write!(f, "exit code {code}"),
            (Some(code), _) => write!(f, "exit code {code:#x}"),
            (None, Some(signal)) => match signal_name(signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
            (None, None) => f.write_str("unknown"),
        }
    }
}

#[cfg(unix)]
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGHUP => "SIGHUP",
        libc::SIGILL => "SIGILL",
        libc::SIGINT => "SIGINT",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXCPU => "SIGXCPU",
        _ => return None,
    })
}

#[cfg(not(unix))]
const fn signal_name(_: i32) -> Option<&'static str> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_person_would_say_it() {
        let cases = [
            (Exit::code(0), "exit code 0"),
            (Exit::code(134), "exit code 134"),
            (
                Exit::code(0xc000_0005_u32.cast_signed()),
                "exit code 0xc0000005",
            ),
            #[cfg(unix)]
            (Exit::signal(9), "signal 9 (SIGKILL)"),
            (Exit::signal(250), "signal 250"),
        ];
        for (exit, want) in cases {
            assert_eq!(exit.to_string(), want);
        }
    }
}
