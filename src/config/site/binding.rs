//! One place to listen, as people write it: `https://:443,client-cert=required`.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use ipnet::IpNet;

use super::{
    address::{network, socket_address},
    tls::ClientCertificates,
};
use crate::Scheme;

/// A place to listen, and how clients are spoken to there: what IIS calls a binding.
///
/// Written as `[http://|https://]WHERE[,OPTION=VALUE…]`, with the options `client-cert`, `proxy-from` and `mode`.
///
/// ```
/// use ancm::{Scheme, config::Binding};
///
/// let binding: Binding = "https://[::1]:443,client-cert=optional".parse()?;
/// assert_eq!(binding.scheme, Scheme::Https);
/// assert_eq!(binding.to_string(), "https://[::1]:443");
/// # Ok::<(), ancm::config::InvalidBinding>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Binding {
    /// Whether TLS is spoken there.
    pub scheme: Scheme,
    /// Where.
    pub at: BindingAt,
    /// Whether clients are asked for a certificate there; `None`: as with all the others.
    pub client_cert: Option<ClientCertificates>,
    /// Who may say with a PROXY header for whom it speaks; `None`: nobody.
    pub proxy_from: Option<Vec<IpNet>>,
    /// The mode of a Unix socket that is made; `None`: the front's default.
    pub mode: Option<u32>,
}

/// Where a [`Binding`] is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindingAt {
    /// At an address.
    #[non_exhaustive]
    Tcp {
        /// The address; port 0 lets the system choose.
        address: SocketAddr,
        /// Whether an IPv6 address takes IPv4 clients too.
        dual_stack: bool,
    },
    /// At a Unix socket of this name.
    Unix(PathBuf),
    /// At the sockets that were handed over to this process, or those of this name.
    Inherited(Option<String>),
}

/// Why a text is no [`Binding`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidBinding(String);

impl From<SocketAddr> for Binding {
    /// In cleartext.
    fn from(address: SocketAddr) -> Self {
        Self::new(
            Scheme::Http,
            BindingAt::Tcp {
                address,
                dual_stack: false,
            },
        )
    }
}

impl FromStr for Binding {
    type Err = InvalidBinding;

    fn from_str(text: &str) -> Result<Self, InvalidBinding> {
        parse(text).map_err(InvalidBinding)
    }
}

fn parse(text: &str) -> Result<Binding, String> {
    let (scheme, rest) = match text.split_once("://") {
        None => (Scheme::Http, text),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((other, _)) => return Err(format!("expected http:// or https://, got {other}://")),
    };
    let mut parts = rest.split(',');
    let at = at(parts.next().unwrap_or_default().trim_end_matches('/'))?;
    let mut binding = Binding::new(scheme, at);
    for option in parts {
        binding.set(option)?;
    }
    Ok(binding)
}

fn at(text: &str) -> Result<BindingAt, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path);
    }
    if let Some(name) = text.strip_prefix("inherited") {
        return inherited(name);
    }
    let (text, dual_stack) = match text.strip_prefix('*') {
        Some(port) => (format!("[{}]{port}", Ipv6Addr::UNSPECIFIED), true),
        None => (text.to_owned(), false),
    };
    Ok(BindingAt::Tcp {
        address: socket_address(&text, Ipv4Addr::UNSPECIFIED)?,
        dual_stack,
    })
}

fn unix(path: &str) -> Result<BindingAt, String> {
    match path {
        "" => Err("expected unix:/path, got no path".to_owned()),
        _ if cfg!(not(unix)) => Err("there are no Unix sockets here".to_owned()),
        path => Ok(BindingAt::Unix(path.into())),
    }
}

fn inherited(name: &str) -> Result<BindingAt, String> {
    if cfg!(not(unix)) {
        return Err("no sockets are handed over here".to_owned());
    }
    match (name, name.strip_prefix(':')) {
        ("", _) => Ok(BindingAt::Inherited(None)),
        (_, Some(name)) if !name.is_empty() => Ok(BindingAt::Inherited(Some(name.to_owned()))),
        _ => Err("expected inherited or inherited:NAME".to_owned()),
    }
}

impl Binding {
    fn new(scheme: Scheme, at: BindingAt) -> Self {
        Self {
            scheme,
            at,
            client_cert: None,
            proxy_from: None,
            mode: None,
        }
    }

    fn set(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let set = match name {
            "client-cert" => self.set_client_cert(value),
            "proxy-from" => self.add_proxy(value),
            "mode" => self.set_mode(value),
            _ => {
                return Err(format!(
                    "expected client-cert=, proxy-from= or mode= after the address, got `{option}`"
                ));
            }
        };
        set.map_err(|why| format!("{name}: {why}"))
    }

    pub(in crate::config) fn set_client_cert(&mut self, value: &str) -> Result<(), String> {
        if self.scheme != Scheme::Https {
            return Err("only an https:// listener can ask for one".to_owned());
        }
        self.client_cert = Some(value.parse()?);
        Ok(())
    }

    /// Whoever reaches a Unix socket is trusted: there, an empty `value` says so.
    pub(in crate::config) fn add_proxy(&mut self, value: &str) -> Result<(), String> {
        let networks = self.proxy_from.get_or_insert_default();
        if value.is_empty() && matches!(self.at, BindingAt::Unix(_)) {
            return Ok(());
        }
        let network = network(value);
        networks.push(network.ok_or_else(|| {
            format!("expected a network such as 10.0.0.0/8 or ::1, got `{value}`")
        })?);
        Ok(())
    }

    pub(in crate::config) fn set_mode(&mut self, value: &str) -> Result<(), String> {
        if !matches!(self.at, BindingAt::Unix(_)) {
            return Err("only a socket at unix:/path has one".to_owned());
        }
        let octal = value.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
        let mode = octal.then(|| u32::from_str_radix(value, 8).ok()).flatten();
        let mode = mode.filter(|mode| *mode <= 0o777);
        self.mode = Some(
            mode.ok_or_else(|| format!("expected an octal number such as 660, got `{value}`"))?,
        );
        Ok(())
    }

    /// Whether it is the same place as `other`; a port that the system chooses is always another one.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        let chosen = matches!(self.at, BindingAt::Tcp { address, .. } if address.port() == 0);
        !chosen && self.at == other.at
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == Scheme::Https {
            f.write_str("https://")?;
        }
        match &self.at {
            BindingAt::Tcp {
                address,
                dual_stack: false,
            } => address.fmt(f),
            BindingAt::Tcp { address, .. } => write!(f, "*:{}", address.port()),
            BindingAt::Unix(path) => write!(f, "unix:{}", path.display()),
            BindingAt::Inherited(None) => f.write_str("inherited"),
            BindingAt::Inherited(Some(name)) => write!(f, "inherited:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_what_people_type() {
        for (text, want) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("http://127.0.0.1:80", "127.0.0.1:80"),
            ("http://127.0.0.1:80/", "127.0.0.1:80"),
            ("https://:443", "https://0.0.0.0:443"),
            ("https://[::]:443", "https://[::]:443"),
            ("https://*:443", "https://*:443"),
            ("*:80", "*:80"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), want, "{text}");
        }
        let tls = parse("https://:443,client-cert=required,proxy-from=10.0.0.0/8,proxy-from=::1");
        let tls = tls.unwrap();
        assert_eq!(tls.client_cert, Some(ClientCertificates::Required));
        let networks = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
        assert_eq!(tls.proxy_from.unwrap(), networks);
    }

    #[cfg(unix)]
    #[test]
    fn understands_sockets_of_unix() {
        for (text, want) in [
            ("unix:/run/a", "unix:/run/a"),
            ("https://unix:/run/a", "https://unix:/run/a"),
            ("inherited", "inherited"),
            ("https://inherited:web", "https://inherited:web"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), want, "{text}");
        }
        let socket = parse("unix:/run/a,mode=0600,proxy-from=").unwrap();
        assert_eq!(
            (socket.mode, socket.proxy_from),
            (Some(0o600), Some(vec![]))
        );
    }

    #[test]
    fn says_what_was_expected() {
        for (text, want) in [
            ("", "expected IP:PORT"),
            ("ftp://:80", "expected http:// or https://"),
            ("unix:", "no path"),
            ("inheritedx", "inherited"),
            ("inherited:", "inherited"),
            (":80,client-cert=off", "client-cert: only an https://"),
            ("https://:80,client-cert=maybe", "off, optional or required"),
            (":80,proxy-from=", "proxy-from: expected a network such as"),
            (":80,proxy-from=me", "a network such as"),
            (":80,mode=600", "mode: only a socket at unix:"),
            (":80,x=y", "expected client-cert="),
            (":80,", "expected client-cert="),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(want) || cfg!(not(unix)), "{text}: {error}");
        }
        #[cfg(unix)]
        for mode in ["", "8", "1000", "+6", "rw"] {
            let error = parse(&format!("unix:/a,mode={mode}")).unwrap_err();
            assert!(error.contains("an octal number"), "{mode}: {error}");
        }
    }

    #[test]
    fn a_chosen_port_is_never_the_same_place() {
        let parsed = |text| parse(text).unwrap();
        assert!(parsed(":80").is_at(&parsed("https://:80")));
        assert!(!parsed(":80").is_at(&parsed(":81")));
        assert!(!parsed(":0").is_at(&parsed(":0")));
    }
}
