//! IIS's ASP.NET Core Module as tower layers and hyper services.

pub mod app;
pub mod headers;

mod body;
mod connection;
mod path_base;
mod token;

#[cfg(feature = "host")]
pub mod config;
#[cfg(feature = "host")]
pub mod control;
#[cfg(feature = "host")]
pub mod error;
#[cfg(feature = "host")]
mod files;
#[cfg(feature = "front")]
pub mod front;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
pub mod offline;
#[cfg(feature = "host")]
pub mod proxy;
#[cfg(feature = "host")]
pub mod supervisor;
#[cfg(feature = "host")]
mod watch;

#[cfg(feature = "host")]
pub use self::host::{Builder as HostBuilder, Host, HostBody, HostFuture};
pub use self::{
    body::ResponseBody,
    connection::{Connection, Scheme},
    path_base::{InvalidPathBase, PathBase},
    token::{InvalidToken, PairingToken},
};
