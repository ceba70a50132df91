//! The user whom a layer in front of the host half authenticated.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue};
use tracing::warn;

use crate::{Identity, PairingToken, headers::MS_ASPNETCORE_IDENTITY};

/// How long a sealed identity is believed: the way to the app and a busy moment there, and no longer.
const LIFETIME: Duration = Duration::from_secs(60);

/// Seals `identity` for the process that knows `token`.
///
/// Once for each process that the request is tried on. Runs after the client's own headers of this name were taken out. An app
/// that nobody gave a token is told nothing.
pub(in crate::proxy) fn vouch(
    headers: &mut HeaderMap,
    identity: &Identity,
    token: Option<&PairingToken>,
) {
    // Sealed for another process, it is worth nothing to this one.
    headers.remove(MS_ASPNETCORE_IDENTITY);
    let Some(token) = token else {
        return;
    };
    // A request whose user can't be told is one without a user, which can do less.
    match identity.seal(token, SystemTime::now(), LIFETIME) {
        Ok(sealed) => {
            if let Ok(mut value) = HeaderValue::try_from(sealed) {
                value.set_sensitive(true);
                headers.insert(MS_ASPNETCORE_IDENTITY, value);
            }
        }
        Err(error) => warn!(%error, "User not told to the app"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vouched(identity: &Identity, token: Option<&PairingToken>) -> Option<HeaderValue> {
        let mut headers = HeaderMap::new();
        headers.insert(
            MS_ASPNETCORE_IDENTITY,
            HeaderValue::from_static("of another"),
        );
        vouch(&mut headers, identity, token);
        headers.remove(MS_ASPNETCORE_IDENTITY)
    }

    #[test]
    fn the_app_is_told_who_it_is_for_a_minute() {
        let token = PairingToken::generate();
        let alice = Identity::new("Negotiate", "alice");
        let sealed = vouched(&alice, Some(&token)).unwrap();
        assert!(sealed.is_sensitive());
        let opened = Identity::open(sealed.as_bytes(), &token, SystemTime::now()).unwrap();
        assert_eq!(opened.name(), "alice");
        let later = SystemTime::now() + LIFETIME;
        assert!(Identity::open(sealed.as_bytes(), &token, later).is_err());
    }

    #[test]
    fn without_a_token_or_too_long_nothing_is_told() {
        let token = PairingToken::generate();
        let alice = Identity::new("Negotiate", "alice");
        let long = alice.clone().with_realm("x".repeat(100_000));
        assert_eq!(vouched(&alice, None), None);
        assert_eq!(vouched(&long, Some(&token)), None);
    }
}
