//! The socket: one line asks, one line answers.

mod exchange;
mod name;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use self::unix::{Socket, ask, socket_path};
#[cfg(windows)]
pub use self::windows::{Socket, ask, socket_path};
