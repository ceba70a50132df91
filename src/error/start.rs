//! A start that failed, told so that somebody can mend it.

use std::{fmt, time::Duration};

use super::SubStatus;

/// How far a start came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The process could not be described: its environment, its port, its token.
    Prepare,
    /// The operating system did not start the program.
    Spawn,
    /// The process ended before it listened.
    Exited,
    /// The process runs, but did not listen on its port in time.
    NotListening,
    /// A process that is not the app's listens on the port.
    WrongOwner,
    /// The process listens, but did not answer its probe in time.
    Probe,
    /// The process runs, but could not host the app in process.
    Hosting,
    /// Too many failures within a minute: not tried again for a while.
    RapidFail,
}

impl Stage {
    /// The stage in one word, for logs and pages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Spawn => "spawn",
            Self::Exited => "exited",
            Self::NotListening => "not-listening",
            Self::WrongOwner => "wrong-owner",
            Self::Probe => "probe",
            Self::Hosting => "hosting",
            Self::RapidFail => "rapid-fail",
        }
    }

    /// What happened, as a sentence without a full stop.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Prepare => "The process could not be prepared",
            Self::Spawn => "The process could not be started",
            Self::Exited => "The process started and then ended before it listened on its port",
            Self::NotListening => "The process started but did not listen on its port in time",
            Self::WrongOwner => "A process that is not the app's listens on the app's port",
            Self::Probe => "The process listens, but did not answer its probe in time",
            Self::Hosting => "The app could not be hosted in process",
            Self::RapidFail => "The app failed too often within a minute",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A start that failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StartFailure {
    /// How far it came.
    pub stage: Stage,
    /// What the operating system or the configuration said.
    pub reason: String,
    /// The command as it was resolved. It never holds the pairing token.
    pub command: String,
    /// The process, where there was one.
    pub pid: Option<u32>,
    /// The port it should have listened on.
    pub port: Option<u16>,
    /// How it ended, such as `exit code 1` or `signal 9`, where it did.
    pub exit: Option<String>,
    /// The time from the beginning of the start to its failure.
    pub elapsed: Duration,
    /// `startupTimeLimit`.
    pub limit: Duration,
    /// The last output of the process, at most 30,000 characters.
    pub output: String,
    /// For an app that is hosted in process: which of the module's 500s it is.
    pub sub_status: Option<SubStatus>,
    /// What else is known, where there is more than the reason: the app's exception.
    pub detail: Option<String>,
}

impl StartFailure {
    /// A start of `command` that failed at `stage`, because of `reason`; the rest to be filled in.
    #[must_use]
    pub fn new(stage: Stage, reason: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            stage,
            reason: reason.into(),
            command: command.into(),
            pid: None,
            port: None,
            exit: None,
            elapsed: Duration::ZERO,
            limit: Duration::ZERO,
            output: String::new(),
            sub_status: None,
            detail: None,
        }
    }
}

impl fmt::Display for StartFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, reason, .. } = self;
        match self.sub_status {
            Some(sub) => write!(
                f,
                "the app could not be started ({stage}, 500.{}): {reason}",
                sub.code()
            ),
            None => write!(f, "the app could not be started ({stage}): {reason}"),
        }
    }
}

impl std::error::Error for StartFailure {}
