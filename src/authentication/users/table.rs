//! The users as the file has them.

use std::{
    collections::HashMap,
    fs::File,
    hash::{BuildHasher as _, RandomState},
    io::Read as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use argon2::{Params, password_hash::phc::PasswordHash};
use tracing::warn;

use super::{Kind, UsersError};
use crate::files;

/// More is no file of users.
const LARGEST: u64 = 1024 * 1024;
/// In KiB.
const MOST_MEMORY: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 64;

/// What is checked against where there is no user at all: of nobody's password.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
                      YW5jbSBub2JvZHkgaGVyZQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The users of a file, read once.
pub(super) struct Table {
    hashes: Vec<PasswordHash>,
    users: HashMap<String, usize>,
    revision: u64,
    /// Whose hash stands in for a user who is not there: the same each time, and nobody can tell which.
    stand_ins: RandomState,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.users.len()
    }

    /// Another one for each table of this process.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// What the password of `user` is to be checked against, and whether that is a user at all.
    ///
    /// A user who is not there gets the hash of one who is, so that a check takes the time that one of these takes.
    pub(super) fn hash_for(&self, user: &str) -> (&PasswordHash, bool) {
        let known = self.users.get(user).and_then(|&at| self.hashes.get(at));
        if let Some(hash) = known {
            return (hash, true);
        }
        let count = self.hashes.len().max(1) as u64;
        let at = usize::try_from(self.stand_ins.hash_one(user) % count).unwrap_or_default();
        let hash = self.hashes.get(at);
        (hash.expect("there is at least nobody's"), false)
    }
}

pub(super) fn load(path: &Path) -> Result<Table, UsersError> {
    let wrong = |kind| UsersError::new(path, None, kind);
    let file = File::open(path).map_err(|error| wrong(Kind::Read(error)))?;
    let metadata = file.metadata().map_err(|error| wrong(Kind::Read(error)))?;
    if files::is_readable_by_all(&metadata) {
        warn!(file = %path.display(), "Users can be read by every user of this machine");
    }
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.map_err(|error| wrong(Kind::Read(error)))?;
    if text.len() as u64 > LARGEST {
        return Err(wrong(Kind::TooLarge));
    }
    parse(&text).map_err(|(line, kind)| UsersError::new(path, Some(line), kind))
}

/// What `text` says, or the line that is wrong.
pub(super) fn parse(text: &str) -> Result<Table, (usize, Kind)> {
    static REVISIONS: AtomicU64 = AtomicU64::new(0);
    let (mut hashes, mut users) = (Vec::new(), HashMap::new());
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (name, hash) = user(text).map_err(|kind| (line, kind))?;
        if users.insert(name.to_owned(), hashes.len()).is_some() {
            return Err((line, Kind::Twice(name.to_owned())));
        }
        hashes.push(hash);
    }
    if hashes.is_empty() {
        hashes.extend(PasswordHash::new(NOBODY));
    }
    Ok(Table {
        hashes,
        users,
        revision: REVISIONS.fetch_add(1, Ordering::Relaxed),
        stand_ins: RandomState::new(),
    })
}

fn user(text: &str) -> Result<(&str, PasswordHash), Kind> {
    let (name, hash) = text.split_once(':').ok_or(Kind::NoHash)?;
    check_name(name)?;
    let wrong = |what: &dyn std::fmt::Display| Kind::Hash(what.to_string());
    let hash = PasswordHash::new(hash).map_err(|error| wrong(&error))?;
    let params = Params::try_from(&hash).map_err(|error| wrong(&error))?;
    if argon2::Algorithm::try_from(hash.algorithm.as_str()).is_err() {
        return Err(wrong(&"another algorithm"));
    }
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(wrong(&"without a salt or the hash itself"));
    }
    if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES {
        return Err(Kind::TooCostly);
    }
    Ok((name, hash))
}

/// What Basic authentication can carry (RFC 7617, 2).
pub(super) fn check_name(name: &str) -> Result<(), Kind> {
    let wrong = name.is_empty() || name.contains(':') || name.contains(char::is_control);
    (!wrong).then_some(()).ok_or(Kind::Name)
}
