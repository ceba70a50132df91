//! The limits of the front, and what a trusted proxy is, as typed: they go before what the configuration says.

use std::time::Duration;

use ancm::config::FrontLimits;
use clap::{Args, value_parser};

/// Limits of the front.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Limits of the front")]
pub(crate) struct RawFront {
    /// Connections open at once [default: 10000, or what the file descriptors allow]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub(crate) max_connections: Option<u32>,
    /// Bytes of a request's head [default: 65536]
    #[arg(long, value_name = "BYTES", value_parser = value_parser!(u32).range(8192..))]
    pub(crate) max_head_size: Option<u32>,
    /// Header lines of an HTTP/1 request [default: 100]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub(crate) max_headers: Option<u32>,
    /// Seconds that a request's head may take [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) header_timeout: Option<Duration>,
    /// Seconds that a connection may stay open without a request [default: 130]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Seconds in which a client has to take something of its answer [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) write_timeout: Option<Duration>,
    /// Seconds that requests may go on after the signal to stop [default: 10]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) drain_timeout: Option<Duration>,
    /// Requests that an HTTP/2 connection may have open at once [default: 100]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub(crate) max_streams: Option<u32>,
}

impl From<RawFront> for FrontLimits {
    fn from(raw: RawFront) -> Self {
        let mut limits = Self::default();
        limits.max_connections = raw.max_connections;
        limits.max_head_size = raw.max_head_size;
        limits.max_headers = raw.max_headers;
        limits.header_timeout = raw.header_timeout;
        limits.idle_timeout = raw.idle_timeout;
        limits.write_timeout = raw.write_timeout;
        limits.drain_timeout = raw.drain_timeout;
        limits.max_streams = raw.max_streams;
        limits
    }
}

/// Whole seconds above zero.
fn seconds(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|&seconds| digits && seconds > 0);
    seconds
        .map(|seconds: u32| Duration::from_secs(seconds.into()))
        .ok_or_else(|| "expected whole seconds above 0".to_owned())
}
