//! Where an app is that nobody here starts, and how is found out that it is well.

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use super::{
    builder::Builder,
    findings::{Findings, Kind},
    processes::{PATH, is_path},
    settings::Config,
};

/// Where an app listens that nobody here starts: one address, or a name with any number of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Destination {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(std::path::PathBuf),
    /// A TCP port of every address of a name.
    Name {
        /// The name, as the operating system resolves it.
        host: String,
        /// The port.
        port: u16,
    },
}

/// What [`Destination`] expects.
pub(super) const DESTINATION: &str =
    "IP:PORT, [IPv6]:PORT, NAME:PORT or unix:/path, with a port from 1 to 65535";

/// The text is no [`Destination`]. Says what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {DESTINATION}")]
pub struct NoDestination;

impl FromStr for Destination {
    type Err = NoDestination;

    /// `:PORT` is this machine; `localhost` is 127.0.0.1, and not also `::1`.
    fn from_str(text: &str) -> Result<Self, NoDestination> {
        #[cfg(unix)]
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Some(path).filter(|path| !path.is_empty());
            return path
                .map(|path| Self::Unix(path.into()))
                .ok_or(NoDestination);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            let reachable = address.port() != 0 && !address.ip().is_unspecified();
            return reachable.then_some(Self::Tcp(address)).ok_or(NoDestination);
        }
        let (host, port) = text.rsplit_once(':').ok_or(NoDestination)?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|&port| digits && port != 0);
        let port: u16 = port.ok_or(NoDestination)?;
        match host {
            "" => Ok(Self::Tcp(([127, 0, 0, 1], port).into())),
            host if host.eq_ignore_ascii_case("localhost") => {
                Ok(Self::Tcp(([127, 0, 0, 1], port).into()))
            }
            host if is_name(host) => Ok(Self::Name {
                host: host.to_owned(),
                port,
            }),
            _ => Err(NoDestination),
        }
    }
}

/// A name of a host, and not a number of IPv4's that was mistyped.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        let mut bytes = label.bytes();
        let fits = (1..=63).contains(&label.len());
        let inner = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        fits && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let mut labels = host.split('.');
    let last_is_number = host
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    host.len() <= 253 && labels.all(label) && !last_is_number
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// How is found out whether one of several addresses is well, and which addresses a name has.
///
/// An address to which a connection fails gets no requests for a while in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct HealthCheck {
    pub(crate) path: Option<String>,
    pub(crate) interval: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) rise: u32,
    pub(crate) fall: u32,
    pub(crate) resolve_interval: Duration,
}

/// How often is asked for a path, where only that was said.
const INTERVAL: Duration = Duration::from_secs(5);

impl HealthCheck {
    /// No checks but of addresses to which a connection failed.
    pub const fn new() -> Self {
        Self {
            path: None,
            interval: None,
            timeout: Duration::from_secs(2),
            rise: 2,
            fall: 3,
            resolve_interval: Duration::from_secs(30),
        }
    }

    /// Has every address be asked for `path`, every 5 s unless another [`interval`](Self::interval) is set; a status below
    /// 400 is well. Defaults to none: that a connection opens is enough.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self.interval = self.interval.or(Some(INTERVAL));
        self
    }

    /// How often an address that is up is checked. Defaults to not at all, or to 5 s with a [`path`](Self::path).
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// How long one check may take. Defaults to 2 s.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many checks have to pass, one after the other, until an address gets requests again. Defaults to 2.
    pub const fn rise(mut self, checks: u32) -> Self {
        self.rise = checks;
        self
    }

    /// How many checks have to fail, one after the other, until an address gets none. Defaults to 3.
    pub const fn fall(mut self, checks: u32) -> Self {
        self.fall = checks;
        self
    }

    /// How often a name is resolved. Defaults to 30 s; one that can't be is tried every 5 s.
    pub const fn resolve_interval(mut self, interval: Duration) -> Self {
        self.resolve_interval = interval;
        self
    }

    fn check(&self, findings: &mut Findings) {
        if let Some(path) = self.path.as_ref().filter(|path| !is_path(path)) {
            findings.error(None, Kind::bad("health_check path", PATH, path));
        }
        let numbers = [("rise", self.rise), ("fall", self.fall)];
        for (name, _) in numbers.iter().filter(|(_, number)| *number == 0) {
            findings.error(None, Kind::bad(*name, "a whole number above 0", "0"));
        }
        let times = [
            ("interval", self.interval.unwrap_or(INTERVAL)),
            ("timeout", self.timeout),
            ("resolve_interval", self.resolve_interval),
        ];
        for (name, _) in times.iter().filter(|(_, time)| time.is_zero()) {
            findings.error(None, Kind::bad(*name, "a time above 0", "0"));
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// `forwardTo`: where the app is, if nobody here starts it. Default: nowhere, `processPath` is started.
    #[must_use]
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// How is found out which of the [`destinations`](Self::destinations) are well. Default: [`HealthCheck::new`].
    pub const fn health_check(&self) -> &HealthCheck {
        &self.health_check
    }

    /// Where the app is: either it is started, or it is somewhere.
    pub(super) fn check_destinations(&self, has_program: bool, findings: &mut Findings) {
        if has_program && !self.destinations.is_empty() {
            let expected = "no program to start beside it";
            findings.error(None, Kind::bad("forwardTo", expected, "both"));
        }
        self.health_check.check(findings);
    }
}

impl Builder {
    /// Where the app is, if nobody here starts it: then it has no [`program`](Self::program). Defaults to nowhere.
    pub fn destinations(mut self, to: impl IntoIterator<Item = Destination>) -> Self {
        self.config().destinations = to.into_iter().collect();
        self
    }

    /// How is found out which of the [`destinations`](Self::destinations) are well. Defaults to [`HealthCheck::new`].
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.config().health_check = check;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_what_people_type() {
        for (text, want) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            (":80", "127.0.0.1:80"),
            ("LocalHost:80", "127.0.0.1:80"),
            ("app-1.internal:8080", "app-1.internal:8080"),
            ("app.:1", "app.:1"),
            ("a_b:1", "a_b:1"),
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!(destination.to_string(), want, "{text}");
        }
        #[cfg(unix)]
        assert_eq!("unix:/a".parse(), Ok(Destination::Unix("/a".into())));
        for text in [
            "",
            ":",
            "80",
            "app",
            "app:",
            "app:0",
            "app:65536",
            "app:+1",
            "0.0.0.0:80",
            "[::]:80",
            "127.0.0.1:0",
            "::1:80",
            "1.2.3:80",
            "256.1.1.1:80",
            "a b:80",
            "-a:80",
            "a..b:80",
            "http://a:80",
            "a/b:80",
            "unix:",
        ] {
            assert_eq!(text.parse::<Destination>(), Err(NoDestination), "{text}");
        }
    }
}
