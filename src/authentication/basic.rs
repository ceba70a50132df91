//! Basic authentication (RFC 7617): who may come in is for somebody else to say.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::HeaderValue;

use super::passwords::Passwords;
use crate::Identity;

/// What [`CheckPassword::check`] gives: the user, or nobody.
pub type Check<'a> = Pin<Box<dyn Future<Output = Option<Identity>> + Send + 'a>>;

/// Knows users and their passwords.
pub trait CheckPassword: Send + Sync {
    /// Whom `user` and `password` prove the client to be. To be decided in a time that does not tell why somebody is
    /// nobody. How often one client may try is [limited](super::AuthenticationLayer::attempts) before.
    ///
    /// Polled in a task of its own, whether the client waits for it or not, and dropped after 30 s: then the client is told to
    /// come again (503), and nothing counts. A panic is the same. `None` is a wrong password, which counts, and with a
    /// [`revision`](Self::revision) stays wrong for this client as long as that stays: a backend that can fail (a directory
    /// that does not answer) gives no revision, or another one after a failure, or tries on until the time is over.
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a>;

    /// A number that changes when somebody may not be a user any more, or not by the same password: as long as it stays,
    /// what was right is [for a while](super::Attempts::remember) taken for right, and what was wrong for wrong, without
    /// another check. The password is not kept for that. Default `None`: everything is checked each time.
    fn revision(&self) -> Option<u64> {
        None
    }

    /// How many may be checked at the same time; more wait [for their turn](super::Attempts::wait). Default 64.
    fn at_once(&self) -> usize {
        64
    }
}

/// Basic authentication as it is offered.
#[derive(Clone)]
pub(super) struct Basic {
    pub(super) passwords: Arc<Passwords>,
    pub(super) challenge: HeaderValue,
    pub(super) over_cleartext: bool,
}

impl Basic {
    pub(super) fn new(realm: &str, passwords: Arc<Passwords>) -> Self {
        // RFC 7617, 2.1: then user and password are UTF-8.
        let text = format!("Basic realm=\"{}\", charset=\"UTF-8\"", quoted(realm));
        let unnamed = HeaderValue::from_static("Basic realm=\"\", charset=\"UTF-8\"");
        Self {
            passwords,
            challenge: HeaderValue::try_from(text).unwrap_or(unnamed),
            over_cleartext: false,
        }
    }
}

/// The inside of a quoted string (RFC 9110, 5.6.4), without what none can hold.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic")
            .field("challenge", &self.challenge)
            .field("over_cleartext", &self.over_cleartext)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_realm_stays_inside_its_quotes() {
        assert_eq!(quoted("shop"), "shop");
        assert_eq!(quoted("a\"b\\c\r\nd"), "a\\\"b\\\\cd");
    }
}
