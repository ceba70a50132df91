//! Places to listen, as people type them: `https://:443,client-cert=required`.

use std::{
    fmt,
    net::{Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use ancm::{Scheme, front::tls::ClientCertificates};
use clap::ValueEnum;
use ipnet::IpNet;

use super::address;

/// A place to listen, and how clients are spoken to there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listener {
    pub(crate) scheme: Scheme,
    pub(crate) at: At,
    /// `None`: as with all the others.
    pub(crate) client_certificates: Option<ClientCert>,
    /// Who may say with a PROXY header for whom it speaks; `None`: nobody.
    pub(crate) proxies: Option<Vec<IpNet>>,
    /// Of a Unix socket that is made here; `None`: the front's default.
    pub(crate) mode: Option<u32>,
}

/// Where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum At {
    Tcp {
        address: SocketAddr,
        /// Whether an IPv6 address takes IPv4 clients too.
        dual_stack: bool,
    },
    Unix(PathBuf),
    /// The sockets that were handed over, or those of this name.
    Inherited(Option<String>),
}

/// [`ClientCertificates`], as it is typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClientCert {
    /// Don't ask for one
    #[default]
    Off,
    /// Ask for one
    Optional,
    /// Serve nobody without one
    Required,
}

impl From<ClientCert> for ClientCertificates {
    fn from(typed: ClientCert) -> Self {
        match typed {
            ClientCert::Off => Self::Off,
            ClientCert::Optional => Self::Optional,
            ClientCert::Required => Self::Required,
        }
    }
}

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Self {
        Self {
            scheme: Scheme::Http,
            at: At::Tcp {
                address,
                dual_stack: false,
            },
            client_certificates: None,
            proxies: None,
            mode: None,
        }
    }
}

/// `[http://|https://]WHERE[,OPTION=VALUE…]`.
pub(super) fn place(text: &str) -> Result<Listener, String> {
    let (scheme, rest) = match text.split_once("://") {
        None => (Scheme::Http, text),
        Some(("http", rest)) => (Scheme::Http, rest),
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((other, _)) => return Err(format!("expected http:// or https://, got {other}://")),
    };
    let mut parts = rest.split(',');
    let at = at(parts.next().unwrap_or_default().trim_end_matches('/'))?;
    let mut place = Listener {
        scheme,
        at,
        client_certificates: None,
        proxies: None,
        mode: None,
    };
    for option in parts {
        place.set(option)?;
    }
    Ok(place)
}

fn at(text: &str) -> Result<At, String> {
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
    let address = address::listen(&text)?;
    Ok(At::Tcp {
        address,
        dual_stack,
    })
}

fn unix(path: &str) -> Result<At, String> {
    match path {
        "" => Err("expected unix:/path, got no path".to_owned()),
        _ if cfg!(not(unix)) => Err("there are no Unix sockets here".to_owned()),
        path => Ok(At::Unix(path.into())),
    }
}

fn inherited(name: &str) -> Result<At, String> {
    if cfg!(not(unix)) {
        return Err("no sockets are handed over here".to_owned());
    }
    match (name, name.strip_prefix(':')) {
        ("", _) => Ok(At::Inherited(None)),
        (_, Some(name)) if !name.is_empty() => Ok(At::Inherited(Some(name.to_owned()))),
        _ => Err("expected inherited or inherited:NAME".to_owned()),
    }
}

impl Listener {
    fn set(&mut self, option: &str) -> Result<(), String> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "client-cert" if self.scheme == Scheme::Https => {
                let typed = ClientCert::from_str(value, false);
                let typed = typed.map_err(|_| {
                    format!("client-cert: expected off, optional or required, got `{value}`")
                })?;
                self.client_certificates = Some(typed);
            }
            "client-cert" => return Err("client-cert is for https://".to_owned()),
            "proxy-from" => {
                let networks = self.proxies.get_or_insert_default();
                // Whoever reaches a Unix socket is trusted.
                if !(value.is_empty() && matches!(self.at, At::Unix(_))) {
                    networks.push(network(value)?);
                }
            }
            "mode" if matches!(self.at, At::Unix(_)) => {
                let octal = value.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
                let mode = octal.then(|| u32::from_str_radix(value, 8).ok()).flatten();
                let mode = mode.filter(|mode| *mode <= 0o777);
                self.mode = Some(mode.ok_or_else(|| {
                    format!("mode: expected an octal number such as 660, got `{value}`")
                })?);
            }
            "mode" => return Err("mode is for unix:/path".to_owned()),
            _ => {
                return Err(format!(
                    "expected client-cert=, proxy-from= or mode= after the address, got `{option}`"
                ));
            }
        }
        Ok(())
    }
}

/// `10.0.0.0/8`, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse::<IpNet>().ok();
    let one = || {
        text.parse()
            .ok()
            .map(|ip: std::net::IpAddr| IpNet::from(ip))
    };
    network
        .or_else(one)
        .ok_or_else(|| format!("proxy-from: expected a network such as 10.0.0.0/8, got `{text}`"))
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == Scheme::Https {
            f.write_str("https://")?;
        }
        match &self.at {
            At::Tcp {
                address,
                dual_stack: false,
            } => address.fmt(f),
            At::Tcp { address, .. } => write!(f, "*:{}", address.port()),
            At::Unix(path) => write!(f, "unix:{}", path.display()),
            At::Inherited(None) => f.write_str("inherited"),
            At::Inherited(Some(name)) => write!(f, "inherited:{name}"),
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
            assert_eq!(place(text).unwrap().to_string(), want, "{text}");
        }
        let tls = place("https://:443,client-cert=required,proxy-from=10.0.0.0/8,proxy-from=::1");
        let tls = tls.unwrap();
        assert_eq!(tls.client_certificates, Some(ClientCert::Required));
        let networks = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
        assert_eq!(tls.proxies.unwrap(), networks);
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
            assert_eq!(place(text).unwrap().to_string(), want, "{text}");
        }
        let socket = place("unix:/run/a,mode=0600,proxy-from=").unwrap();
        assert_eq!((socket.mode, socket.proxies), (Some(0o600), Some(vec![])));
    }

    #[test]
    fn says_what_was_expected() {
        for (text, want) in [
            ("", "expected IP:PORT"),
            ("ftp://:80", "expected http:// or https://"),
            ("unix:", "no path"),
            ("inheritedx", "inherited"),
            ("inherited:", "inherited"),
            (":80,client-cert=off", "is for https://"),
            ("https://:80,client-cert=maybe", "off, optional or required"),
            (":80,proxy-from=", "a network such as"),
            (":80,proxy-from=me", "a network such as"),
            (":80,mode=600", "is for unix:"),
            (":80,x=y", "expected client-cert="),
            (":80,", "expected client-cert="),
        ] {
            let error = place(text).unwrap_err();
            assert!(error.contains(want) || cfg!(not(unix)), "{text}: {error}");
        }
        #[cfg(unix)]
        for mode in ["", "8", "1000", "+6", "rw"] {
            let error = place(&format!("unix:/a,mode={mode}")).unwrap_err();
            assert!(error.contains("an octal number"), "{mode}: {error}");
        }
    }
}
