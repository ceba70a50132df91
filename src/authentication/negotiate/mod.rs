//! `Negotiate` (RFC 4559): the client proves who it is by a Kerberos ticket, wrapped in SPNEGO (RFC 4178).
//!
//! `Kerberos` (feature `negotiate`, Unix) asks the system's GSSAPI, which finds the service's key in a keytab; `Sspi`
//! (feature `negotiate`, Windows) asks the system as IIS does, and takes NTLM too where that is allowed. Something else can
//! take their place by [`Mechanism`].

use std::{fmt, sync::Arc, time::Duration};

use crate::Identity;

#[cfg(all(unix, feature = "negotiate"))]
mod gssapi;

#[cfg(any(test, all(windows, feature = "negotiate")))]
mod sspi;

#[cfg(all(unix, feature = "negotiate"))]
pub use self::gssapi::{Kerberos, KerberosError};
#[cfg(all(windows, feature = "negotiate"))]
pub use self::sspi::Sspi;

/// Begins exchanges. Shared by all connections.
pub trait Mechanism: Send + Sync + fmt::Debug {
    /// The exchange of one client.
    fn begin(&self) -> Box<dyn Exchange>;
}

/// An exchange of tokens with one client.
pub trait Exchange: Send {
    /// Takes the client's next token. May block: it is called where that is allowed.
    ///
    /// # Errors
    ///
    /// When the client has not proved who it is and can't any more. The exchange is over.
    fn step(&mut self, token: &[u8]) -> Result<Step, Refused>;

    /// The user as Windows knows it, by the handle of its token, which a supervised app gets a copy of. Asked once, after
    /// [`Step::Done`]. Default: none.
    #[cfg(windows)]
    fn windows_user(&mut self) -> Option<std::os::windows::io::OwnedHandle> {
        None
    }
}

/// What came of a token.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// The client has to go on, with what it makes of this token.
    Continue(Vec<u8>),
    /// The client is this user. With a token, it can know who we are, too.
    Done(Identity, Option<Vec<u8>>),
}

/// Why a client's proof is none: for the log, and never for the client.
#[derive(Debug)]
pub struct Refused(String);

impl Refused {
    /// A reason in words that help who runs the service. It must hold nothing of the token.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// How long a client may take from the first token to the last.
pub(super) const LONGEST_EXCHANGE: Duration = Duration::from_secs(30);

/// How many tokens are looked at in one moment; the others wait. Each takes a thread while it lasts.
pub(super) const AT_ONCE: usize = 32;

/// A mechanism as it is offered.
#[derive(Clone, Debug)]
pub(super) struct Negotiate {
    pub(super) mechanism: Arc<dyn Mechanism>,
    pub(super) at_once: Arc<tokio::sync::Semaphore>,
}

impl Negotiate {
    pub(super) fn new(mechanism: Arc<dyn Mechanism>) -> Self {
        Self {
            mechanism,
            at_once: Arc::new(tokio::sync::Semaphore::new(AT_ONCE)),
        }
    }

    /// One step of `exchange`, where it may block.
    pub(super) async fn step(
        &self,
        mut exchange: Box<dyn Exchange>,
        token: Vec<u8>,
    ) -> Result<(Step, Box<dyn Exchange>), Refused> {
        let permit = Arc::clone(&self.at_once).acquire_owned().await;
        let stepping = tokio::task::spawn_blocking(move || {
            // Held until the work is done, even when nobody waits for it any more.
            let _permit = permit;
            exchange.step(&token).map(|step| (step, exchange))
        });
        match stepping.await {
            Ok(stepped) => stepped,
            Err(error) => Err(Refused::new(format!("the exchange broke off: {error}"))),
        }
    }
}
