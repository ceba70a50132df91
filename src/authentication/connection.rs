//! What is kept of one client's connection.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;

use super::{
    negotiate::{Exchange, LONGEST_EXCHANGE},
    user::User,
};
use crate::Identity;

/// An exchange under way, and the user who came of one.
#[derive(Default)]
pub(super) struct Kept {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    exchange: Option<(Box<dyn Exchange>, Instant)>,
    user: Option<User>,
    right: Right,
}

/// How many are remembered: a proxy may send requests of several users through one connection.
const REMEMBERED: usize = 8;

/// What was right of users and passwords. Neither a password is kept nor what one could be guessed from at leisure: the
/// key is of this connection, and goes with it.
#[derive(Default)]
struct Right {
    key: Option<[u8; 32]>,
    /// The oldest first.
    known: Vec<(Seal, u64, Identity)>,
}

type Seal = [u8; 32];

impl Right {
    /// `None` where the system has no randomness: then nothing is remembered.
    fn seal(&mut self, user: &str, password: &str) -> Option<Seal> {
        if self.key.is_none() {
            let mut key = [0; 32];
            getrandom::fill(&mut key).ok()?;
            self.key = Some(key);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key?).ok()?;
        mac.update(&user.len().to_le_bytes());
        mac.update(user.as_bytes());
        mac.update(password.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}

impl Kept {
    /// Whom `user` and `password` have proved the client to be, as long as that is `revision`.
    pub(super) fn remembered(&self, revision: u64, user: &str, password: &str) -> Option<Identity> {
        let mut inner = self.lock();
        if inner.right.known.is_empty() {
            return None;
        }
        let seal = inner.right.seal(user, password)?;
        inner.right.known.retain(|(_, of, _)| *of == revision);
        let mut known = inner.right.known.iter();
        let same = known.find(|(have, _, _)| bool::from(have.ct_eq(&seal)));
        same.map(|(_, _, identity)| identity.clone())
    }

    pub(super) fn remember(&self, revision: u64, user: &str, password: &str, identity: Identity) {
        let mut inner = self.lock();
        let Some(seal) = inner.right.seal(user, password) else {
            return;
        };
        let known = &mut inner.right.known;
        if known.len() >= REMEMBERED {
            drop(known.remove(0));
        }
        known.push((seal, revision, identity));
    }

    /// The exchange that the client is to go on with, if it does so in time.
    pub(super) fn take_exchange(&self) -> Option<(Box<dyn Exchange>, Instant)> {
        let exchange = self.lock().exchange.take();
        exchange.filter(|(_, begun)| begun.elapsed() < LONGEST_EXCHANGE)
    }

    pub(super) fn keep_exchange(&self, exchange: Box<dyn Exchange>, begun: Instant) {
        self.lock().exchange = Some((exchange, begun));
    }

    /// The user, for as long as its ticket lasts.
    pub(super) fn user(&self) -> Option<User> {
        let mut inner = self.lock();
        let ends = |user: &User| user.identity.expires();
        let ended = |user: &User| ends(user).is_some_and(|end| end <= SystemTime::now());
        if inner.user.as_ref().is_some_and(ended) {
            inner.user = None;
        }
        inner.user.clone()
    }

    pub(super) fn keep_user(&self, user: User) {
        self.lock().user = Some(user);
    }

    /// Whatever comes now, the client is nobody again.
    pub(super) fn forget_user(&self) {
        self.lock().user = None;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock can leave it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_right_is_right_until_the_users_change() {
        let (kept, other) = (Kept::default(), Kept::default());
        let alice = Identity::new("Basic", "alice");
        assert_eq!(kept.remembered(1, "alice", "x"), None);
        kept.remember(1, "alice", "x", alice.clone());
        assert_eq!(kept.remembered(1, "alice", "x"), Some(alice.clone()));
        for (user, password) in [("alice", "y"), ("bob", "x"), ("alic", "ex"), ("alice", "")] {
            assert_eq!(kept.remembered(1, user, password), None, "{user}");
        }
        assert_eq!(other.remembered(1, "alice", "x"), None, "of one connection");
        assert_eq!(kept.remembered(2, "alice", "x"), None, "the users changed");
        assert_eq!(
            kept.remembered(1, "alice", "x"),
            None,
            "and it is forgotten"
        );
    }

    #[test]
    fn several_are_remembered_and_not_endlessly_many() {
        let kept = Kept::default();
        for number in 0..20 {
            let user = format!("user{number}");
            kept.remember(1, &user, "x", Identity::new("Basic", &*user));
        }
        let known = |number: u32| kept.remembered(1, &format!("user{number}"), "x").is_some();
        assert!((12..20).all(known) && !(0..12).any(known));
    }
}
