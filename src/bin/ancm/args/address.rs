//! Addresses as people type them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ancm::config::{Destination, NoDestination, Protocol, socket_address};
use ipnet::IpNet;

/// Where `run` and `demo` listen when nothing is said: this machine only.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// An address to listen on; `:PORT` is every IPv4 address of this machine.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    socket_address(text, Ipv4Addr::UNSPECIFIED)
}

/// Where to forward to.
pub(super) fn forward(text: &str) -> Result<Destination, NoDestination> {
    text.parse()
}

/// A path that an app is asked for.
pub(super) fn path(text: &str) -> Result<String, &'static str> {
    let target = text.starts_with('/') && text.parse::<http::Uri>().is_ok();
    target
        .then(|| text.to_owned())
        .ok_or("expected a path such as /health")
}

/// What is spoken with an app.
pub(super) fn protocol(text: &str) -> Result<Protocol, &'static str> {
    match text {
        "http/1.1" => Ok(Protocol::Http1),
        "h2c" => Ok(Protocol::H2c),
        _ => Err("expected http/1.1 or h2c"),
    }
}

/// A range of addresses, or one.
pub(super) fn range(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse()
        .or_else(|_| one())
        .map_err(|_| "expected an address or a range such as 10.0.0.0/8 or ::1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_host_is_every_address_to_listen_on() {
        assert_eq!(listen(":5000").unwrap().to_string(), "0.0.0.0:5000");
        for text in ["8080", "example.org:80", "localhost:"] {
            let expected = "expected IP:PORT";
            assert!(listen(text).unwrap_err().contains(expected), "{text}");
        }
    }

    #[test]
    fn forwards_to_addresses_and_names() {
        assert_eq!(forward(":80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(forward("app:80").unwrap().to_string(), "app:80");
        for text in ["", "app", ":0", "0.0.0.0:80", "http://a:80"] {
            let error = forward(text).unwrap_err().to_string();
            assert!(error.contains("expected IP:PORT"), "{text}");
        }
    }

    #[test]
    fn asks_for_paths_in_protocols() {
        assert_eq!(path("/a?b").unwrap(), "/a?b");
        assert!(path("a").is_err() && path("/a b").is_err());
        assert_eq!(protocol("h2c"), Ok(Protocol::H2c));
        assert_eq!(protocol("http/1.1"), Ok(Protocol::Http1));
        assert!(protocol("h2").is_err());
    }
}
