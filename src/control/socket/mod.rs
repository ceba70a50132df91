//! The socket: one line asks, one line answers.

#[cfg(unix)]
mod path;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(windows)]
pub use self::windows::{Socket, ask, socket_path};
#[cfg(unix)]
pub use self::{
    path::socket_path,
    unix::{Socket, ask},
};
