//! Who tries a password, by where it comes from.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use http::HeaderMap;

use crate::{headers::X_FORWARDED_FOR, proxy::Ranges};

/// The addresses that are one client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::authentication) enum Client {
    Address(IpAddr),
    /// The first address of a /64: a host of IPv6 has that many.
    Network(Ipv6Addr),
    /// All of those who have no address, by a Unix socket say.
    Unknown,
}

impl Client {
    /// Whose request this is that `peer` sent with `headers`: the last in `X-Forwarded-For` who is none of `proxies`, if
    /// the peer is one of them.
    pub(in crate::authentication) fn of(
        peer: Option<IpAddr>,
        headers: &HeaderMap,
        proxies: &Ranges,
    ) -> Self {
        let Some(peer) = peer else {
            return Self::Unknown;
        };
        let mut client = peer;
        let lines = headers.get_all(X_FORWARDED_FOR);
        // The entry that was written last stands last.
        let mut entries = lines
            .iter()
            .rev()
            .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        while proxies.contains(client) {
            match entries.next().and_then(address) {
                Some(before) => client = before,
                None => break,
            }
        }
        Self::at(client)
    }

    fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Network(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            four @ IpAddr::V4(_) => Self::Address(four),
        }
    }
}

/// An address with or without a port; of IPv6, with or without brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry.trim_ascii()).ok()?;
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    bare.unwrap_or(text).parse().ok().or_else(with_port)
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Network(first) => write!(f, "{first}/64"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(peer: &str, lines: &[&'static str]) -> String {
        let proxies = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        let peer = Some(peer.parse().unwrap());
        Client::of(peer, &headers, &Ranges::new(&proxies)).to_string()
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_ipv6() {
        assert_eq!(of("192.0.2.7", &[]), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7", &[]), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6", &[]), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::1", &[]), "2001:db8:1:2::/64");
        let nobody = Client::of(None, &HeaderMap::new(), &Ranges::default());
        assert_eq!(nobody.to_string(), "unknown");
    }

    #[test]
    fn nobody_but_a_trusted_proxy_says_who_it_is() {
        for (peer, lines, want) in [
            ("192.0.2.7", &["198.51.100.1"][..], "192.0.2.7"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // What the client wrote itself stands before what the proxy wrote.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
            (
                "10.0.0.1",
                &["203.0.113.9, 198.51.100.1:4711 , 10.9.9.9"],
                "198.51.100.1",
            ),
            ("10.0.0.1", &["10.2.2.2"], "10.2.2.2"),
            ("10.0.0.1", &["nonsense, 10.2.2.2"], "10.2.2.2"),
            ("10.0.0.1", &["nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("fd00::1", &["[2001:db8::1]:80"], "2001:db8::/64"),
            ("fd00::1", &["[2001:db8::1]"], "2001:db8::/64"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::/64"),
        ] {
            assert_eq!(of(peer, lines), want, "{peer} {lines:?}");
        }
    }
}
