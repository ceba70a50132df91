//! Keeps a body back until the app says that it wants it.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Sleep, sleep},
};

/// Keeps a body back.
pub(super) struct Gate {
    /// `None` once nobody will open it any more.
    opened: Option<oneshot::Receiver<()>>,
    limit: Pin<Box<Sleep>>,
}

impl Gate {
    /// One that opens by itself after `limit`, and what opens it before.
    pub(super) fn new(limit: Duration) -> (Self, Opener) {
        let (opener, opened) = oneshot::channel();
        let gate = Self {
            opened: Some(opened),
            limit: Box::pin(sleep(limit)),
        };
        (gate, Opener(Mutex::new(Some(opener))))
    }

    /// Ready when it is open.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(opened) = &mut self.opened {
            match Pin::new(opened).poll(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(()),
                // The app has answered without having said it, so it may not want the body at all.
                Poll::Ready(Err(_)) => self.opened = None,
                Poll::Pending => {}
            }
        }
        self.limit.as_mut().poll(cx)
    }
}

/// Lets a body that is held back go.
#[derive(Debug)]
pub(super) struct Opener(Mutex<Option<oneshot::Sender<()>>>);

impl Opener {
    pub(super) fn open(&self) {
        let opener = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Nobody waits any more where the time was up.
        let _ = opener.map(|opener| opener.send(()));
    }
}
