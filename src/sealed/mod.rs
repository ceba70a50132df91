//! The user whom a front authenticated, as it is told to the app.
//!
//! Windows hands a user to a process as a token of the kernel. Elsewhere nothing like it passes a socket, so what the
//! host half found out is written down and sealed with the pairing token: HMAC-SHA-256 (RFC 2104) over all of it.
//! Whoever does not know the token can neither make nor change one, and one that was made for another process opens in
//! no other, because every process has its own token.
//!
//! It is bound to the process and to its expiry, and to nothing else: not to a connection, a path or a body. Who can read
//! the traffic between the two halves sees the user, and the token with it.

mod format;

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::PairingToken;

/// The longest sealed identity, as bytes of its header: what common servers take of a head, less the rest of it.
const LONGEST: usize = 12 * 1024;
/// What is sealed is an identity and nothing else that the token may come to seal.
const PURPOSE: &[u8] = b"ancm identity 1\0";

/// Who the client is, as a front found out.
///
/// An authenticating layer in front of the host half puts one into a request's extensions; the host half seals it, the
/// app half opens it, and the app finds it in its request's extensions. No header that a client sends becomes one.
///
/// ```
/// use ancm::Identity;
///
/// let user = Identity::new("Negotiate", "alice")
///     .with_realm("EXAMPLE.ORG")
///     .with_groups(["staff", "admins"]);
/// assert_eq!((user.name(), &*user.principal()), ("alice", "alice@EXAMPLE.ORG"));
/// assert!(user.is_in_group("admins") && !user.is_in_group("Admins"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Identity {
    authentication_type: String,
    name: String,
    realm: String,
    groups: Vec<String>,
    expires: Option<SystemTime>,
}

impl Identity {
    /// The user `name`, who proved it by `authentication_type`, such as `Negotiate` or `Basic`.
    pub fn new(authentication_type: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            authentication_type: authentication_type.into(),
            name: name.into(),
            realm: String::new(),
            groups: Vec::new(),
            expires: None,
        }
    }

    /// Sets where the name is known: a Kerberos realm or a domain. Defaults to nowhere.
    pub fn with_realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Sets the groups. Defaults to none.
    pub fn with_groups(mut self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Sets when the proof ends, such as a ticket. Defaults to never; what is sealed ends sooner in any case.
    pub fn with_expiry(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires);
        self
    }

    /// How the user proved who it is.
    #[must_use]
    pub fn authentication_type(&self) -> &str {
        &self.authentication_type
    }

    /// The user, within its realm.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the name is known; empty where that is nowhere in particular.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The user and its realm in one: `alice@EXAMPLE.ORG`, as Kerberos writes them; without a realm the user alone.
    #[must_use]
    pub fn principal(&self) -> String {
        match self.realm() {
            "" => self.name.clone(),
            realm => format!("{}@{realm}", self.name),
        }
    }

    /// The groups that the user is in.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// Whether the user is in `group`, which is compared to the letter.
    #[must_use]
    pub fn is_in_group(&self, group: &str) -> bool {
        self.groups.iter().any(|have| have == group)
    }

    /// When it is no longer believed; in an app, to the second.
    #[must_use]
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// This identity as a header of the process that knows `token`, for `lifetime` from `now` and no longer than it
    /// lasts itself.
    ///
    /// # Errors
    ///
    /// When it is too long for a header, because of its groups, or has ended.
    pub fn seal(
        &self,
        token: &PairingToken,
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<String, SealError> {
        let end = now.checked_add(lifetime).ok_or(SealError(Kind::Expired))?;
        let end = self.expires.map_or(end, |own| own.min(end));
        if end <= now {
            return Err(SealError(Kind::Expired));
        }
        let written = format::write(self, end).ok_or(SealError(Kind::TooLong))?;
        let mac = authenticated(token, &written).finalize().into_bytes();
        let mut sealed = URL_SAFE_NO_PAD.encode(&written);
        sealed.push('.');
        URL_SAFE_NO_PAD.encode_string(mac, &mut sealed);
        if sealed.len() > LONGEST {
            return Err(SealError(Kind::TooLong));
        }
        Ok(sealed)
    }

    /// What [`seal`](Self::seal) made with the same token, if `now` is before its end.
    ///
    /// Nothing in it is looked at before the seal is found to be whole, in a time that does not tell how much of it is.
    ///
    /// # Errors
    ///
    /// When it was made with another token, was changed, or has ended.
    pub fn open(sealed: &[u8], token: &PairingToken, now: SystemTime) -> Result<Self, SealError> {
        if sealed.len() > LONGEST {
            return Err(SealError(Kind::TooLong));
        }
        let dot = sealed.iter().position(|byte| *byte == b'.');
        let (written, mac) = dot
            .and_then(|dot| Some((sealed.get(..dot)?, sealed.get(dot + 1..)?)))
            .ok_or(SealError(Kind::Broken))?;
        let decode = |text| {
            URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| SealError(Kind::Broken))
        };
        let (written, mac) = (decode(written)?, decode(mac)?);
        authenticated(token, &written)
            .verify_slice(&mac)
            .map_err(|_| SealError(Kind::Broken))?;
        let identity = format::read(&written).ok_or(SealError(Kind::Broken))?;
        match identity.expires {
            Some(end) if now < end => Ok(identity),
            Some(_) | None => Err(SealError(Kind::Expired)),
        }
    }
}

fn authenticated(token: &PairingToken, written: &[u8]) -> Hmac<Sha256> {
    let key = token.header_value().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length will do");
    mac.update(PURPOSE);
    mac.update(written);
    mac
}

/// Why an identity can't be sealed or is not believed. Says nothing of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealError(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ambiguous,
    Broken,
    Expired,
    TooLong,
}

impl SealError {
    /// There are several, of which at most one can be true.
    pub(crate) const fn ambiguous() -> Self {
        Self(Kind::Ambiguous)
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Ambiguous => "there are several identities",
            Kind::Broken => "the identity was not sealed for this process",
            Kind::Expired => "the identity has expired",
            Kind::TooLong => "the identity is too long for a header",
        })
    }
}

impl std::error::Error for SealError {}

#[cfg(test)]
mod tests;
