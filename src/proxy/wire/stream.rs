//! The app's socket, whole or, once an answer came before its request was sent, in halves.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, ReadHalf, split},
    task::{JoinHandle, spawn},
};
use tracing::debug;

use super::outgoing::{Outgoing, Refusal};
use crate::{
    error::BoxError,
    proxy::{io::Io, upload::RequestBody},
};

/// The app's socket.
pub(super) enum Stream {
    Whole(Io),
    /// What is left of the request is written meanwhile.
    Reading(ReadHalf<Io>, Upload),
    Gone,
}

/// The rest of a request, sent by a task of its own, which ends when this is dropped.
pub(super) struct Upload {
    /// Until it has ended.
    task: Option<JoinHandle<Result<(), BoxError>>>,
}

impl Stream {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Whole(io) => pin!(io.read_buf(to)).poll(cx),
            Self::Reading(io, upload) => {
                if let Poll::Ready(Err(error)) = upload.poll(cx) {
                    return Poll::Ready(Err(io::Error::other(error)));
                }
                pin!(io.read_buf(to)).poll(cx)
            }
            Self::Gone => Poll::Ready(Ok(0)),
        }
    }

    /// Lets what is left of a request be sent by a task of its own, as nobody may read the answer meanwhile.
    pub(super) fn send_rest(&mut self, mut outgoing: Outgoing, mut body: RequestBody) {
        let io = match std::mem::replace(self, Self::Gone) {
            Self::Whole(io) => io,
            halves @ (Self::Reading(..) | Self::Gone) => return *self = halves,
        };
        let (reading, mut writing) = split(io);
        let task = spawn(async move {
            let sent = std::future::poll_fn(|cx| outgoing.poll(cx, &mut writing, &mut body));
            match sent.await {
                Ok(()) => Ok(()),
                // The app may take no more of it, having answered.
                Err(Refusal::Io(error)) => {
                    debug!(%error, "Request not taken to its end");
                    Ok(())
                }
                Err(Refusal::Body(error)) => Err(error),
            }
        });
        *self = Self::Reading(reading, Upload { task: Some(task) });
    }
}

impl Upload {
    /// Ready when it has ended; an error is the client's.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(Ok(()));
        };
        let ended = ready!(Pin::new(task).poll(cx));
        self.task = None;
        // A task that was ended from outside has nothing to say.
        Poll::Ready(ended.unwrap_or(Ok(())))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
