//! How addresses are, for people and for programs.

use serde::Serialize;

use super::member::Member;

/// How one of several addresses is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackendStatus {
    /// The address; none where a name could not be resolved.
    pub address: Option<String>,
    /// As it was said: the address, or a name.
    pub name: String,
    /// `up`, `down` or `unresolved`.
    pub state: &'static str,
    /// Why it is down, or why its last check failed.
    pub cause: Option<String>,
    /// The requests under way.
    pub in_flight: usize,
    /// The requests that there have been; modulo 2^32.
    pub requests: u32,
}

impl BackendStatus {
    pub(super) fn of(member: &Member) -> Self {
        Self {
            address: Some(member.backend.address().to_string()),
            name: member.names(),
            state: if member.is_up() { "up" } else { "down" },
            cause: member.cause().map(|cause| cause.to_string()),
            in_flight: member.backend.in_flight(),
            requests: member.backend.requests(),
        }
    }

    pub(super) fn unresolved(name: &str, why: &str) -> Self {
        Self {
            address: None,
            name: name.to_owned(),
            state: "unresolved",
            cause: Some(why.to_owned()),
            in_flight: 0,
            requests: 0,
        }
    }
}
