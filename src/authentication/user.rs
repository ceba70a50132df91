//! Who a client has proved to be.

#[cfg(windows)]
use std::{os::windows::io::OwnedHandle, sync::Arc};

use http::Extensions;

use crate::Identity;
#[cfg(windows)]
use crate::connection::WindowsUser;

/// A user as the stages behind this one are told of it.
#[derive(Clone)]
pub(super) struct User {
    pub(super) identity: Identity,
    /// Its token, where Windows knows it.
    #[cfg(windows)]
    token: Option<WindowsUser>,
}

impl User {
    #[cfg(windows)]
    pub(super) fn of_windows(identity: Identity, token: Option<OwnedHandle>) -> Self {
        let token = token.map(|token| WindowsUser(Arc::new(token)));
        Self { identity, token }
    }

    /// Takes out of a request whatever it says of its user so far.
    pub(super) fn clear(extensions: &mut Extensions) {
        extensions.remove::<Identity>();
        #[cfg(windows)]
        extensions.remove::<WindowsUser>();
    }

    pub(super) fn introduce(self, extensions: &mut Extensions) {
        #[cfg(windows)]
        if let Some(token) = self.token {
            extensions.insert(token);
        }
        extensions.insert(self.identity);
    }
}

impl From<Identity> for User {
    fn from(identity: Identity) -> Self {
        Self {
            identity,
            #[cfg(windows)]
            token: None,
        }
    }
}
