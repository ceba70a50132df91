//! Sends one request on a connection, and waits for the head of the answer.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use h2::{RecvStream, client::ResponseFuture};
use http::{Response, StatusCode};
use tokio::time::Instant;

use super::{
    failure::Failure,
    head::head,
    link::{Link, Place},
    rest::Rest,
    upload::Upload,
};
use crate::proxy::{
    options::ProxyOptions,
    progress::Upload as Progress,
    send::Errand,
    stall::Stall,
    upload::RequestBody,
    wire::{Listener, Patience},
};

/// What an answer's head leaves: its stream, what is still sent of the request, and their place on the connection.
#[derive(Debug)]
pub(in crate::proxy) struct Exchange {
    pub(super) stream: RecvStream,
    pub(super) rest: Option<Rest>,
    pub(super) place: Place,
}

/// Sends the request of `errand` on `link`. It stays whole there unless more of its body was taken than is remembered.
///
/// Dropping the future resets the stream.
pub(super) async fn ask(
    link: &Link,
    place: Place,
    errand: &mut Errand,
    options: &ProxyOptions,
) -> Result<(Response<()>, Exchange), Refused> {
    let has_body = errand.upload.is_some();
    let mut sender = link.sender.clone();
    let sent = sender.send_request(head(&errand.request), !has_body);
    // What can't be sent at all, because the app is going or gone, was never seen there.
    let (answer, stream) = sent.map_err(|error| Refused {
        failure: Failure::Unsent(error.into()),
        touched: false,
    })?;
    let mut asking = Asking {
        answer,
        upload: Upload::new(has_body.then_some(stream)),
        timers: Timers {
            patience: options.patience(),
            begun: Instant::now(),
            app: None,
            client: None,
        },
    };
    let progress = errand.upload.as_ref();
    let listener = Listener {
        opener: errand.opener.as_ref(),
        hints: &errand.hints,
        via: options.via.as_ref(),
    };
    let body = errand.request.body_mut();
    let answered = poll_fn(|cx| asking.poll(cx, body, progress, listener)).await;
    let answered = match answered {
        Ok(answered) => answered,
        Err(failure) => {
            let taken = asking.upload.into_taken();
            let touched = taken.is_none();
            if let Some(progress) = progress.filter(|progress| !progress.is_broken()) {
                progress.begin_again();
            }
            errand
                .request
                .body_mut()
                .put_back(taken.unwrap_or_default());
            return Err(Refused { failure, touched });
        }
    };
    let body = std::mem::replace(errand.request.body_mut(), RequestBody::empty());
    let rest = Rest::send(asking.upload, body);
    let (parts, stream) = answered.into_parts();
    place.state().prove();
    let exchange = Exchange {
        stream,
        rest,
        place,
    };
    Ok((Response::from_parts(parts, ()), exchange))
}

/// A request without an answer.
pub(super) struct Refused {
    pub(super) failure: Failure,
    /// Whether something of its body is gone, that can't be sent once more.
    pub(super) touched: bool,
}

/// A request that was sent, as far as its head.
struct Asking {
    answer: ResponseFuture,
    upload: Upload,
    timers: Timers,
}

impl Asking {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut RequestBody,
        progress: Option<&Progress>,
        listener: Listener<'_>,
    ) -> Poll<Result<Response<RecvStream>, Failure>> {
        loop {
            if let Poll::Ready(Err(error)) = self.upload.poll(cx, body) {
                return Poll::Ready(Err(Failure::Body(error)));
            }
            let (continues, is_next) = self.poll_informational(cx, listener);
            // Asked before it is next, h2 would drop what the app says before it.
            if is_next && let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(cx) {
                return Poll::Ready(answer.map_err(|error| Failure::of(&error)));
            }
            // What waits for it has to be asked again.
            if !continues {
                return self.timers.poll(cx, progress).map(Err);
            }
        }
    }

    /// Takes what is no answer yet; whether it lets the body go, and whether the answer, or the end, is next.
    fn poll_informational(&mut self, cx: &mut Context<'_>, listener: Listener<'_>) -> (bool, bool) {
        let mut continues = false;
        loop {
            match self.answer.poll_informational(cx) {
                Poll::Ready(Some(Ok(interim))) => {
                    let (parts, ()) = interim.into_parts();
                    match (parts.status, listener.opener) {
                        (StatusCode::CONTINUE, Some(opener)) => {
                            opener.open();
                            continues = true;
                        }
                        (StatusCode::CONTINUE, None) => {}
                        (status, _) => {
                            let Listener { hints, via, .. } = listener;
                            hints.pass(status, parts.headers, via);
                        }
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => return (continues, true),
                Poll::Pending => return (continues, false),
            }
        }
    }
}

/// How long either side may keep the answer from coming.
struct Timers {
    patience: Patience,
    begun: Instant,
    app: Option<Stall>,
    client: Option<Stall>,
}

impl Timers {
    fn poll(&mut self, cx: &mut Context<'_>, progress: Option<&Progress>) -> Poll<Failure> {
        if let Some(progress) = progress
            && progress
                .poll_slow(cx, &mut self.client, self.patience.client)
                .is_ready()
        {
            return Poll::Ready(Failure::Slow);
        }
        let Some(limit) = self.patience.app else {
            return Poll::Pending;
        };
        let begun = Some(self.begun);
        let since = || progress.map_or(begun, Progress::since);
        let stall = Stall::of(&mut self.app, limit);
        stall.poll(cx, since).map(|()| Failure::Stalled)
    }
}
