//! An app of this process, kept as a process of its own would be.

use std::{future::Future, io, net::SocketAddr, process, sync::Arc};

use super::{Exit, Listener, OutputPipe, Process};
use crate::{in_process::Run, proxy::Instance};

impl Process for Run {
    /// This process, which it shares.
    fn id(&self) -> u32 {
        process::id()
    }

    fn exited(&self) -> impl Future<Output = Exit> + Send {
        let ended = self.ended();
        async move {
            ended.await;
            Exit::unknown()
        }
    }

    fn take_output(&self) -> Option<OutputPipe> {
        None
    }

    fn instance(&self) -> impl Future<Output = Result<Instance, Arc<str>>> + Send {
        self.made()
    }

    /// Tells the app that it is to end; nothing of it is broken off.
    fn terminate(&self) {
        self.shutdown().request();
    }

    fn kill(&self) {
        self.end();
    }

    fn listener(&self, _: SocketAddr) -> io::Result<Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
