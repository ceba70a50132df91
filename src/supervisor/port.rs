//! A free port for a process.

use std::{fmt, net::TcpListener, ops::RangeInclusive};

#[derive(Debug)]
pub(crate) struct PortError;

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no port is free")
    }
}

impl std::error::Error for PortError {}

pub(crate) fn choose(_range: RangeInclusive<u16>) -> Result<u16, PortError> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|_| PortError)
}
