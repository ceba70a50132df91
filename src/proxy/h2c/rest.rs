//! What is left of a request when its answer begins.

use std::{future::poll_fn, pin::pin};

use tokio::{
    spawn,
    sync::oneshot::{self, Sender},
};
use tracing::debug;

use super::upload::Upload;
use crate::proxy::upload::RequestBody;

/// Sends it by a task of its own, because it has to go on while nobody reads the answer. Dropping it breaks it off.
#[derive(Debug)]
pub(super) struct Rest {
    /// Held, for when it is dropped.
    _stop: Sender<()>,
}

impl Rest {
    /// `None` where nothing is left.
    pub(super) fn send(mut upload: Upload, mut body: RequestBody) -> Option<Self> {
        if upload.is_done() {
            return None;
        }
        let (stop, stopped) = oneshot::channel();
        spawn(async move {
            let ended = {
                let mut sent = pin!(poll_fn(|cx| upload.poll(cx, &mut body)));
                tokio::select! {
                    // The client's word comes first, because it may be the reason for what follows.
                    biased;
                    sent = &mut sent => Some(sent),
                    _ = stopped => None,
                }
            };
            match ended {
                Some(Ok(())) => {}
                Some(Err(error)) => debug!(%error, "Client broke its request off"),
                None => upload.break_off(&mut body).await,
            }
        });
        Some(Self { _stop: stop })
    }
}
