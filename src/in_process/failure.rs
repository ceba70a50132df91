//! Why an app could not be hosted.

use std::fmt;

use crate::error::SubStatus;

/// The longest detail, in bytes: more is cut off at its end.
const LONGEST_DETAIL: usize = 64 * 1024;

/// Why an app could not be hosted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) status: SubStatus,
    pub(super) reason: String,
    pub(super) detail: Option<String>,
}

impl Failure {
    /// The module's number for it, and the reason in a sentence without a full stop.
    #[must_use]
    pub fn new(status: SubStatus, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            detail: None,
        }
    }

    /// What else is known: the app's exception. It goes to the log, and to the page in Development only; what is longer
    /// than 64 KiB is cut off. Defaults to nothing.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        let mut end = detail.len().min(LONGEST_DETAIL);
        while !detail.is_char_boundary(end) {
            end -= 1;
        }
        detail.truncate(end);
        self.detail = Some(detail);
        self
    }

    /// The module's number for it.
    #[must_use]
    pub fn status(&self) -> SubStatus {
        self.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (500.{})", self.reason, self.status.code())
    }
}

impl std::error::Error for Failure {}
