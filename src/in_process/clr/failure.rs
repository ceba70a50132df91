//! Why an app could not be started in this process: the module's failures, by its numbers.

use std::{fmt, time::Duration};

/// Which of the module's failures it is: what it writes after `500.`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubStatus {
    /// 500.30: the app started, and ended before its server did: Main threw or returned.
    Ended,
    /// 500.31: the framework that the app needs was not found.
    NotResolved,
    /// 500.32: .NET's own host was not found, or could not be loaded.
    HostNotLoaded,
    /// 500.33: the managed hosting assembly is missing, or is of another version.
    HostingMissing,
    /// 500.35: this process hosts, or hosted, an app already.
    Second,
    /// 500.37: the app's server did not start within `startupTimeLimit`.
    Slow,
    /// 500.38: the app's own library was not found.
    AppNotFound,
}

impl SubStatus {
    /// The number after `500.`
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Ended => 30,
            Self::NotResolved => 31,
            Self::HostNotLoaded => 32,
            Self::HostingMissing => 33,
            Self::Second => 35,
            Self::Slow => 37,
            Self::AppNotFound => 38,
        }
    }

    /// What happened, as a sentence without a full stop.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::Ended => "The app ended before its server started",
            Self::NotResolved => "The framework that the app needs was not found",
            Self::HostNotLoaded => "The .NET host could not be loaded",
            Self::HostingMissing => "The hosting assembly is missing or of another version",
            Self::Second => "This process has an app already",
            Self::Slow => "The app's server did not start in time",
            Self::AppNotFound => "The app's library was not found",
        }
    }
}

impl fmt::Display for SubStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "500.{}", self.number())
    }
}

/// A start that failed.
#[derive(Clone, Debug)]
pub struct StartError {
    sub_status: SubStatus,
    reason: String,
    detail: String,
    exit_code: Option<i32>,
}

impl StartError {
    pub(super) fn new(sub_status: SubStatus, reason: impl Into<String>) -> Self {
        Self {
            sub_status,
            reason: reason.into(),
            detail: String::new(),
            exit_code: None,
        }
    }

    pub(super) fn with_detail(mut self, detail: String) -> Self {
        self.detail = detail;
        self
    }

    pub(super) const fn with_exit_code(mut self, code: i32) -> Self {
        self.exit_code = Some(code);
        self
    }

    pub(super) fn slow(limit: Duration) -> Self {
        Self::new(
            SubStatus::Slow,
            format!(
                "the app did not start its server within {} s; an app with a server of its own can only be hosted out of process",
                limit.as_secs_f64()
            ),
        )
    }

    /// Which failure it is.
    #[must_use]
    pub const fn sub_status(&self) -> SubStatus {
        self.sub_status
    }

    /// What happened, in one line.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// All that is known: the app's exception with its stack, or what .NET said. For the log, and for pages in
    /// Development. May be empty.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What Main returned, where it did.
    #[must_use]
    pub const fn exit_code(&self) -> Option<i32> {
        self.exit_code
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the app could not be started in this process ({}): {}",
            self.sub_status, self.reason
        )
    }
}

impl std::error::Error for StartError {}
