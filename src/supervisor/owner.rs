//! Whose the port of an app is, asked after each dial.

use std::io;
#[cfg(windows)]
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::{Listener, Process};
use crate::proxy::{Address, Owner};

/// Tells the proxy whether the listener is still the process's own, and gives it a user's token.
pub(super) struct ListenerOwner<P> {
    process: P,
    address: Address,
    /// The process that was the listener at the last look; zero before the first.
    #[cfg(windows)]
    listener: AtomicU32,
}

impl<P: Process> ListenerOwner<P> {
    pub(super) fn new(process: P, address: Address) -> Self {
        Self {
            process,
            address,
            #[cfg(windows)]
            listener: AtomicU32::new(0),
        }
    }

    fn listener(&self) -> io::Result<Listener> {
        let listener = match &self.address {
            Address::Tcp(address) => self.process.listener(*address)?,
            // In a folder of ours, where nobody else can listen.
            #[cfg(unix)]
            Address::Unix(_) => Listener::Own(self.process.id()),
            Address::InProcess(_) => Listener::Own(self.process.id()),
        };
        #[cfg(windows)]
        if let Listener::Own(id) = listener {
            self.listener.store(id, Ordering::Relaxed);
        }
        Ok(listener)
    }
}

impl<P: Process> Owner for ListenerOwner<P> {
    /// Where the system does not know of owners there is nothing to be asked; any other failure
    /// to look is a no.
    fn owns_listener(&self) -> bool {
        match self.listener() {
            Ok(Listener::Own(_)) => true,
            Ok(Listener::None | Listener::Stranger(_)) => false,
            Err(error) => error.kind() == io::ErrorKind::Unsupported,
        }
    }

    /// To whoever listened when a connection was last opened: the system's tables are long, and are not looked into for
    /// each request of a user, as long as that process is one of the app's.
    #[cfg(windows)]
    fn give_token(&self, token: std::os::windows::io::BorrowedHandle<'_>) -> io::Result<u32> {
        let known = self.listener.load(Ordering::Relaxed);
        if known != 0
            && let Ok(number) = self.process.give_token(known, token)
        {
            return Ok(number);
        }
        match self.listener()? {
            Listener::Own(id) => self.process.give_token(id, token),
            Listener::None | Listener::Stranger(_) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
