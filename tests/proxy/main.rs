//! The proxy between real sockets: what an app and a client see of each other, to the byte.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

mod connections;
mod exchange;
#[cfg(feature = "front")]
mod extended;
mod failure;
mod h2c;
mod heads;
#[cfg(feature = "front")]
mod hints;
mod limits;
mod several;
#[cfg(feature = "front")]
mod site;
mod smuggling;
mod streaming;
mod support;
#[cfg(feature = "front")]
mod tunnel;
mod upgrade;
#[cfg(windows)]
mod user;
