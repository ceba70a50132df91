//! Whose password is right, and how often one may be tried.
//!
//! A check is dear on purpose, so neither may strangers have as many as they like nor may those who come in pay for each
//! request:
//!
//! 1. What was right is remembered for a while, and passes from the same address whatever else goes on. From another one it
//!    is an attempt as any: else an address with no attempts left could guess on, at a user who has been in lately.
//! 2. Each address has so many wrong ones in a time. Those under way count until they turn out right, so that
//!    many at once are no way around it. The same wrong one again is known to be wrong, costs nothing and counts for nothing: a
//!    program with an old password shuts nobody out who shares its address.
//! 3. So many are checked at once as [`CheckPassword::at_once`] says; others wait for their turn, for a while.
//!
//! A check that has begun is a task of its own: what comes of it is known whether its client waits for it or not.

mod addresses;
mod client;
mod memory;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tracing::{Instrument as _, warn};

pub(super) use self::client::Client;
use self::{
    addresses::{Addresses, Turn},
    memory::{Memory, Seal},
};
use super::CheckPassword;
use crate::{Identity, config::Attempts, occasionally::Occasionally};

/// How long one check may take, as [`CheckPassword::check`] says.
const CHECK: Duration = Duration::from_secs(30);

/// Who checks passwords, and what came of it so far: the same for all connections of an app, whatever its configuration.
pub(crate) struct Passwords {
    users: Arc<dyn CheckPassword>,
    room: Arc<Semaphore>,
    memory: Memory,
    addresses: Mutex<Addresses>,
    refused: Occasionally,
    crowded: Occasionally,
    slow: Occasionally,
}

/// Why a password got nobody in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It, or the user, is wrong; whether that was known before.
    Wrong { known: bool },
    /// Too many from this address were; one more may be tried after this time.
    TooMany(Duration),
    /// Too many are being checked, or this one was not decided in time.
    Busy,
}

/// One password of one client, on its way.
struct Attempt {
    passwords: Arc<Passwords>,
    limits: Attempts,
    client: Client,
    revision: Option<u64>,
    seal: Option<Seal>,
}

/// What is known before anything is checked.
enum Begun {
    Known(Identity),
    Refused(Refusal),
    /// To be checked now.
    Check(UnderWay, OwnedSemaphorePermit),
}

impl Passwords {
    pub(crate) fn new(users: Arc<dyn CheckPassword>) -> Self {
        let at_once = users.at_once().clamp(1, Semaphore::MAX_PERMITS);
        Self {
            users,
            room: Arc::new(Semaphore::new(at_once)),
            memory: Memory::new(),
            addresses: Mutex::default(),
            refused: Occasionally::default(),
            crowded: Occasionally::default(),
            slow: Occasionally::default(),
        }
    }

    /// Whom `user` and `password` prove `client` to be.
    ///
    /// Dropping it before the check gives its turn to the next one; a check that has begun goes on, and counts by what comes
    /// of it.
    pub(super) async fn prove(
        self: &Arc<Self>,
        limits: &Attempts,
        client: Client,
        user: String,
        password: String,
    ) -> Result<Identity, Refusal> {
        let attempt = Attempt {
            passwords: Arc::clone(self),
            limits: limits.clone(),
            client,
            // Before the check: what changes meanwhile makes it another one.
            revision: self.users.revision(),
            seal: self.memory.seal(client, &user, &password),
        };
        let begun = match timeout(limits.wait, attempt.begin()).await {
            Ok(begun) => begun,
            Err(_) => Begun::Refused(Refusal::Busy),
        };
        match begun {
            Begun::Known(identity) => Ok(identity),
            Begun::Refused(refusal) => {
                self.tell(client, &refusal);
                Err(refusal)
            }
            Begun::Check(under_way, room) => {
                // No more of them than there are permits.
                let check = under_way.check(room, user, password);
                let checked = tokio::spawn(check.in_current_span()).await;
                // It panicked, or the runtime ends: nobody knows.
                checked.unwrap_or(Err(Refusal::Busy))
            }
        }
    }

    /// What the operator should know of, and not for each request.
    fn tell(&self, client: Client, refusal: &Refusal) {
        match refusal {
            Refusal::Wrong { .. } => {}
            Refusal::TooMany(_) => {
                if let Some(count) = self.refused.due() {
                    warn!(client.addr = %client, refused = count, "Too many wrong passwords from one address");
                }
            }
            Refusal::Busy => {
                if let Some(count) = self.crowded.due() {
                    warn!(client.addr = %client, refused = count, "Too many passwords to be checked");
                }
            }
        }
    }

    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        // Nothing that is done under the lock can leave it half done.
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    async fn begin(self) -> Begun {
        let passwords = Arc::clone(&self.passwords);
        loop {
            if let Some(known) = self.known() {
                return Begun::Known(known);
            }
            let told: Arc<Notify>;
            let over = {
                let mut addresses = passwords.addresses();
                let turn = addresses.begin(self.client, self.tried(), &self.limits, Instant::now());
                match turn {
                    Turn::Now => break,
                    Turn::KnownWrong => {
                        return Begun::Refused(Refusal::Wrong { known: true });
                    }
                    Turn::Later(time) => return Begun::Refused(Refusal::TooMany(time)),
                    Turn::Wait(over) => {
                        told = over;
                        // Made under the lock, it hears of every end from here on.
                        told.notified()
                    }
                }
            };
            over.await;
        }
        let under_way = UnderWay {
            attempt: self,
            outcome: Outcome::Left,
        };
        match Arc::clone(&passwords.room).acquire_owned().await {
            Ok(room) => Begun::Check(under_way, room),
            Err(_) => Begun::Refused(Refusal::Busy),
        }
    }

    fn known(&self) -> Option<Identity> {
        let memory = &self.passwords.memory;
        memory.known(
            self.revision?,
            &self.seal?,
            self.limits.remember,
            Instant::now(),
        )
    }

    /// By what the same attempt is known again, as long as the users are the same.
    fn tried(&self) -> Option<(u64, Seal)> {
        self.revision.zip(self.seal)
    }
}

/// An attempt that its address has room for, until it is dropped.
struct UnderWay {
    attempt: Attempt,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It was never checked, or not to the end.
    Left,
    Right,
    Wrong,
}

impl UnderWay {
    async fn check(
        self,
        room: OwnedSemaphorePermit,
        user: String,
        password: String,
    ) -> Result<Identity, Refusal> {
        let passwords = &self.attempt.passwords;
        let checked = timeout(CHECK, passwords.users.check(&user, &password)).await;
        drop(room);
        match checked {
            Ok(identity) => self.end(identity),
            Err(_) => {
                if let Some(count) = passwords.slow.due() {
                    warn!(limit = ?CHECK, given_up = count, "A password took too long to be checked");
                }
                Err(Refusal::Busy)
            }
        }
    }

    fn end(mut self, identity: Option<Identity>) -> Result<Identity, Refusal> {
        let Some(identity) = identity else {
            self.outcome = Outcome::Wrong;
            return Err(Refusal::Wrong { known: false });
        };
        self.outcome = Outcome::Right;
        if let Some((revision, seal)) = self.attempt.tried() {
            let memory = &self.attempt.passwords.memory;
            memory.remember(revision, seal, Instant::now(), identity.clone());
        }
        Ok(identity)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Attempt { client, limits, .. } = &self.attempt;
        let tried = self.attempt.tried();
        let mut addresses = self.attempt.passwords.addresses();
        addresses.end(*client, tried, self.outcome, limits, Instant::now());
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
