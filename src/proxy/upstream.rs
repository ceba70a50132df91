//! A connection to an app that is asked for a tunnel: hyper's client, which can give the socket away.
//!
//! It is driven by a task of its own. Dropping a connection ends that task and so closes the socket at once, whatever
//! is under way.

use std::{fmt, time::Duration};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{task::AbortHandle, time::timeout};
use tracing::debug;

use super::{io::Io, seats::Seat, upload::RequestBody};
use crate::error::Error;

/// A connection to an app, for one request, which may become a tunnel.
pub(super) struct Upstream {
    sender: SendRequest<RequestBody>,
    task: Task,
    /// Below the task, which closes the socket.
    seat: Seat,
}

impl Upstream {
    /// A connection that was just opened.
    pub(super) async fn new(io: Io, seat: Seat) -> Result<Self, Error> {
        let (sender, connection) = http1::handshake(TokioIo::new(io))
            .await
            .map_err(Error::connect)?;
        let connection = connection.with_upgrades();
        // Outside of any request's span: it outlives the request.
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "Connection to the app ended");
            }
        });
        Ok(Self {
            sender,
            task: Task(Some(task.abort_handle())),
            seat,
        })
    }

    /// Sends `request` and waits for the head of the answer, for `limit` at most.
    ///
    /// Cancel safe in that dropping it and the connection breaks the exchange off.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
        limit: Option<Duration>,
    ) -> Result<Response<Incoming>, Error> {
        let answer = self.sender.send_request(request);
        let answer = match limit {
            Some(limit) => timeout(limit, answer)
                .await
                .map_err(|_| Error::timeout("answer"))?,
            None => answer.await,
        };
        answer.map_err(Error::backend)
    }

    /// Lets the connection outlive this handle: it became a tunnel, which holds this seat.
    pub(super) fn detach(mut self) -> Seat {
        self.task.0 = None;
        self.seat.held()
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

/// Ends the task that drives a connection, and so the connection, when it is dropped.
struct Task(Option<AbortHandle>);

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
