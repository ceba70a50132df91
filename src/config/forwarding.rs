//! What the app is told of a request's way, and how much of a request it gets.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use http::HeaderValue;
use ipnet::IpNet;

use super::{
    findings::{Findings, Kind},
    processes::is_token,
};

/// What becomes of a field that says where a request came from.
///
/// A client that is no trusted proxy never has a say in it, whatever is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderPolicy {
    /// It is not written. What a trusted proxy wrote passes.
    #[default]
    Off,
    /// It says what we know, and nothing else.
    Set,
    /// It says what a trusted proxy wrote, and then what we know.
    Append,
}

/// What becomes of a client's header whose name has an underscore in it.
///
/// CGI-like servers can't tell `X_Forwarded_For` from `X-Forwarded-For` (RFC 9110, 17.10).
/// `MS_ASPNETCORE_*` never passes, whatever is chosen here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Underscores {
    /// It is dropped where it reads like a name that the module writes or frames a message with.
    #[default]
    DropAliases,
    /// It is dropped.
    DropAll,
    /// The request is refused with 400.
    Refuse,
    /// It passes, as in the module.
    Keep,
}

/// What is spoken with an app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// HTTP/1.1, which every app speaks.
    #[default]
    Http1,
    /// HTTP/2 without TLS, from the first byte on (RFC 9113, 3.3): what gRPC needs. The app has to expect it: Kestrel
    /// where its endpoint's `Protocols` are `Http2`.
    H2c,
}

/// How requests are forwarded; see [`Config::forwarding`].
///
/// All of it is this module's own: unless something is set, requests are forwarded as the module does it.
///
/// [`Config::forwarding`]: super::Config::forwarding
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarding {
    pub(crate) protocol: Protocol,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) forwarded_for: HeaderPolicy,
    pub(crate) forwarded_proto: HeaderPolicy,
    pub(crate) forwarded_host: HeaderPolicy,
    pub(crate) forwarded_prefix: HeaderPolicy,
    pub(crate) forwarded: HeaderPolicy,
    pub(crate) client_cert: HeaderPolicy,
    pub(crate) underscores: Underscores,
    pub(crate) via: Option<String>,
    pub(crate) trace_context: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) continue_timeout: Duration,
    pub(crate) upload_timeout: Option<Duration>,
    /// Bytes a second.
    pub(crate) min_upload_rate: Option<NonZeroU32>,
    pub(crate) upload_grace: Duration,
    /// `None`: `requestTimeout`.
    pub(crate) head_timeout: Option<Duration>,
    /// `None`: `requestTimeout`.
    pub(crate) body_timeout: Option<Duration>,
    pub(crate) total_timeout: Option<Duration>,
    /// Bytes.
    pub(crate) max_body_size: Option<u64>,
    /// `None`: what the limit of open files allows.
    pub(crate) app_connections: Option<NonZeroUsize>,
    pub(crate) connection_queue_limit: usize,
    /// `None`: as long as for the head of the answer.
    pub(crate) connection_queue_time: Option<Duration>,
}

impl Default for Forwarding {
    fn default() -> Self {
        Self {
            protocol: Protocol::Http1,
            trusted_proxies: Vec::new(),
            forwarded_for: HeaderPolicy::Append,
            forwarded_proto: HeaderPolicy::Append,
            forwarded_host: HeaderPolicy::Off,
            forwarded_prefix: HeaderPolicy::Off,
            forwarded: HeaderPolicy::Off,
            client_cert: HeaderPolicy::Off,
            underscores: Underscores::DropAliases,
            via: None,
            trace_context: false,
            connect_timeout: Duration::from_secs(5),
            continue_timeout: Duration::from_secs(1),
            upload_timeout: Some(Duration::from_secs(120)),
            min_upload_rate: NonZeroU32::new(240),
            upload_grace: Duration::from_secs(5),
            head_timeout: None,
            body_timeout: None,
            total_timeout: None,
            max_body_size: None,
            app_connections: None,
            connection_queue_limit: 100_000,
            connection_queue_time: None,
        }
    }
}

impl Forwarding {
    /// `protocol`: what is spoken with the app. Default: [`Protocol::Http1`], as the module does.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `trustedProxies`: the peers whose word about a request's way is believed, as addresses and CIDR ranges. Default:
    /// nobody, anybody can write such a header.
    #[must_use]
    pub fn trusted_proxies(&self) -> &[IpNet] {
        &self.trusted_proxies
    }

    /// `forwardedFor`: what becomes of `X-Forwarded-For`. Default: [`HeaderPolicy::Append`].
    #[must_use]
    pub fn forwarded_for(&self) -> HeaderPolicy {
        self.forwarded_for
    }

    /// `forwardedProto`: what becomes of `X-Forwarded-Proto`. Default: [`HeaderPolicy::Append`].
    #[must_use]
    pub fn forwarded_proto(&self) -> HeaderPolicy {
        self.forwarded_proto
    }

    /// `forwardedHost`: what becomes of `X-Forwarded-Host`. Default: off, the app gets the client's `Host` itself.
    #[must_use]
    pub fn forwarded_host(&self) -> HeaderPolicy {
        self.forwarded_host
    }

    /// `forwardedPrefix`: what becomes of `X-Forwarded-Prefix`, which then names the path base. Default: off, the path
    /// base stays in the path and is told by `ASPNETCORE_APPL_PATH`.
    #[must_use]
    pub fn forwarded_prefix(&self) -> HeaderPolicy {
        self.forwarded_prefix
    }

    /// `forwarded`: what becomes of RFC 7239's `Forwarded`. Default: off, few apps read it.
    #[must_use]
    pub fn forwarded(&self) -> HeaderPolicy {
        self.forwarded
    }

    /// `clientCert`: what becomes of RFC 9440's `Client-Cert`. There is one at most, so a trusted proxy's is kept
    /// instead of appended to. Default: off, ASP.NET Core reads `MS-ASPNETCORE-CLIENTCERT`.
    #[must_use]
    pub fn client_cert(&self) -> HeaderPolicy {
        self.client_cert
    }

    /// `underscores`: what becomes of names with an underscore. Default: [`Underscores::DropAliases`].
    #[must_use]
    pub fn underscores(&self) -> Underscores {
        self.underscores
    }

    /// `via`: the name by which this proxy signs requests and answers (RFC 9110, 7.6.3). Default: none, the module
    /// does not sign.
    #[must_use]
    pub fn via(&self) -> Option<&str> {
        self.via.as_deref()
    }

    /// `traceContext`: whether a request without a valid W3C `traceparent` gets one. Default: false, whatever the
    /// client sent passes.
    #[must_use]
    pub fn trace_context(&self) -> bool {
        self.trace_context
    }

    /// `connectTimeout`: how long a connection to the app may take to open. Default 5 s, far more than a listener on
    /// the same machine needs.
    #[must_use]
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// `continueTimeout`: how long a body waits for the app's `100 Continue`. Default 1 s.
    #[must_use]
    pub fn continue_timeout(&self) -> Duration {
        self.continue_timeout
    }

    /// `uploadTimeout`: how long a client may pause within the body of its request, as long as the app has not begun to
    /// answer; then it gets 408. Default 2 min, http.sys's own for a body; `None`: no limit.
    #[must_use]
    pub fn upload_timeout(&self) -> Option<Duration> {
        self.upload_timeout
    }

    /// `minUploadRate`: how many bytes of its request's body a client has to send for each second that it is waited for,
    /// all pauses together, as long as the app has not begun to answer; then it gets 408. A call of gRPC and a client of
    /// HTTP/2 have no such limit.
    /// Default 240, Kestrel's own for a body; `None`: no limit.
    #[must_use]
    pub fn min_upload_rate(&self) -> Option<NonZeroU32> {
        self.min_upload_rate
    }

    /// `uploadGrace`: how long a client may be slower than that in the beginning. Default 5 s, Kestrel's own.
    #[must_use]
    pub fn upload_grace(&self) -> Duration {
        self.upload_grace
    }

    /// `headTimeout`: how long the app may keep a request waiting before it begins its answer. Default: `None`, that is
    /// `requestTimeout`.
    #[must_use]
    pub fn head_timeout(&self) -> Option<Duration> {
        self.head_timeout
    }

    /// `bodyTimeout`: how long the app may pause within its answer. Default: `None`, that is `requestTimeout`.
    #[must_use]
    pub fn body_timeout(&self) -> Option<Duration> {
        self.body_timeout
    }

    /// `totalTimeout`: how long an exchange may take from its first byte to its last; tunnels have no such limit.
    /// Default: none, a download takes as long as the client does.
    #[must_use]
    pub fn total_timeout(&self) -> Option<Duration> {
        self.total_timeout
    }

    /// `maxBodySize`, in bytes: a request with a longer body gets 413. Default: none, the app has a limit of its own.
    #[must_use]
    pub fn max_body_size(&self) -> Option<u64> {
        self.max_body_size
    }

    /// `appConnections`: how many connections there may be to each process or address of the app; requests beyond them
    /// wait. Default: `None`, half of what the limit of open files allows, for all apps of this process together, as
    /// each request may have a client's connection beside the app's.
    #[must_use]
    pub fn app_connections(&self) -> Option<NonZeroUsize> {
        self.app_connections
    }

    /// `connectionQueueLimit`: how many requests may wait for a connection to each process or address; more get 503.
    /// Default 100 000: 1,000 clients of HTTP/2 with all the streams that a front allows them.
    #[must_use]
    pub fn connection_queue_limit(&self) -> usize {
        self.connection_queue_limit
    }

    /// `connectionQueueTime`: how long a request may wait for a connection; then it gets 503. Default: `None`, as long as
    /// for the head of the answer.
    #[must_use]
    pub fn connection_queue_time(&self) -> Option<Duration> {
        self.connection_queue_time
    }

    /// What is wrong with the values that a type alone does not keep right.
    pub(super) fn check(&self, findings: &mut Findings) {
        if let Some(name) = self.via.as_ref().filter(|name| !is_via(name)) {
            findings.error(None, Kind::bad("via", VIA, name));
        }
    }
}

impl HeaderPolicy {
    /// As it is written in a configuration.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Set => "set",
            Self::Append => "append",
        }
    }
}

impl Underscores {
    /// As it is written in a configuration.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::DropAliases => "dropAliases",
            Self::DropAll => "dropAll",
            Self::Refuse => "refuse",
            Self::Keep => "keep",
        }
    }
}

impl Protocol {
    /// As it is written in a configuration.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::H2c => "h2c",
        }
    }
}

/// What [`protocol`] expects.
pub(super) const PROTOCOL: &str = "http/1.1 or h2c";
/// What [`policy`] expects.
pub(super) const POLICY: &str = "off, set or append";
/// What [`underscores`] expects.
pub(super) const UNDERSCORES: &str = "dropAliases, dropAll, refuse or keep";
/// What [`proxies`] expects.
pub(super) const PROXIES: &str = "addresses and ranges such as `10.0.0.0/8` and `::1`";
/// What [`is_via`] expects.
pub(super) const VIA: &str = "a name of letters, digits and the like (RFC 9110, 7.6.3)";

pub(super) fn protocol(text: &str) -> Option<Protocol> {
    use Protocol::{H2c, Http1};
    [Http1, H2c]
        .into_iter()
        .find(|protocol| text.eq_ignore_ascii_case(protocol.as_str()))
}

pub(super) fn policy(text: &str) -> Option<HeaderPolicy> {
    use HeaderPolicy::{Append, Off, Set};
    [Off, Set, Append]
        .into_iter()
        .find(|policy| text.eq_ignore_ascii_case(policy.as_str()))
}

pub(super) fn underscores(text: &str) -> Option<Underscores> {
    use Underscores::{DropAliases, DropAll, Keep, Refuse};
    [DropAliases, DropAll, Refuse, Keep]
        .into_iter()
        .find(|underscores| text.eq_ignore_ascii_case(underscores.as_str()))
}

/// Addresses and ranges with spaces or commas between them.
pub(super) fn proxies(text: &str) -> Option<Vec<IpNet>> {
    text.split([' ', ',', '\t'])
        .filter(|part| !part.is_empty())
        .map(range)
        .collect()
}

fn range(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// A pseudonym is a token, so that no comment and no second entry can hide in it.
pub(super) fn is_via(name: &str) -> bool {
    is_token(name) && HeaderValue::from_str(name).is_ok()
}
