//! Addresses of sockets as people type them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

/// `IP:PORT`, `localhost:PORT`, `[IPv6]:PORT`, or `:PORT`, which is at `no_host`. Names are not looked up.
///
/// # Errors
///
/// What was expected, in words.
pub fn socket_address(text: &str, no_host: Ipv4Addr) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let known = text.rsplit_once(':').and_then(|(host, port)| {
        let host = match host {
            "" => no_host,
            host if host.eq_ignore_ascii_case("localhost") => Ipv4Addr::LOCALHOST,
            _ => return None,
        };
        Some(SocketAddr::from((host, decimal(port)?)))
    });
    known.ok_or_else(|| {
        "expected IP:PORT, localhost:PORT, :PORT or [IPv6]:PORT with a port up to 65535".to_owned()
    })
}

/// `u16::from_str` would take a plus sign.
fn decimal(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// `10.0.0.0/8`, or one address.
pub(in crate::config) fn network(text: &str) -> Option<IpNet> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_people_type() {
        for (text, want) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("localhost:80", "127.0.0.1:80"),
            ("LocalHost:80", "127.0.0.1:80"),
            (":5000", "0.0.0.0:5000"),
            ("[::1]:80", "[::1]:80"),
            ("[::]:80", "[::]:80"),
        ] {
            let address = socket_address(text, Ipv4Addr::UNSPECIFIED).unwrap();
            assert_eq!(address.to_string(), want, "{text}");
        }
        let here = socket_address(":80", Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(here.to_string(), "127.0.0.1:80");
    }

    #[test]
    fn says_what_was_expected() {
        for text in [
            "",
            ":",
            "8080",
            "localhost",
            "127.0.0.1",
            "::1",
            "127.0.0.1:65536",
            ":+80",
            "example.org:80",
            "http://127.0.0.1:80",
            "localhost:",
            ":-1",
            " :80",
        ] {
            let error = socket_address(text, Ipv4Addr::LOCALHOST).unwrap_err();
            assert!(error.contains("expected IP:PORT"), "{text}");
        }
    }

    #[test]
    fn a_network_may_be_one_address() {
        for (text, want) in [("10.0.0.0/8", "10.0.0.0/8"), ("::1", "::1/128")] {
            assert_eq!(network(text).unwrap().to_string(), want);
        }
        for text in ["", "me", "10.0.0.0/33"] {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
