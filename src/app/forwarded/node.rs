//! What the parts of an entry mean.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::host::parse_port;
use crate::{PathBase, Scheme};

/// An address with or without a port; without one, the port is 0, which no client has.
///
/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]`, `[::1]:80`. A port may be a made-up name (RFC 7239, 6.3), the address
/// may not: `_hidden` and `unknown` say that there is nothing to know.
///
/// Differs from ANCM: .NET also takes IPv4 addresses in hex, octal and with parts left out.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (IpAddr::V6(address.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (address, port) = text.split_at_checked(text.find(':')?)?;
            (IpAddr::V4(address.parse().ok()?), port)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(port) if is_obfuscated(port) => 0,
        Some(port) => parse_port(port)?,
        None if port.is_empty() => 0,
        None => return None,
    };
    Some(SocketAddr::new(address, port))
}

/// RFC 7239, 6.3: an underscore and at least one letter, digit, `.`, `_` or `-`.
fn is_obfuscated(port: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    port.strip_prefix('_')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(known))
}

/// Differs from ANCM: any word counts as a scheme there; here only those of HTTP.
pub(super) fn scheme(text: &str) -> Option<Scheme> {
    [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
}

/// Differs from ANCM: a slash at the front is enough there; here only what can't leave its place in a link.
pub(super) fn prefix(text: &str) -> Option<PathBase> {
    text.parse().ok().filter(|base: &PathBase| !base.is_root())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_a_port() {
        for (text, want) in [
            ("192.0.2.1", "192.0.2.1:0"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("192.0.2.1:_port", "192.0.2.1:0"),
            ("::1", "[::1]:0"),
            ("2001:db8::1:80", "[2001:db8::1:80]:0"),
            ("[::1]", "[::1]:0"),
            ("[::1]:80", "[::1]:80"),
            ("[::ffff:192.0.2.1]:0", "[::ffff:192.0.2.1]:0"),
        ] {
            assert_eq!(address(text), Some(want.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "localhost",
            "1.2.3",
            "1.2.3.4:",
            "1.2.3.4:x",
            "1.2.3.4:+1",
            "1.2.3.4:65536",
            "1.2.3.4:1:2",
            "01.2.3.4",
            "0x1.2.3.4",
            "[1.2.3.4]",
            "[::1",
            "::1]",
            "[::1]80",
            "[::1]:",
            "fe80::1%eth0",
            "[fe80::1%1]:80",
            "1.2.3.4 ",
            "1.2.3.4:_",
            "\u{fffd}",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn the_schemes_of_http() {
        assert_eq!(scheme("https"), Some(Scheme::Https));
        assert_eq!(scheme("HTTP"), Some(Scheme::Http));
        for text in ["", "ftp", "https:", "http s", "wss", "javascript"] {
            assert_eq!(scheme(text), None, "{text}");
        }
    }

    #[test]
    fn prefixes_that_are_whole_segments() {
        assert_eq!(prefix("/a/b").unwrap().as_str(), "/a/b");
        assert_eq!(prefix("/a/").unwrap().as_str(), "/a");
        for text in [
            "",
            "/",
            "//",
            "a",
            "//evil",
            "/a//b",
            "/a/../b",
            "/.",
            "/a b",
            "/a\u{e9}",
            "/a?b",
            "https://x",
        ] {
            assert_eq!(prefix(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(bits: u128, four: u32, port: u16) {
            for ip in [IpAddr::V6(bits.into()), IpAddr::V4(four.into())] {
                let whole = SocketAddr::new(ip, port);
                proptest::prop_assert_eq!(address(&whole.to_string()), Some(whole));
                proptest::prop_assert_eq!(address(&ip.to_string()), Some(SocketAddr::new(ip, 0)));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = (address(&text), scheme(&text), prefix(&text), super::super::host::split(&text));
        }
    }
}
