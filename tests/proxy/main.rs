//! The proxy between real sockets: what an app and a client see of each other, to the byte.
#![cfg(feature = "host")]

mod exchange;
mod failure;
mod streaming;
mod support;
mod upgrade;
