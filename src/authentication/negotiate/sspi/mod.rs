//! Kerberos and NTLM by Windows itself: the Security Support Provider Interface, package `Negotiate`.

#[cfg(all(windows, feature = "negotiate"))]
mod context;
mod outcome;

#[cfg(all(windows, feature = "negotiate"))]
mod accept {
    use std::{fmt, io, os::windows::io::OwnedHandle, sync::Arc};

    use super::{
        super::{Exchange, Mechanism, Refused, Step},
        context::{Context, Credential},
        outcome::{identity, reason, time},
    };

    /// Accepts whoever the system knows: by Kerberos where the machine is in a domain and the service's principal
    /// (`HTTP/host`) belongs to the account that this process runs as, else by NTLM, if the system's policy allows it.
    ///
    /// NTLM takes three requests, and always on one connection. What a client delegates is not asked for.
    #[derive(Clone)]
    pub struct Sspi {
        credential: Arc<Credential>,
    }

    impl Sspi {
        /// Accepts in the name of the account that this process runs as.
        ///
        /// # Errors
        ///
        /// When the system gives no credentials for it.
        pub fn new() -> io::Result<Self> {
            let credential = Credential::acquire();
            let credential = credential.map_err(|status| io::Error::other(reason(status)))?;
            Ok(Self {
                credential: Arc::new(credential),
            })
        }
    }

    impl Mechanism for Sspi {
        fn begin(&self) -> Box<dyn Exchange> {
            Box::new(Accepting {
                credential: Arc::clone(&self.credential),
                context: None,
                user: None,
            })
        }
    }

    impl fmt::Debug for Sspi {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Sspi").finish_non_exhaustive()
        }
    }

    struct Accepting {
        credential: Arc<Credential>,
        /// From the first token on.
        context: Option<Context>,
        /// Once it is known.
        user: Option<OwnedHandle>,
    }

    impl Exchange for Accepting {
        fn step(&mut self, token: &[u8]) -> Result<Step, Refused> {
            let refused = |status| Refused::new(reason(status));
            // Gone with whatever fails: an exchange that failed can't be gone on with.
            let before = self.context.take();
            let accepted = self.credential.accept(before, token).map_err(refused)?;
            let answer = accepted.token;
            if !accepted.done {
                self.context = Some(accepted.context);
                return Ok(Step::Continue(answer));
            }
            if accepted.nobody {
                return Err(Refused::new("the client is nobody in particular"));
            }
            let account = accepted.context.account().map_err(refused)?;
            self.user = Some(accepted.context.user().map_err(refused)?);
            let identity = identity(&account, time(accepted.ends));
            Ok(Step::Done(identity, (!answer.is_empty()).then_some(answer)))
        }

        fn windows_user(&mut self) -> Option<OwnedHandle> {
            self.user.take()
        }
    }
}

#[cfg(all(windows, feature = "negotiate"))]
pub use self::accept::Sspi;
