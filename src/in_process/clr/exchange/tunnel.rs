//! A connection that became another protocol's, after a 101 or an extended CONNECT's 200.
//!
//! Its bytes go the ways of the bodies: what the app writes through the answer's buffer, what it reads through an
//! [`Intake`], which is filled when it is empty.

use std::{
    future::poll_fn,
    io,
    task::{Context, Poll, Waker},
};

use bytes::{Buf, BytesMut};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tracing::{Instrument as _, Span, debug};

use super::{After, Client};
use crate::error::BoxError;

/// What is read at once.
const BUFFER: usize = 8 * 1024;

/// What came from the client and is not read yet.
#[derive(Default)]
pub(in super::super) struct Intake {
    bytes: BytesMut,
    ended: bool,
    /// The tunnel's reader, while there is nothing for it to do.
    waker: Option<Waker>,
}

impl Intake {
    /// Reads into `buffer`; `None`: nothing is here yet.
    pub(in super::super) fn read(&mut self, buffer: &mut [u8]) -> (Option<usize>, Option<Waker>) {
        let count = self.bytes.len().min(buffer.len());
        let (to, _) = buffer.split_at_mut(count);
        self.bytes.copy_to_slice(to);
        if count > 0 || self.ended {
            return (Some(count), None);
        }
        (None, self.waker.take())
    }

    /// Waits until all is read.
    fn poll_room(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.bytes.is_empty() {
            return Poll::Ready(());
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Opens the tunnel once hyper gives the connection away. Ends with what the app writes, or when a side fails.
pub(super) fn open(upgrade: OnUpgrade, client: Client) {
    let tunnel = async move {
        match relay(upgrade, &client).await {
            Ok(()) => debug!("Tunnel ended"),
            Err(error) => debug!(%error, "Tunnel broke off"),
        }
        drop(client);
    };
    tokio::spawn(tunnel.instrument(Span::current()));
}

async fn relay(upgrade: OnUpgrade, client: &Client) -> Result<(), BoxError> {
    let (from, to) = split(TokioIo::new(upgrade.await?));
    tokio::select! {
        biased;
        ended = down(to, client) => ended,
        failed = up(from, client) => Err(failed.into()),
    }
}

type Socket = TokioIo<Upgraded>;

/// What the app writes.
async fn down(mut to: WriteHalf<Socket>, client: &Client) -> Result<(), BoxError> {
    while let (Some(frame), _) = poll_fn(|cx| client.poll_out(cx)).await {
        if let Ok(mut data) = frame?.into_data() {
            to.write_all_buf(&mut data).await?;
            to.flush().await?;
        }
    }
    Ok(to.shutdown().await?)
}

/// What the client sends. Returns only when it fails: a client that has said all may still listen.
async fn up(mut from: ReadHalf<Socket>, client: &Client) -> io::Error {
    let mut buffer = BytesMut::new();
    loop {
        poll_fn(|cx| client.poll_room(cx)).await;
        buffer.reserve(BUFFER);
        match from.read_buf(&mut buffer).await {
            Ok(0) => {
                client.take_in(None);
                std::future::pending::<()>().await;
            }
            Ok(_) => client.take_in(Some(buffer.split())),
            Err(error) => return error,
        }
    }
}

impl Client {
    fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        match self.slot.lock().of_client() {
            Some(exchange) => exchange.answer.tunnel.poll_room(cx),
            None => Poll::Pending,
        }
    }

    /// Hands on what was read, or that there will be no more.
    fn take_in(&self, bytes: Option<BytesMut>) {
        let id = self.slot.id();
        let mut after = After::default();
        if let Some(exchange) = self.slot.lock().of_client() {
            let intake = &mut exchange.answer.tunnel;
            match bytes {
                Some(bytes) if intake.bytes.is_empty() => intake.bytes = bytes,
                Some(bytes) => intake.bytes.extend_from_slice(&bytes),
                None => intake.ended = true,
            }
            after.read_ready = self.slot.took_read() && !exchange.completed;
        }
        if let Some(native) = self.slot.native(id) {
            after.run(native, id);
        }
    }
}
