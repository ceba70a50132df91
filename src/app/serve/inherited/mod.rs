//! A listening socket that the module hands over.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(super) use self::unix::{Inherited, inherited};
