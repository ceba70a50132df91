//! Users in a file, for Basic authentication.
//!
//! A line for each, `NAME:HASH`, where the hash is Argon2's in the PHC format; empty lines and lines that begin with `#`
//! are passed over. `ancm password NAME` writes such a line, and [`line()`] makes one.
//!
//! ```
//! use ancm::authentication::users::{Users, line};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("users.txt");
//! std::fs::write(&file, line("alice", "correct horse")?)?;
//! let users = Users::load(file)?;
//! assert_eq!(users.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! A check takes as long, and as much memory, as the hash asks for, so it runs on threads that may block, and only so many
//! at once as leave cores to the front: half of them. What was right is remembered for a while, until the file changes; how often
//! a wrong one may be tried, [`Attempts`](super::Attempts) limits. A user who is not there costs what one costs who is.
//!
//! The file is watched. One that can't be read any more changes nothing, and the log says why.

mod reload;
mod table;

use std::{
    fmt, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use arc_swap::ArcSwap;
use argon2::{
    Argon2, PasswordHasher as _, PasswordVerifier as _, password_hash::phc::PasswordHash,
};
use tokio::sync::Semaphore;

use self::table::Table;
use super::{Check, CheckPassword};
use crate::{Identity, files};

/// The users of a file; cheap to clone.
#[derive(Clone)]
pub struct Users {
    shared: Arc<Shared>,
}

struct Shared {
    table: Arc<ArcSwap<Table>>,
    /// Each check takes a core for tens of milliseconds.
    at_once: Arc<Semaphore>,
    _file: files::Watcher,
}

impl Users {
    /// Reads `file`, and watches it from now on.
    ///
    /// # Errors
    ///
    /// When it can't be read, or something in it is wrong; when no thread can be started to watch it.
    pub fn load(file: impl Into<PathBuf>) -> Result<Self, UsersError> {
        let file = file.into();
        let file = std::path::absolute(&file).unwrap_or(file);
        let seen = reload::stamp(&file);
        let table = Arc::new(ArcSwap::from_pointee(table::load(&file)?));
        let watcher = reload::watch(file.clone(), &table, seen)
            .map_err(|error| UsersError::new(&file, None, Kind::Read(error)))?;
        Ok(Self {
            shared: Arc::new(Shared {
                table,
                at_once: Arc::new(Semaphore::new(half_the_cores())),
                _file: watcher,
            }),
        })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.table.load().len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn half_the_cores() -> usize {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    cores.div_ceil(2)
}

impl CheckPassword for Users {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a> {
        let (user, password) = (user.to_owned(), password.to_owned());
        let at_once = Arc::clone(&self.shared.at_once);
        Box::pin(async move {
            // Whoever goes away meanwhile leaves the queue.
            let permit = at_once.acquire_owned().await.ok()?;
            let table = self.shared.table.load_full();
            let checking = tokio::task::spawn_blocking(move || {
                // Held until the work is done, even when nobody waits for it any more.
                let _permit = permit;
                let (hash, known) = table.hash_for(&user);
                let right = verify(&password, hash);
                (right && known).then(|| Identity::new("Basic", user))
            });
            checking.await.ok().flatten()
        })
    }

    fn revision(&self) -> Option<u64> {
        Some(self.shared.table.load().revision())
    }

    fn at_once(&self) -> usize {
        half_the_cores()
    }
}

fn verify(password: &str, hash: &PasswordHash) -> bool {
    Argon2::default()
        .verify_password(password.as_bytes(), hash)
        .is_ok()
}

/// A line of the file, with its end: for `user`, and the hash of `password` with a salt of its own, by Argon2id as OWASP
/// recommends it (19 MiB, 2 passes).
///
/// # Errors
///
/// When `user` is a name that Basic authentication can't carry (RFC 7617, 2): empty, with a colon or with control
/// characters. When the system has no randomness.
pub fn line(user: &str, password: &str) -> Result<String, UsersError> {
    let file = Path::new("");
    table::check_name(user).map_err(|kind| UsersError::new(file, None, kind))?;
    let hash: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| UsersError::new(file, None, Kind::Hash(error.to_string())))?;
    Ok(format!("{user}:{hash}\n"))
}

/// Why a file of users can't be used. Names the file and the line, and nothing of a hash.
#[derive(Debug, thiserror::Error)]
#[error("{}{kind}", Place(.file, .line))]
pub struct UsersError {
    file: PathBuf,
    line: Option<usize>,
    kind: Kind,
}

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error("the file of users can't be read: {0}")]
    Read(io::Error),
    #[error("the file of users is larger than 1 MiB")]
    TooLarge,
    #[error("expected NAME:HASH, as `ancm password NAME` writes it")]
    NoHash,
    #[error("the name is empty or holds control characters or a colon")]
    Name,
    #[error("the user `{0}` is there twice")]
    Twice(String),
    #[error(
        "the hash is none of Argon2 in the PHC format ($argon2id$…); `ancm password NAME` makes one: {0}"
    )]
    Hash(String),
    #[error(
        "the hash asks for more than 1 GiB of memory or 64 passes, which would keep everybody out"
    )]
    TooCostly,
}

impl UsersError {
    fn new(file: &Path, line: Option<usize>, kind: Kind) -> Self {
        Self {
            file: file.to_owned(),
            line,
            kind,
        }
    }
}

/// `path:line: `, as compilers write it.
struct Place<'a>(&'a Path, &'a Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_os_str().is_empty(), self.1) {
            (true, _) => Ok(()),
            (false, None) => write!(f, "{}: ", self.0.display()),
            (false, Some(line)) => write!(f, "{}:{line}: ", self.0.display()),
        }
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
