//! Addresses as people type them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ancm::proxy::Address;
use ipnet::IpNet;

/// Where `run` and `demo` listen when nothing is said: this machine only.
pub(super) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// An address to listen on; `:PORT` is every IPv4 address of this machine.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    parse(text, Ipv4Addr::UNSPECIFIED)
}

/// An address to forward to; `:PORT` is this machine.
pub(super) fn forward(text: &str) -> Result<Address, String> {
    #[cfg(unix)]
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err("expected unix:/path, got no path".to_owned()),
            path => Ok(Address::Unix(path.into())),
        };
    }
    match parse(text, Ipv4Addr::LOCALHOST)? {
        address if address.port() == 0 => Err("nothing can be reached at port 0".to_owned()),
        address if address.ip().is_unspecified() => Err(format!(
            "{} is no address to connect to; this machine is 127.0.0.1 or [::1]",
            address.ip()
        )),
        address => Ok(Address::Tcp(address)),
    }
}

/// A range of addresses, or one.
pub(super) fn range(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| one())
        .map_err(|_| "expected an address or a range such as 10.0.0.0/8 or ::1".to_owned())
}

fn parse(text: &str, no_host: Ipv4Addr) -> Result<SocketAddr, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listens_on_what_people_type() {
        for (text, want) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("localhost:80", "127.0.0.1:80"),
            ("LocalHost:80", "127.0.0.1:80"),
            (":5000", "0.0.0.0:5000"),
            ("[::1]:80", "[::1]:80"),
            ("[::]:80", "[::]:80"),
        ] {
            assert_eq!(listen(text).unwrap().to_string(), want, "{text}");
        }
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
            assert!(
                listen(text).unwrap_err().contains("expected IP:PORT"),
                "{text}"
            );
            assert!(
                forward(text).unwrap_err().contains("expected IP:PORT"),
                "{text}"
            );
        }
    }

    #[test]
    fn forwards_to_this_machine_when_no_host_is_said() {
        assert_eq!(forward(":80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(forward("[::1]:80").unwrap().to_string(), "[::1]:80");
        for text in [":0", "0.0.0.0:80", "[::]:80"] {
            assert!(forward(text).is_err(), "{text}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn forwards_to_a_unix_socket() {
        assert_eq!(
            forward("unix:/run/app").unwrap(),
            Address::Unix("/run/app".into())
        );
        assert!(forward("unix:").is_err());
    }
}
