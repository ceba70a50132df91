//! The boundary against a managed side in Rust.

mod lent;
mod mock;
mod random;
mod semantics;
mod sockets;
mod stop;
