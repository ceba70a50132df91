//! IIS's ASP.NET Core Module as tower layers and hyper services.

pub mod app;
pub mod headers;

mod body;
mod connection;
mod path_base;
#[cfg(feature = "sealed")]
mod sealed;
mod token;

#[cfg(feature = "host")]
pub mod config;
#[cfg(feature = "host")]
pub mod error;
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
pub use self::host::{Host, HostBody, HostFuture};
#[cfg(feature = "sealed")]
pub use self::sealed::{Identity, SealError};
pub use self::{
    body::ResponseBody,
    connection::{Connection, Scheme},
    path_base::{InvalidPathBase, PathBase},
    token::{InvalidToken, PairingToken},
};
