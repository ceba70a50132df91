//! What was right, for a while.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::time::Instant;

use crate::Identity;

/// How many are remembered: more is a service that many use, and who was longest in there is checked again.
const MOST: usize = 4096;

/// A user and a password, as nobody can guess them from it who has not the key: neither is kept.
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

    pub(super) fn seal(&self, user: &str, password: &str) -> Option<Seal> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key?).ok()?;
        mac.update(&user.len().to_le_bytes());
        mac.update(user.as_bytes());
        mac.update(password.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }

    /// Whom the user and the password of `seal` have proved to be, if the users are still those of `revision`.
    pub(super) fn known(&self, revision: u64, seal: &Seal, now: Instant) -> Option<Identity> {
        let mut known = self.lock();
        known.follow(revision);
        let (until, identity) = known.users.get(seal)?;
        if *until <= now {
            known.users.remove(seal);
            return None;
        }
        Some(identity.clone())
    }

    pub(super) fn remember(&self, revision: u64, seal: Seal, until: Instant, identity: Identity) {
        let mut known = self.lock();
        // The users may have changed since the check began.
        if known.revision == revision {
            known.make_room();
            known.users.insert(seal, (until, identity));
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
        let mut times: Vec<_> = self.users.values().map(|(until, _)| *until).collect();
        let (_, middle, _) = times.select_nth_unstable(MOST / 2);
        let middle = *middle;
        self.users.retain(|_, (until, _)| *until > middle);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn alice() -> Identity {
        Identity::new("Basic", "alice")
    }

    #[tokio::test]
    async fn what_was_right_is_right_until_its_end_or_until_the_users_change() {
        let memory = Memory::new();
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let seal = |user, password| memory.seal(user, password).unwrap();
        let right = seal("alice", "x");
        assert_eq!(memory.known(1, &right, now), None);
        memory.remember(1, right, later, alice());
        assert_eq!(memory.known(1, &right, now), Some(alice()));
        for (user, password) in [("alice", "y"), ("bob", "x"), ("alic", "ex"), ("alice", "")] {
            let other = seal(user, password);
            assert_eq!(memory.known(1, &other, now), None, "{user}");
        }
        assert_eq!(memory.known(1, &right, later), None, "its time is over");
        memory.remember(1, right, later, alice());
        assert_eq!(memory.known(2, &right, now), None, "the users changed");
        memory.remember(1, right, later, alice());
        assert_eq!(memory.known(2, &right, now), None, "by a check of old ones");
        let other = Memory::new().seal("alice", "x");
        assert_ne!(other, Some(right), "each has a key of its own");
    }

    #[tokio::test]
    async fn it_has_an_end_and_keeps_the_newest() {
        let memory = Memory::new();
        let now = Instant::now();
        let until = |number: usize| now + Duration::from_millis(number as u64 + 1);
        let seals = 0..MOST + MOST / 4;
        let seals: Vec<Seal> = seals
            .map(|number| memory.seal(&number.to_string(), "x").unwrap())
            .collect();
        assert_eq!(memory.known(1, &seals[0], now), None);
        for (number, seal) in seals.iter().enumerate() {
            memory.remember(1, *seal, until(number), alice());
            assert!(memory.lock().users.len() <= MOST);
        }
        assert_eq!(memory.known(1, &seals[0], now), None);
        assert!(memory.known(1, seals.last().unwrap(), now).is_some());
    }
}
