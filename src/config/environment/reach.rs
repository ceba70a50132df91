//! How a process is reached, as its environment says it.

use std::path::PathBuf;

use super::{LISTEN_FD, PORT, Table, URLS};

/// Has ASP.NET Core believe the forwarded headers of whom it has no address of.
const FORWARDED: &str = "ASPNETCORE_FORWARDEDHEADERS_ENABLED";

/// How a process is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "there is but one way elsewhere"))]
pub(crate) enum Reach {
    /// On a port that it opens.
    Port(u16),
    /// By a listener that it inherits: a descriptor, and its port where it has one.
    Inherited { descriptor: i32, port: Option<u16> },
    /// At a Unix socket that it opens.
    Unix(PathBuf),
}

impl Reach {
    /// Says so. What we inherited ourselves of the kind is another socket, or nothing in that process.
    pub(super) fn tell(&self, table: &mut Table) {
        match self {
            Self::Port(port) => {
                table.remove(LISTEN_FD);
                table.set(PORT, port.to_string());
            }
            Self::Inherited { descriptor, port } => {
                table.set(LISTEN_FD, descriptor.to_string());
                match port {
                    Some(port) => table.set(PORT, port.to_string()),
                    None => table.remove(PORT),
                }
            }
            // ASP.NET Core's app half would make it listen on the port, so there is none; then nothing believes our
            // headers, which nobody else can send there.
            Self::Unix(path) => {
                table.remove(LISTEN_FD);
                table.remove(PORT);
                table.set(URLS, format!("http://unix:{}", path.display()));
                table.set_default(FORWARDED, "true".to_owned());
            }
        }
    }
}
