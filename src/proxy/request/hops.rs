//! The hops of a message: how many it may still take, and who it passed.

use bytes::{BufMut, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Version,
    header::{MAX_FORWARDS, VIA},
    request::Parts,
};

/// Counts this hop, and says whether the request must not take another one: then it is answered here (RFC 9110, 7.6.2).
///
/// Only OPTIONS: TRACE, which counts its hops too, is never forwarded. What is no number is not ours to judge.
pub(in crate::proxy) fn is_last(parts: &mut Parts) -> bool {
    if parts.method != Method::OPTIONS {
        return false;
    }
    let mut said = parts.headers.get_all(MAX_FORWARDS).iter();
    let Some(left) = said
        .next()
        .filter(|_| said.next().is_none())
        .and_then(number)
    else {
        return false;
    };
    match left.checked_sub(1) {
        Some(left) => {
            parts.headers.insert(MAX_FORWARDS, left.into());
            false
        }
        None => true,
    }
}

fn number(value: &HeaderValue) -> Option<u64> {
    let digits = Some(value.as_bytes()).filter(|text| text.iter().all(u8::is_ascii_digit))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A proxy's entry in `Via`, for each version of HTTP that a message may have come in.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Via {
    http_1_0: HeaderValue,
    http_1_1: HeaderValue,
    http_2: HeaderValue,
}

impl Via {
    /// `None` where `name` could be taken for something else.
    pub(in crate::proxy) fn new(name: &str) -> Option<Self> {
        let entry = |version: &str| {
            let mut text = BytesMut::with_capacity(version.len() + 1 + name.len());
            text.put_slice(version.as_bytes());
            text.put_u8(b' ');
            text.put_slice(name.as_bytes());
            HeaderValue::from_maybe_shared(text.freeze()).ok()
        };
        // The name of a header is a token too.
        http::HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some(Self {
            http_1_0: entry("1.0")?,
            http_1_1: entry("1.1")?,
            http_2: entry("2")?,
        })
    }

    /// Signs a message that came in `version`.
    pub(in crate::proxy) fn sign(&self, headers: &mut HeaderMap, version: Version) {
        let entry = match version {
            Version::HTTP_2 => &self.http_2,
            Version::HTTP_10 => &self.http_1_0,
            _ => &self.http_1_1,
        };
        // A line of its own after those that came means the same as one more element (RFC 9110, 5.3).
        headers.append(VIA, entry.clone());
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn last(method: &str, lines: &[&str]) -> (bool, Vec<HeaderValue>) {
        let mut request = Request::builder().method(method);
        for line in lines {
            request = request.header(MAX_FORWARDS, *line);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let last = is_last(&mut parts);
        let left = parts.headers.get_all(MAX_FORWARDS).iter();
        (last, left.cloned().collect())
    }

    #[test]
    fn options_counts_its_hops() {
        for (lines, ends, left) in [
            (&[][..], false, &[][..]),
            (&["0"], true, &["0"]),
            (&["00"], true, &["00"]),
            (&["1"], false, &["0"]),
            (&["10"], false, &["9"]),
            (&["18446744073709551616"], false, &["18446744073709551616"]),
            (&["-1"], false, &["-1"]),
            (&["+1"], false, &["+1"]),
            (&[""], false, &[""]),
            (&["0", "0"], false, &["0", "0"]),
        ] {
            let (last, have) = last("OPTIONS", lines);
            assert_eq!(last, ends, "{lines:?}");
            assert_eq!(have, left, "{lines:?}");
        }
        assert!(!last("GET", &["0"]).0);
    }

    #[test]
    fn a_message_is_signed_with_the_version_it_came_in() {
        let via = Via::new("front-1").unwrap();
        let mut headers = HeaderMap::new();
        headers.append(VIA, HeaderValue::from_static("1.1 other"));
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            via.sign(&mut headers, version);
        }
        let lines: Vec<_> = headers.get_all(VIA).iter().collect();
        assert_eq!(
            lines,
            ["1.1 other", "1.0 front-1", "1.1 front-1", "2 front-1"]
        );
        for name in ["", "a b", "a, 1.1 b", "a\r\nx: y", "é"] {
            assert!(Via::new(name).is_none(), "{name:?}");
        }
    }
}
