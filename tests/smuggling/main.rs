//! Whatever bytes a client sends, the app gets whole and well-formed requests, or nothing: through the front and the
//! proxy together, to an app that judges every byte that reaches it.
#![cfg(feature = "front")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod app;
mod extended;
mod frames;
mod http1;
mod http2;
mod site;
