//! Hosts: which text is one, and which are allowed.

use std::net::Ipv6Addr;

/// The hosts that an app answers for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AllowedHosts {
    any: bool,
    /// Lower case. `.example.com` for `*.example.com`.
    patterns: Vec<String>,
}

impl AllowedHosts {
    pub(super) fn new(patterns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut hosts = Self::default();
        for pattern in patterns {
            let pattern = pattern.into();
            match pattern.strip_prefix('*') {
                Some("") => hosts.any = true,
                Some(suffix) if suffix.starts_with('.') => hosts.add(suffix),
                Some(_) | None => hosts.add(&pattern),
            }
        }
        hosts
    }

    fn add(&mut self, pattern: &str) {
        self.patterns.push(pattern.to_ascii_lowercase());
    }

    /// Whether `name`, a host without a port, is allowed.
    ///
    /// ANCM: `*.example.com` is `a.example.com` and `a.b.example.com`, but not `example.com`.
    pub(super) fn allow(&self, name: &str) -> bool {
        self.any
            || self.patterns.iter().any(|pattern| {
                if !pattern.starts_with('.') {
                    return name.eq_ignore_ascii_case(pattern);
                }
                let Some(at) = name.len().checked_sub(pattern.len()) else {
                    return false;
                };
                at > 0
                    && name
                        .get(at..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(pattern))
            })
    }
}

/// `text` as host and port, where it is a host that can be written into links and headers as it is.
///
/// ANCM: RFC 3986's host without `*`, `+`, `,`, `;`, `=` and percent-encoding; a colon needs a port behind it.
pub(super) fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match text.find(']') {
        Some(end) => text.split_at_checked(end + 1)?,
        None => text.split_at_checked(text.find(':').unwrap_or(text.len()))?,
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(parse_port(digits)?),
        None if port.is_empty() => None,
        None => return None,
    };
    let well_formed = match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(is_host_byte),
    };
    well_formed.then_some((name, port))
}

/// Digits and nothing else: `u16`'s own parser takes a sign.
pub(super) fn parse_port(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, want) in [
            ("example.com", ("example.com", None)),
            ("example.com:8080", ("example.com", Some(8080))),
            ("192.0.2.1:1", ("192.0.2.1", Some(1))),
            ("[::1]", ("[::1]", None)),
            ("[::1]:443", ("[::1]", Some(443))),
            ("a_b", ("a_b", None)),
        ] {
            assert_eq!(split(text), Some(want), "{text}");
        }
        for text in [
            "", ":80", "a:", "a:b", "a:+1", "a:65536", "a:1:2", "::1", "[::1", "[x]", "[::1]80",
            "a/b", "a b", "a@b", "a?b", "a#b", "a,b", "a%41", "\u{e9}", "a\\b", "]", "a]", "<a>",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }

    #[test]
    fn exact_suffix_or_any() {
        let hosts = AllowedHosts::new(["Example.com", "*.example.org", "[::1]"]);
        for (name, want) in [
            ("example.com", true),
            ("EXAMPLE.COM", true),
            ("a.example.com", false),
            ("a.example.org", true),
            ("a.b.Example.org", true),
            ("example.org", false),
            (".example.org", false),
            ("notexample.org", false),
            ("[::1]", true),
            ("", false),
        ] {
            assert_eq!(hosts.allow(name), want, "{name}");
        }
        assert!(AllowedHosts::new(["*"]).allow("anything"));
        assert!(!AllowedHosts::default().allow("anything"));
    }
}
