//! Addresses as people type them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ancm::{config::socket_address, proxy::Address};
use ipnet::IpNet;

/// Where `run` and `demo` listen when nothing is said: this machine only.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// An address to listen on; `:PORT` is every IPv4 address of this machine.
pub(super) fn listen(text: &str) -> Result<SocketAddr, String> {
    socket_address(text, Ipv4Addr::UNSPECIFIED)
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
    match socket_address(text, Ipv4Addr::LOCALHOST)? {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_host_is_every_address_to_listen_on() {
        assert_eq!(listen(":5000").unwrap().to_string(), "0.0.0.0:5000");
        for text in ["8080", "example.org:80", "localhost:"] {
            let expected = "expected IP:PORT";
            assert!(listen(text).unwrap_err().contains(expected), "{text}");
            assert!(forward(text).unwrap_err().contains(expected), "{text}");
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
