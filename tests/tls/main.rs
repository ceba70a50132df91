//! TLS over real sockets: certificates, clients that hang, clients that prove who they are.
#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod certificates;
mod clients;
#[cfg(feature = "cli")]
mod configured;
mod handshakes;
mod hints;
mod identity;
#[cfg(feature = "cli")]
mod program;
mod reload;
mod support;
mod websockets;
