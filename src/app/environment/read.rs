//! What the values of the module's variables mean. Pure.

use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::EnvironmentError;
use crate::{PairingToken, PathBase};

/// What a Unix socket's address begins with.
const UNIX_URL: &str = "http://unix:";

/// What no client sends unencoded in a path (RFC 3986, 3.3), so that a path base never holds it.
const ENCODED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// ASP.NET Core: `http://unix:/path`. Of several addresses, none is ours.
pub(super) fn unix_path(urls: Option<String>) -> Option<PathBuf> {
    let path = urls?.strip_prefix(UNIX_URL)?.to_owned();
    (path.starts_with('/') && !path.contains(';')).then(|| path.into())
}

pub(super) fn port(name: &'static str, text: &str) -> Result<u16, EnvironmentError> {
    match text.parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(EnvironmentError::new(
            name,
            "a port from 1 to 65535",
            Some(text),
        )),
    }
}

/// The module says the path as IIS shows it, `/my app`; clients send `/my%20app`, and bytes are compared.
///
/// `%20` stays as it is, because who says so has encoded already; a `%` that begins nothing is `%25`.
pub(super) fn path_base(name: &'static str, text: &str) -> Result<PathBase, EnvironmentError> {
    let mut encoded = String::with_capacity(text.len());
    for (n, part) in text.split('%').enumerate() {
        if n > 0 {
            let begins = |digits: &str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            encoded.push_str(if part.get(..2).is_some_and(begins) {
                "%"
            } else {
                "%25"
            });
        }
        encoded.extend(utf8_percent_encode(part, ENCODED));
    }
    let expected = "`/` or whole segments such as `/app`";
    encoded
        .parse()
        .map_err(|_| EnvironmentError::new(name, expected, Some(text)))
}

/// ANCM: what is no boolean counts as missing, and what is missing as supported.
pub(super) fn websockets(text: Option<&str>) -> bool {
    !text.is_some_and(|text| text.trim().eq_ignore_ascii_case("false"))
}

/// `text` is in no error: it is a secret.
pub(super) fn token(name: &'static str, text: &str) -> Result<PairingToken, EnvironmentError> {
    let expected = "a text that a header can carry";
    PairingToken::new(text).map_err(|_| EnvironmentError::new(name, expected, None))
}

/// A list with semicolons between and behind its items.
pub(super) fn items(text: Option<&str>) -> impl Iterator<Item = &str> {
    let items = text.unwrap_or_default().split(';');
    items.filter(|item| !item.is_empty())
}
