//! The client's Windows user, given to the process that answers.

#[cfg(windows)]
use std::{os::windows::io::AsHandle, os::windows::io::OwnedHandle, sync::Arc};

use http::{Extensions, HeaderMap};

use super::{backend::Backend, options::ProxyOptions};
#[cfg(windows)]
use crate::connection::WindowsUser;
use crate::{Connection, error::Error};

/// Whose token goes along with a request: a client's that has one, on Windows; nobody's elsewhere.
#[derive(Clone, Debug, Default)]
pub(super) struct User {
    #[cfg(windows)]
    token: Option<Arc<OwnedHandle>>,
}

#[cfg(windows)]
impl User {
    /// The user of the request with these `extensions`, else of its `connection`, where `options` let it pass.
    pub(super) fn of(
        connection: &Connection,
        extensions: &Extensions,
        options: &ProxyOptions,
    ) -> Self {
        let own = extensions.get().map(|WindowsUser(token)| token);
        let token = own.or_else(|| connection.windows_user());
        let token = token.filter(|_| options.windows_user);
        Self {
            token: token.cloned(),
        }
    }

    /// Copies the token into the process behind `backend`, and writes the copy's number into `headers`.
    ///
    /// Once for each try, and last: a process that does not get the request keeps the copy until it ends.
    ///
    /// ANCM: lower-case hex without a prefix; who can't be introduced is not served (502).
    pub(super) fn introduce(
        &self,
        backend: &Backend,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
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

#[cfg(not(windows))]
impl User {
    /// Nobody.
    pub(super) fn of(_: &Connection, _: &Extensions, _: &ProxyOptions) -> Self {
        Self::default()
    }

    /// Nothing to be done.
    #[allow(clippy::unused_self, reason = "as on Windows")]
    pub(super) fn introduce(&self, _: &Backend, _: &mut HeaderMap) -> Result<(), Error> {
        Ok(())
    }
}
