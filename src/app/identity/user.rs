//! The Windows user whom the front end authenticated.

#[cfg(windows)]
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::{fmt, io, sync::Arc};

use http::HeaderMap;

use super::os::Token;
use crate::headers::MS_ASPNETCORE_WINAUTHTOKEN;

/// The Windows user whom the front end authenticated. Cheap to clone.
///
/// Stands in the request's extensions, where [`IdentityLayer`](super::IdentityLayer) puts it, and is an axum
/// extractor. It owns a handle of this process, which is closed when the last clone is dropped: when the request
/// is done with, however that comes about, unless the app keeps one.
///
/// There is none outside of Windows.
#[derive(Clone)]
pub struct WindowsIdentity {
    token: Arc<Token>,
}

impl WindowsIdentity {
    /// Takes the user out of `headers`. Must be asked of every request: the handle is closed by it, or by what it returns.
    ///
    /// It believes the headers, which is for those to do who know where the request comes from.
    pub(super) fn take_from(headers: &mut HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(MS_ASPNETCORE_WINAUTHTOKEN).iter();
        let first = values.next()?;
        // Several are none of the module's.
        let token = values
            .next()
            .is_none()
            .then(|| Token::take(first))
            .flatten();
        headers.remove(MS_ASPNETCORE_WINAUTHTOKEN);
        Some(Self {
            token: Arc::new(token?),
        })
    }

    /// The user of a connection that ends in this process, if it has one.
    #[cfg(all(windows, feature = "host"))]
    pub(super) fn of_connection(connection: &crate::Connection) -> Option<Self> {
        let token = Token::copy_of(connection.windows_user()?);
        let token = token.inspect_err(
            |error| tracing::warn!(%error, "Windows user ignored: its token can't be used"),
        );
        Some(Self {
            token: Arc::new(token.ok()?),
        })
    }

    /// How the user was authenticated: always `Windows`, whether by NTLM or by Kerberos, as in ASP.NET Core.
    #[must_use]
    pub fn authentication_type(&self) -> &'static str {
        "Windows"
    }

    /// The user's name: `DOMAIN\user`.
    ///
    /// Looked up when it is first asked for, which may block: the system may have to ask a domain controller.
    ///
    /// # Errors
    ///
    /// When the system does not know it (any more), or can't ask whom it would have to.
    pub fn name(&self) -> io::Result<&str> {
        self.token.name()
    }

    /// The user's security identifier, such as `S-1-5-21-…-1001`; unlike the name it never changes.
    #[must_use]
    pub fn sid(&self) -> &str {
        self.token.sid()
    }

    /// The security identifiers of the groups whose rights the user has here. Read when they are first asked for.
    ///
    /// Groups that only ever deny something are left out, as is the logon session.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn groups(&self) -> io::Result<&[String]> {
        self.token.groups()
    }

    /// Whether the user has the rights of `group`: a name, such as `BUILTIN\Administrators` or `CORP\Ops`, of any
    /// case, or a security identifier.
    ///
    /// A name is looked up at each call, which may block as [`name`](Self::name) may; an identifier is not.
    ///
    /// # Errors
    ///
    /// When no such group is known, or the system does not tell.
    pub fn is_in_group(&self, group: &str) -> io::Result<bool> {
        let sid = super::os::group(group)?;
        Ok(self.groups()?.contains(&sid))
    }

    /// Runs `work` as this user: what it opens is opened with the user's rights. On this thread and for this
    /// long only: nothing that is merely begun in `work`, such as a future or another thread, runs as the user.
    ///
    /// However `work` ends, by a panic too, the thread is then again whose it was. Where the system
    /// refuses that, the process is aborted: going on with somebody else's rights would be worse.
    ///
    /// # Errors
    ///
    /// When the system does not let this process act as the user; `work` was not run.
    pub fn impersonate<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let _reverts = self.token.impersonate()?;
        Ok(work())
    }
}

/// The token, for what the Windows API does with one. It may be asked about (`TOKEN_QUERY`), and for more where the
/// front end's token may be.
#[cfg(windows)]
impl AsHandle for WindowsIdentity {
    fn as_handle(&self) -> BorrowedHandle<'_> {
        self.token.as_handle()
    }
}

impl fmt::Debug for WindowsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WindowsIdentity")
            .field("sid", &self.sid())
            .finish_non_exhaustive()
    }
}
