//! What a request offers as proof (RFC 9110, 11.4). Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};

/// The largest token that is looked at, in bytes: a ticket with many groups has up to 48 KiB.
const LARGEST_TOKEN: usize = 64 * 1024;

/// The proof of a request. No `Debug`: it holds secrets.
#[derive(PartialEq, Eq)]
pub(super) enum Credentials {
    /// None, or of a scheme that is not for us.
    None,
    /// A token of `Negotiate` (RFC 4559, 4.2).
    Negotiate(Vec<u8>),
    /// User and password (RFC 7617, 2).
    Basic(String, String),
    /// Meant for us, and not to be read.
    Broken(&'static str),
}

/// Which schemes are ours.
#[derive(Clone, Copy)]
pub(super) struct Ours {
    pub(super) negotiate: bool,
    pub(super) basic: bool,
}

impl Credentials {
    /// Those of `headers`.
    pub(super) fn of(headers: &HeaderMap, ours: Ours) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let Some(first) = lines.next() else {
            return Self::None;
        };
        if lines.next().is_some() {
            return Self::Broken("there are several Authorization lines");
        }
        let (scheme, rest) = split(first.as_bytes());
        if ours.negotiate && scheme.eq_ignore_ascii_case(b"negotiate") {
            negotiate(rest)
        } else if ours.basic && scheme.eq_ignore_ascii_case(b"basic") {
            basic(rest)
        } else if ours.negotiate && scheme.eq_ignore_ascii_case(b"ntlm") {
            Self::Broken("NTLM was not offered")
        } else {
            Self::None
        }
    }
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|byte| *byte == b' ') {
        Some(space) => {
            let (scheme, rest) = line.split_at(space);
            (scheme, rest.trim_ascii())
        }
        None => (line, &[]),
    }
}

fn negotiate(token: &[u8]) -> Credentials {
    if token.len() > LARGEST_TOKEN / 3 * 4 {
        return Credentials::Broken("the token is too long");
    }
    match STANDARD.decode(token) {
        Ok(token) if !token.is_empty() => Credentials::Negotiate(token),
        Ok(_) => Credentials::Broken("there is no token"),
        Err(_) => Credentials::Broken("the token is not base64"),
    }
}

fn basic(text: &[u8]) -> Credentials {
    let decoded = STANDARD.decode(text).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    match decoded.as_deref().and_then(|text| text.split_once(':')) {
        // RFC 7617, 2: neither holds control characters.
        Some((user, password))
            if !(user.contains(char::is_control) || password.contains(char::is_control)) =>
        {
            Credentials::Basic(user.to_owned(), password.to_owned())
        }
        Some(_) => Credentials::Broken("user or password holds control characters"),
        None => Credentials::Broken("it is not base64 of a user, a colon and a password in UTF-8"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const BOTH: Ours = Ours {
        negotiate: true,
        basic: true,
    };

    fn of(lines: &[&'static str], ours: Ours) -> Credentials {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_static(line));
        }
        Credentials::of(&headers, ours)
    }

    #[test]
    fn ours_are_read_in_any_case() {
        let alice = Credentials::Basic("alice".into(), "a:b".into());
        for line in ["Basic YWxpY2U6YTpi", "bAsIc   YWxpY2U6YTpi "] {
            assert!(of(&[line], BOTH) == alice, "{line}");
        }
        for line in ["Negotiate YII=", "negotiate  YII="] {
            assert!(
                of(&[line], BOTH) == Credentials::Negotiate(b"`\x82".to_vec()),
                "{line}"
            );
        }
    }

    #[test]
    fn others_are_the_apps() {
        let neither = Ours {
            negotiate: false,
            basic: false,
        };
        for line in ["Bearer abc", "Digest x=y", "", "Basically YWxpY2U6YTpi"] {
            assert!(of(&[line], BOTH) == Credentials::None, "{line}");
        }
        for line in ["Basic YWxpY2U6YTpi", "Negotiate YII=", "NTLM TlRM"] {
            assert!(of(&[line], neither) == Credentials::None, "{line}");
        }
        assert!(of(&[], BOTH) == Credentials::None);
    }

    #[test]
    fn broken_ones_are_no_credentials_of_anybody() {
        for lines in [
            &["Basic YWxpY2U6YTpi", "Basic YWxpY2U6YTpi"][..],
            &["Bearer abc", "Negotiate YII="],
            &["Negotiate"],
            &["Negotiate !"],
            &["Negotiate YII"],
            &["Basic"],
            &["Basic YWxpY2U="],
            &["Basic //8="],
            &["Basic YQo6Yg=="],
            &["NTLM TlRMTVNTUAAB"],
        ] {
            assert!(
                matches!(of(lines, BOTH), Credentials::Broken(_)),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn a_token_has_a_limit() {
        let long = HeaderValue::try_from(format!("Negotiate {}", "A".repeat(200_000))).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, long)]);
        assert!(matches!(
            Credentials::of(&headers, BOTH),
            Credentials::Broken(_)
        ));
    }
}
