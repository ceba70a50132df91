//! The user of a request, told to the process that answers.

#[cfg(windows)]
use std::{os::windows::io::AsHandle, os::windows::io::OwnedHandle, sync::Arc};

use http::{Extensions, HeaderMap};

use super::{backend::Backend, options::ProxyOptions, request::vouch};
#[cfg(windows)]
use crate::connection::WindowsUser;
use crate::{Connection, Identity, error::Error};

/// Who asks, as a layer in front of the host half or the client's connection says.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    identity: Option<Box<Identity>>,
    /// Whose token goes along.
    #[cfg(windows)]
    token: Option<Arc<OwnedHandle>>,
}

impl User {
    /// Takes the user of a request out of its `extensions`; the token of a Windows user is that of these, else of its
    /// `connection`, where `options` let it pass.
    #[cfg_attr(not(windows), allow(unused_variables, reason = "there are no tokens"))]
    pub(super) fn of(
        connection: &Connection,
        extensions: &mut Extensions,
        options: &ProxyOptions,
    ) -> Self {
        Self {
            identity: extensions.remove().map(Box::new),
            #[cfg(windows)]
            token: extensions
                .remove()
                .map(|WindowsUser(token)| token)
                .or_else(|| connection.windows_user().cloned())
                .filter(|_| options.windows_user),
        }
    }

    /// Tells the process behind `backend`: once for each that the request is tried on, and last.
    ///
    /// # Errors
    ///
    /// When a Windows user's token can't be copied there.
    pub(super) fn introduce(
        &self,
        backend: &Backend,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        if let Some(identity) = &self.identity {
            vouch(headers, identity, backend.token());
        }
        #[cfg(windows)]
        self.hand_over(backend, headers)?;
        Ok(())
    }

    /// Copies the token into the process behind `backend`, and writes the copy's number into `headers`.
    ///
    /// A process that does not get the request keeps the copy until it ends.
    ///
    /// ANCM: lower-case hex without a prefix; who can't be introduced is not served (502).
    #[cfg(windows)]
    fn hand_over(&self, backend: &Backend, headers: &mut HeaderMap) -> Result<(), Error> {
        use http::HeaderValue;

        use crate::headers::MS_ASPNETCORE_WINAUTHTOKEN;

        let Some(token) = &self.token else {
            return Ok(());
        };
        let number = backend.give_token(token.as_handle());
        let number = format!("{:x}", number.map_err(Error::backend)?);
        let value = HeaderValue::try_from(number).map_err(Error::backend)?;
        headers.insert(MS_ASPNETCORE_WINAUTHTOKEN, value);
        Ok(())
    }
}
