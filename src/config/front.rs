//! What the front lets clients do, as far as a file says so.

use std::time::Duration;

use super::findings::{Findings, Kind};

/// Limits of the front; see [`Config::front`]. `None` is the front's own default, which its options name and explain.
///
/// They belong to the whole server, so they are read once, when it starts.
///
/// [`Config::front`]: super::Config::front
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontLimits {
    /// `maxConnections`: how many may be open at once, above 0.
    pub max_connections: Option<u32>,
    /// `maxHeadSize`: the bytes of a request's head, at least 8 KiB.
    pub max_head_size: Option<u32>,
    /// `maxHeaders`: the lines of an HTTP/1 head, above 0.
    pub max_headers: Option<u32>,
    /// `headerTimeout`: for a head to come.
    pub header_timeout: Option<Duration>,
    /// `idleTimeout`: without a request.
    pub idle_timeout: Option<Duration>,
    /// `writeTimeout`: for a client to take a byte.
    pub write_timeout: Option<Duration>,
    /// `drainTimeout`: for what is under way when the server stops.
    pub drain_timeout: Option<Duration>,
    /// `maxStreams`: the requests that an HTTP/2 connection may have open, above 0.
    pub max_streams: Option<u32>,
    /// `maxPendingResets`: the HTTP/2 streams that may be reset before they were looked at.
    pub max_pending_resets: Option<u32>,
    /// `maxErrorResets`: the HTTP/2 streams that a client may make us reset.
    pub max_error_resets: Option<u32>,
    /// `pingInterval`: how often an HTTP/2 client is pinged.
    pub ping_interval: Option<Duration>,
    /// `pingTimeout`: how long it may take to answer.
    pub ping_timeout: Option<Duration>,
    /// `halfClose`: whether a client that closed its sending side still gets its answer.
    pub half_close: Option<bool>,
}

/// What `maxHeadSize` is at least: what hyper has to read at once.
pub(crate) const LEAST_HEAD_SIZE: u32 = 8 * 1024;

impl FrontLimits {
    /// These limits, and `others` where these say nothing.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        Self {
            max_connections: self.max_connections.or(others.max_connections),
            max_head_size: self.max_head_size.or(others.max_head_size),
            max_headers: self.max_headers.or(others.max_headers),
            header_timeout: self.header_timeout.or(others.header_timeout),
            idle_timeout: self.idle_timeout.or(others.idle_timeout),
            write_timeout: self.write_timeout.or(others.write_timeout),
            drain_timeout: self.drain_timeout.or(others.drain_timeout),
            max_streams: self.max_streams.or(others.max_streams),
            max_pending_resets: self.max_pending_resets.or(others.max_pending_resets),
            max_error_resets: self.max_error_resets.or(others.max_error_resets),
            ping_interval: self.ping_interval.or(others.ping_interval),
            ping_timeout: self.ping_timeout.or(others.ping_timeout),
            half_close: self.half_close.or(others.half_close),
        }
    }

    /// What is wrong with the values that a type alone does not keep right.
    pub(super) fn check(&self, findings: &mut Findings) {
        for (name, value, least) in [
            ("maxConnections", self.max_connections, 1),
            ("maxHeadSize", self.max_head_size, LEAST_HEAD_SIZE),
            ("maxHeaders", self.max_headers, 1),
            ("maxStreams", self.max_streams, 1),
        ] {
            if let Some(value) = value.filter(|value| *value < least) {
                let expected = format!("at least {least}");
                findings.error(None, Kind::bad(name, expected, value.to_string()));
            }
        }
    }
}
