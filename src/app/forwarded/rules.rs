//! What is read, and whom it is believed from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::Authority;
use ipnet::{IpNet, Ipv4Net};

use super::host::{self, AllowedHosts};

/// The parts that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) address: bool,
    pub(super) scheme: bool,
    pub(super) host: bool,
    pub(super) prefix: bool,
}

/// Where they are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `X-Forwarded-*`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Standard,
}

#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) source: Source,
    pub(super) reads: Reads,
    pub(super) trusted: Vec<IpNet>,
    pub(super) trust_everyone: bool,
    pub(super) trust_unknown_peer: bool,
    /// `None`: all entries.
    pub(super) limit: Option<usize>,
    pub(super) symmetry: bool,
    pub(super) strict: bool,
    pub(super) absolute_form: bool,
    pub(super) hosts: AllowedHosts,
}

impl Rules {
    /// ASP.NET Core's, as the module's app half sets them.
    pub(super) fn new(source: Source) -> Self {
        let loopback = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
        Self {
            source,
            reads: Reads {
                address: true,
                scheme: true,
                host: false,
                prefix: false,
            },
            trusted: vec![
                IpNet::V4(loopback),
                IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST)),
            ],
            trust_everyone: false,
            trust_unknown_peer: false,
            limit: Some(1),
            symmetry: false,
            strict: false,
            absolute_form: false,
            hosts: AllowedHosts::default(),
        }
    }

    /// Whether what `writer` wrote is believed.
    ///
    /// ANCM: an IPv4 address within IPv6 is the IPv4 address too.
    pub(super) fn trusts(&self, writer: Option<IpAddr>) -> bool {
        let Some(writer) = writer else {
            return self.trust_unknown_peer || self.trust_everyone;
        };
        let plain = writer.to_canonical();
        let known = |net: &IpNet| net.contains(&plain) || net.contains(&writer);
        self.trust_everyone || self.trusted.iter().any(known)
    }

    /// `text` as a host, where it is one and allowed.
    pub(super) fn host(&self, text: &str) -> Option<Authority> {
        let (name, _) = host::split(text)?;
        if !self.hosts.allow(name) {
            return None;
        }
        Authority::try_from(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusts_the_loopback_and_nobody_else() {
        let rules = Rules::new(Source::XForwarded);
        for (address, want) in [
            ("127.0.0.1", true),
            ("127.255.0.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("128.0.0.1", false),
            ("::2", false),
            ("::ffff:10.0.0.1", false),
            ("::127.0.0.1", false),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(rules.trusts(Some(address)), want, "{address}");
        }
        assert!(!rules.trusts(None));
    }
}
