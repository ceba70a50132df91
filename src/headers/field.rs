//! What the fields of a message mean to a gateway, and what it does with them by that.

use http::{HeaderMap, HeaderName, HeaderValue, header::CONNECTION};

use super::{RESERVED_PREFIX, is_alike, is_reserved};

/// What a name means to a gateway, before it forwards a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// For the recipient: passes.
    EndToEnd,
    /// `Connection`: names more fields of this kind (RFC 9110, 7.6.1).
    Connection,
    /// For this connection alone (RFC 9110, 7.6.1): `Keep-Alive`, `Proxy-Connection`, `Transfer-Encoding`,
    /// `HTTP2-Settings`.
    HopByHop,
    /// `TE`: for this connection alone, but `trailers` is said anew (RFC 9110, 10.1.4).
    Te,
    /// `Upgrade`: for this connection alone, unless the gateway joins in (RFC 9110, 7.8).
    Upgrade,
    /// `Content-Length`: said anew, from the body.
    ContentLength,
    /// `Host`.
    Host,
    /// `Cookie`, which HTTP/2 may cut to pieces (RFC 9113, 8.2.3).
    Cookie,
    /// `Expect` (RFC 9110, 10.1.1).
    Expect,
    /// The module's alone, in whatever spelling: see [`is_reserved`].
    Reserved,
    /// Where a request came from: the names of [`is_forwarded`], RFC 7239's `Forwarded`, RFC 9440's `Client-Cert` and
    /// `Client-Cert-Chain`.
    Forwarded,
    /// One of the names above but for underscores in the place of dashes.
    ///
    /// Whoever folds the two, as CGI does, can't tell it from the real one (RFC 9110, 17.10).
    Alias,
}

/// The names with a meaning that are as long as `length`, but for the reserved ones: with dashes, in lower case.
///
/// By length, because every name of every message is looked up here, and most lengths have no such name at all.
const fn known_fields(length: usize) -> &'static [(&'static [u8], Field)] {
    match length {
        2 => &[(b"te", Field::Te)],
        4 => &[(b"host", Field::Host)],
        6 => &[(b"cookie", Field::Cookie), (b"expect", Field::Expect)],
        7 => &[(b"upgrade", Field::Upgrade)],
        9 => &[(b"forwarded", Field::Forwarded)],
        10 => &[
            (b"connection", Field::Connection),
            (b"keep-alive", Field::HopByHop),
        ],
        11 => &[(b"client-cert", Field::Forwarded)],
        14 => &[
            (b"content-length", Field::ContentLength),
            (b"http2-settings", Field::HopByHop),
        ],
        15 => &[(b"x-forwarded-for", Field::Forwarded)],
        16 => &[
            (b"x-forwarded-host", Field::Forwarded),
            (b"proxy-connection", Field::HopByHop),
        ],
        17 => &[
            (b"x-forwarded-proto", Field::Forwarded),
            (b"transfer-encoding", Field::HopByHop),
            (b"client-cert-chain", Field::Forwarded),
        ],
        18 => &[(b"x-forwarded-prefix", Field::Forwarded)],
        _ => &[],
    }
}

/// For each length, a bit for each letter that a name with a meaning begins with; the last is for all that are longer.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const FIRST_LETTERS: [u32; 20] = {
    let mut letters = [0; 20];
    let mut length = 0;
    while length < letters.len() {
        let known = known_fields(length);
        let mut index = 0;
        while index < known.len() {
            letters[length] |= letter(known[index].0[0]);
            index += 1;
        }
        if length >= RESERVED_PREFIX.len() {
            letters[length] |= letter(RESERVED_PREFIX[0]);
        }
        length += 1;
    }
    letters
};

/// The bit of a letter, and of a few bytes that are none.
const fn letter(byte: u8) -> u32 {
    1 << (byte & 31)
}

impl Field {
    /// What `name` means.
    #[inline]
    pub(crate) fn of(name: &HeaderName) -> Self {
        let text = name.as_str().as_bytes();
        // Length and first byte tell most names from all that are looked for.
        let letters = FIRST_LETTERS.get(text.len()).or(FIRST_LETTERS.last());
        match (text.first(), letters) {
            (Some(&first), Some(letters)) if letter(first) & letters != 0 => Self::look_up(name),
            _ => Self::EndToEnd,
        }
    }

    fn look_up(name: &HeaderName) -> Self {
        let text = name.as_str().as_bytes();
        let first = text.first();
        if first == RESERVED_PREFIX.first() && is_reserved(name) {
            return Self::Reserved;
        }
        let known = known_fields(text.len());
        if let Some(&(_, field)) = known.iter().find(|(want, _)| text == *want) {
            return field;
        }
        let is_alias = text.contains(&b'_') && known.iter().any(|(want, _)| is_alike(text, want));
        if is_alias {
            Self::Alias
        } else {
            Self::EndToEnd
        }
    }

    /// Whether it may stand in a trailer section.
    ///
    /// What says how to frame, route or trust a message may not (RFC 9110, 6.5.1).
    pub(crate) const fn may_trail(self) -> bool {
        matches!(self, Self::EndToEnd)
    }
}

/// The options of all `Connection` lines, in the case in which they were sent.
pub(crate) fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| list(line.as_bytes()))
}

/// The elements of a comma-separated list without the white space around them and the empty ones (RFC 9110, 5.6.1).
pub(crate) fn list(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// The fields that `Connection` says are for this connection alone, where it may say so of them.
///
/// Not of those that it says something else with (`close`, `keep-alive`, `upgrade`, `te`), nor of those without which
/// the message is another one, nor of what a trusted proxy said before us: a client can leave out what it sent, but
/// not change how the rest is read, or hide where it came from.
pub(crate) fn nominated(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    const OPTIONS: [&[u8]; 4] = [b"keep-alive", b"close", b"upgrade", b"te"];
    connection_options(headers)
        .filter(|option| {
            !OPTIONS
                .iter()
                .any(|known| option.eq_ignore_ascii_case(known))
        })
        .filter_map(|option| HeaderName::from_bytes(option).ok())
        .filter(|name| {
            !matches!(
                Field::of(name),
                Field::Host | Field::ContentLength | Field::Connection | Field::Forwarded
            ) && headers.contains_key(name)
        })
}

/// Writes a field as a line of HTTP/1.
pub(crate) fn write_line(name: &HeaderName, value: &HeaderValue, to: &mut Vec<u8>) {
    to.extend_from_slice(name.as_str().as_bytes());
    to.extend_from_slice(b": ");
    to.extend_from_slice(value.as_bytes());
    to.extend_from_slice(b"\r\n");
}

/// Takes out of a trailer section what may not stand there, above all what only the module says.
pub(crate) fn clean_trailers(trailers: &mut HeaderMap) {
    let unfit: Vec<_> = trailers
        .keys()
        .filter(|name| !Field::of(name).may_trail())
        .cloned()
        .collect();
    for name in unfit {
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_known_name_is_found_by_its_length_and_so_is_its_alias() {
        let mut count = 0;
        for length in 0..32 {
            for (text, field) in known_fields(length) {
                assert_eq!(text.len(), length);
                let text = std::str::from_utf8(text).unwrap();
                assert_eq!(
                    Field::of(&name(&text.to_ascii_uppercase())),
                    *field,
                    "{text}"
                );
                if text.contains('-') {
                    assert_eq!(
                        Field::of(&name(&text.replace('-', "_"))),
                        Field::Alias,
                        "{text}"
                    );
                }
                count += 1;
            }
        }
        assert_eq!(count, 18);
        for text in [
            "ms-aspnetcore",
            "MS_ASPNETCORE-EVENT",
            "ms-aspnetcore-of-any-length-whatever",
        ] {
            assert_eq!(Field::of(&name(text)), Field::Reserved, "{text}");
        }
        for text in ["x", "hosts", "x_y", "content-type", "authorization"] {
            assert_eq!(Field::of(&name(text)), Field::EndToEnd, "{text}");
        }
    }

    #[test]
    fn a_list_is_split_at_its_commas_alone() {
        let split = |text: &'static str| list(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(split(" a ,b\t,, c d ,"), [&b"a"[..], b"b", b"c d"]);
        assert!(split(" , ").is_empty());
    }

    #[test]
    fn trailers_say_nothing_that_only_a_head_may() {
        let mut trailers = HeaderMap::new();
        for text in [
            "x-sum",
            "ms-aspnetcore-token",
            "x_forwarded_for",
            "host",
            "content-length",
            "te",
            "cookie",
        ] {
            trailers.append(name(text), HeaderValue::from_static("1"));
            trailers.append(name(text), HeaderValue::from_static("2"));
        }
        clean_trailers(&mut trailers);
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-sum"]);
    }
}
