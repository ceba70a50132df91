//! Where a request goes: its host and its target.

use http::{HeaderValue, Method, Uri, Version, header::HOST, request::Parts};

use crate::error::Error;

/// One valid `Host`, and the target in origin-form (RFC 9112, 3.2).
pub(super) fn settle(parts: &mut Parts) -> Result<(), Error> {
    judge(parts)?;
    if names_host(parts) {
        return settle_absolute(parts);
    }
    // The client of HTTP/1.0 names no host and can't be asked to: an empty one is what is left (RFC 9112, 3.2).
    if parts.version < Version::HTTP_11 && !parts.headers.contains_key(HOST) {
        parts.headers.insert(HOST, HeaderValue::from_static(""));
    }
    Ok(())
}

/// Whether there is one valid host, and a target that is a path of it: what has to be so for a request to be [settled](settle),
/// and for one that nobody changes on its way to the app.
pub(super) fn judge(parts: &Parts) -> Result<(), Error> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(Error::bad_request("more than one Host"));
    }
    if let Some(host) = host
        && !is_host(host.as_bytes())
    {
        return Err(Error::bad_request("the Host is not valid"));
    }
    if names_host(parts) {
        judge_absolute(parts, host)?;
    } else if host.is_none() && parts.version >= Version::HTTP_11 {
        return Err(Error::bad_request("no Host"));
    }
    judge_asterisk(parts)
}

/// Whether the target is in absolute-form, or HTTP/2's.
fn names_host(parts: &Parts) -> bool {
    parts.uri.authority().is_some() || parts.uri.scheme().is_some()
}

/// Absolute-form, or HTTP/2: the host stands in the target, and may stand in `Host` too.
fn judge_absolute(parts: &Parts, host: Option<&HeaderValue>) -> Result<(), Error> {
    let Some(authority) = parts.uri.authority() else {
        return Err(Error::bad_request("the target names no host"));
    };
    let authority = authority.as_str().as_bytes();
    if !is_host(authority) {
        return Err(Error::bad_request("the host of the target is not valid"));
    }
    match host {
        Some(host) if host.as_bytes().eq_ignore_ascii_case(authority) => {}
        // Stricter than RFC 9112, 3.2.2, which lets the target win: whoever sends two hosts wants one of us fooled.
        Some(_) => return Err(Error::bad_request("the Host is not the target's")),
        None if parts.version == Version::HTTP_11 => return Err(Error::bad_request("no Host")),
        None => {}
    }
    match parts.uri.path_and_query() {
        Some(_) => Ok(()),
        None => Err(Error::bad_request("the target is no path")),
    }
}

/// Asterisk-form asks about the server as a whole, so it is for OPTIONS alone (RFC 9112, 3.2.4).
fn judge_asterisk(parts: &Parts) -> Result<(), Error> {
    match parts.uri.path() {
        "*" if parts.method != Method::OPTIONS => {
            Err(Error::bad_request("the target * is for OPTIONS"))
        }
        _ => Ok(()),
    }
}

/// Origin-form of what was [judged](judge).
fn settle_absolute(parts: &mut Parts) -> Result<(), Error> {
    let target = std::mem::take(&mut parts.uri).into_parts();
    if let Some(authority) = target.authority
        && !parts.headers.contains_key(HOST)
    {
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_| Error::bad_request("the host of the target is not valid"))?;
        parts.headers.insert(HOST, host);
    }
    let path = target.path_and_query;
    parts.uri = Uri::from(path.ok_or_else(|| Error::bad_request("the target is no path"))?);
    if parts.uri.path().is_empty() {
        // What is left where nothing but a fragment follows the host, which is no part of a target (RFC 9110, 4.1).
        parts.uri = Uri::from_static("/");
    }
    Ok(())
}

/// Whether `text` is `uri-host [ ":" port ]` (RFC 9112, 3.2), be it empty; a name with a comma is two to some.
fn is_host(text: &[u8]) -> bool {
    let port = match text {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else {
                return false;
            };
            let (inside, after) = rest.split_at(end);
            let address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            if inside.is_empty() || !inside.iter().all(address) {
                return false;
            }
            after.get(1..).unwrap_or_default()
        }
        // One look at each byte: what is no name is a port, or nothing.
        _ => {
            let named = |byte: &u8| NAMED.get(usize::from(*byte)) == Some(&true);
            let end = text.iter().position(|byte| !named(byte));
            text.get(end.unwrap_or(text.len())..).unwrap_or_default()
        }
    };
    match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// The bytes that may stand in a host's name (RFC 3986, 3.2.2), but for the comma. A table, because every byte of every
/// request's host is looked up.
const NAMED: [bool; 256] = {
    let mut named = [false; 256];
    let mut rest: &[u8] =
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~%!$&'()*+;=";
    while let [byte, after @ ..] = rest {
        #[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
        {
            named[*byte as usize] = true;
        }
        rest = after;
    }
    named
};
