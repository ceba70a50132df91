//! Basic authentication (RFC 7617): who may come in is for somebody else to say.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::HeaderValue;

use super::connection::Kept;
use crate::Identity;

/// What [`CheckPassword::check`] gives: the user, or nobody.
pub type Check<'a> = Pin<Box<dyn Future<Output = Option<Identity>> + Send + 'a>>;

/// Knows users and their passwords.
pub trait CheckPassword: Send + Sync {
    /// Whom `user` and `password` prove the client to be. To be decided in a time that does not tell why somebody is
    /// nobody; how often one client may try is for the check to limit.
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a>;

    /// A number that changes when somebody may not be a user any more, or not by the same password: as long as it stays,
    /// what was right on a connection is taken for right there, without another check. The password is not kept for that.
    /// Default `None`: everything is checked each time.
    fn revision(&self) -> Option<u64> {
        None
    }
}

/// Basic authentication as it is offered.
#[derive(Clone)]
pub(super) struct Basic {
    pub(super) users: Arc<dyn CheckPassword>,
    pub(super) challenge: HeaderValue,
    pub(super) over_cleartext: bool,
}

impl Basic {
    pub(super) fn new(realm: &str, users: Arc<dyn CheckPassword>) -> Self {
        // RFC 7617, 2.1: then user and password are UTF-8.
        let text = format!("Basic realm=\"{}\", charset=\"UTF-8\"", quoted(realm));
        let unnamed = HeaderValue::from_static("Basic realm=\"\", charset=\"UTF-8\"");
        Self {
            users,
            challenge: HeaderValue::try_from(text).unwrap_or(unnamed),
            over_cleartext: false,
        }
    }

    /// Who the client is, which was `kept` or is found out.
    pub(super) async fn prove(
        &self,
        kept: Option<&Kept>,
        user: &str,
        password: &str,
    ) -> Option<Identity> {
        // Before the check: what changes meanwhile makes it another one.
        let memory = kept.zip(self.users.revision());
        if let Some((kept, revision)) = memory
            && let Some(known) = kept.remembered(revision, user, password)
        {
            return Some(known);
        }
        let identity = self.users.check(user, password).await?;
        if let Some((kept, revision)) = memory {
            kept.remember(revision, user, password, identity.clone());
        }
        Some(identity)
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
