//! What an answer and the log have in common.

use std::fmt;

/// Ties an answer to the line in the log that explains it: 64 random bits in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CorrelationId(pub(super) u64);

impl CorrelationId {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(getrandom::u64().unwrap_or_default())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
