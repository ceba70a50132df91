//! What was right, for a while.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::time::Instant;

use super::Client;
use crate::Identity;

/// How many are remembered: more is a service that many use, and who was longest in there is checked again.
const MOST: usize = 4096;

/// A user and a password from an address, as nobody can guess them from it who has not the key: none is kept.
///
/// Compared as any number is: who sees how long that takes learns nothing of a seal that can't be computed outside.
pub(super) type Seal = [u8; 32];

/// Users and passwords that were right, as long as the users are the same.
pub(super) struct Memory {
    /// Of this process, and gone with it. `None` where the system has no randomness: then nothing is remembered.
    key: Option<[u8; 32]>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    revision: u64,
    /// With the time when it turned out.
    users: HashMap<Seal, (Instant, Identity)>,
}

impl Memory {
    pub(super) fn new() -> Self {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).ok().map(|()| key);
        Self {
            key,
            known: Mutex::default(),
        }
    }

    pub(super) fn seal(&self, client: Client, user: &str, password: &str) -> Option<Seal> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key?).ok()?;
        for part in [&client.to_string(), user] {
            mac.update(&part.len().to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.update(password.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }

    /// Whom the user and the password of `seal` have proved to be less than `remember` ago, if the users are still those of
    /// `revision`.
    pub(super) fn known(
        &self,
        revision: u64,
        seal: &Seal,
        remember: Duration,
        now: Instant,
    ) -> Option<Identity> {
        let mut known = self.lock();
        known.follow(revision);
        let (since, identity) = known.users.get(seal)?;
        // By the limit of today: it may have been lowered.
        if now.saturating_duration_since(*since) >= remember {
            known.users.remove(seal);
            return None;
        }
        Some(identity.clone())
    }

    pub(super) fn remember(&self, revision: u64, seal: Seal, since: Instant, identity: Identity) {
        let mut known = self.lock();
        // The users may have changed since the check began.
        if known.revision == revision {
            known.make_room();
            known.users.insert(seal, (since, identity));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Nothing that is done under the lock can leave it half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Forgets all where these are other users than those before.
    fn follow(&mut self, revision: u64) {
        if self.revision != revision {
            self.revision = revision;
            self.users.clear();
        }
    }

    /// Forgets the older half, where there are too many.
    fn make_room(&mut self) {
        if self.users.len() < MOST {
            return;
        }
        let mut times: Vec<_> = self.users.values().map(|(since, _)| *since).collect();
        let (_, middle, _) = times.select_nth_unstable(MOST / 2);
        let middle = *middle;
        self.users.retain(|_, (since, _)| *since > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn alice() -> Identity {
        Identity::new("Basic", "alice")
    }

    fn from(last: u8) -> Client {
        Client::Address([192, 0, 2, last].into())
    }

    #[tokio::test]
    async fn what_was_right_is_right_until_its_end_or_until_the_users_change() {
        let memory = Memory::new();
        let now = Instant::now();
        let later = now + MINUTE;
        let seal = |user, password| memory.seal(from(1), user, password).unwrap();
        let known = |revision, seal, now| memory.known(revision, &seal, MINUTE, now);
        let right = seal("alice", "x");
        assert_eq!(known(1, right, now), None);
        memory.remember(1, right, now, alice());
        assert_eq!(known(1, right, now), Some(alice()));
        for (user, password) in [("alice", "y"), ("bob", "x"), ("alic", "ex"), ("alice", "")] {
            assert_eq!(known(1, seal(user, password), now), None, "{user}");
        }
        assert_eq!(known(1, right, later), None, "its time is over");
        memory.remember(1, right, now, alice());
        assert_eq!(known(2, right, now), None, "the users changed");
        memory.remember(1, right, now, alice());
        assert_eq!(known(2, right, now), None, "by a check of old ones");
        let other = Memory::new().seal(from(1), "alice", "x");
        assert_ne!(other, Some(right), "each has a key of its own");
    }

    #[tokio::test]
    async fn what_was_right_is_so_from_its_address_alone() {
        let memory = Memory::new();
        let seals = [from(1), from(2), Client::Unknown].map(|from| memory.seal(from, "a", "x"));
        assert!(seals[0] != seals[1] && seals[0] != seals[2] && seals[1] != seals[2]);
        assert_eq!(seals[0], memory.seal(from(1), "a", "x"));
    }

    #[tokio::test]
    async fn a_lowered_limit_holds_for_what_was_right_before() {
        let memory = Memory::new();
        let begun = Instant::now();
        let seal = memory.seal(from(1), "alice", "x").unwrap();
        let known = |remember, now| memory.known(0, &seal, remember, now);
        memory.remember(0, seal, begun, alice());
        assert!(known(MINUTE, begun + MINUTE / 2).is_some());
        assert_eq!(known(MINUTE / 2, begun + MINUTE / 2), None);
        memory.remember(0, seal, begun, alice());
        assert_eq!(known(Duration::ZERO, begun), None);
    }

    #[tokio::test]
    async fn it_has_an_end_and_keeps_the_newest() {
        let memory = Memory::new();
        let now = Instant::now();
        let since = |number: usize| now + Duration::from_millis(number as u64);
        let seals = 0..MOST + MOST / 4;
        let seals: Vec<Seal> = seals
            .map(|number| memory.seal(from(1), &number.to_string(), "x").unwrap())
            .collect();
        assert_eq!(memory.known(1, &seals[0], MINUTE, now), None);
        for (number, seal) in seals.iter().enumerate() {
            memory.remember(1, *seal, since(number), alice());
            assert!(memory.lock().users.len() <= MOST);
        }
        assert_eq!(memory.known(1, &seals[0], MINUTE, now), None);
        let last = seals.last().unwrap();
        assert!(memory.known(1, last, MINUTE, now).is_some());
    }
}
