//! The request's body on its way to the managed side, which asks for it.
//!
//! It is polled where it is asked for, on the runtime's threads, with a waker that is nothing but the number of the
//! exchange: no task and no buffer stand between hyper and the app, and nothing is read before somebody wants it.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    ptr,
    sync::atomic::Ordering,
    task::{Context, Poll, RawWaker, RawWakerVTable, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;

use super::{
    super::{
        abi::{self, Field, RequestId},
        head,
        slots::{self, Slot},
    },
    gather, go_on, read_ready,
};
use crate::error::BoxError;

/// What is shorter is not worth a crossing of its own, in bytes.
const SHORT: usize = 1024;
/// After so many short pieces in a row, those that are there already cross together.
const SHORT_IN_A_ROW: u8 = 8;
/// So much of them is gathered at most, in bytes: as much as a reader asks for, usually.
const GATHERED: usize = 64 * 1024;

#[cfg(not(target_pointer_width = "64"))]
compile_error!("the feature `in-process` needs pointers of 64 bits: a waker is a request's number");

/// A request's body, erased.
pub(in super::super) type Incoming = UnsyncBoxBody<Bytes, BoxError>;

/// A request's body.
pub(in super::super) struct Upload {
    body: Option<Incoming>,
    /// What was read and not yet asked for.
    chunk: Bytes,
    /// Short pieces that follow it.
    gathered: BytesMut,
    /// How many short pieces came one after the other.
    short: u8,
    /// Set once the body has ended: 0, or why there is no more of it.
    over: Option<i32>,
    begun: bool,
    declared: Option<u64>,
    read: u64,
    limit: Option<u64>,
    trailers: HeaderMap,
    /// The view of the trailers.
    fields: Vec<Field>,
}

// SAFETY: the view leads into `trailers`, which move along with it and are not changed once it is made.
unsafe impl Send for Upload {}

impl Upload {
    /// `body` is `None` if there is none.
    pub(in super::super) fn new(
        body: Option<Incoming>,
        declared: Option<u64>,
        limit: Option<u64>,
    ) -> Self {
        Self {
            over: body.is_none().then_some(abi::OK),
            body,
            chunk: Bytes::new(),
            gathered: BytesMut::new(),
            short: 0,
            begun: false,
            declared,
            read: 0,
            limit,
            trailers: HeaderMap::new(),
            fields: Vec::new(),
        }
    }

    /// What is left of it, which nobody will read.
    pub(super) fn take(&mut self) -> (Option<Incoming>, Bytes) {
        self.over = Some(abi::GONE);
        self.gathered = BytesMut::new();
        (self.body.take(), std::mem::take(&mut self.chunk))
    }

    pub(in super::super) fn set_limit(&mut self, limit: Option<u64>) -> i32 {
        if self.begun {
            return abi::INVALID;
        }
        self.limit = limit;
        abi::OK
    }

    /// Reads into `buffer`: how much, or the code that says why not.
    pub(in super::super) fn read(
        &mut self,
        slot: &Slot,
        id: RequestId,
        buffer: &mut [u8],
    ) -> Result<usize, i32> {
        // The app may still allow more: nothing was read.
        if !self.begun && self.over.is_none() && self.is_too_large(self.declared.unwrap_or(0)) {
            return Err(abi::TOO_LARGE);
        }
        self.begun = true;
        self.wait_for_some(slot, id)?;
        let mut count = self.give(buffer);
        while self.is_short() && count < buffer.len() && self.try_more(id) {
            count += self.give(buffer.split_at_mut(count).1);
        }
        slot.gathers.store(self.is_short(), Ordering::Release);
        Ok(count)
    }

    /// Until there is something, or nothing more.
    fn wait_for_some(&mut self, slot: &Slot, id: RequestId) -> Result<(), i32> {
        while !self.has_some() {
            match self.over {
                Some(abi::OK) => return Ok(()),
                Some(code) => return Err(code),
                None => {}
            }
            // Before the poll: what wakes during it is owed already.
            slot.wants_read.store(true, Ordering::Release);
            let waker = waker(id);
            let polled = self.poll(&mut Context::from_waker(&waker));
            if polled.is_pending() {
                return Err(abi::PENDING);
            }
            slot.wants_read.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Whether something was read and not yet asked for.
    fn has_some(&mut self) -> bool {
        if self.chunk.is_empty() && !self.gathered.is_empty() {
            self.chunk = self.gathered.split().freeze();
        }
        !self.chunk.is_empty()
    }

    /// Gives what was read, as far as it fits: how much.
    fn give(&mut self, buffer: &mut [u8]) -> usize {
        let count = self.chunk.len().min(buffer.len());
        let (to, _) = buffer.split_at_mut(count);
        self.chunk.copy_to_slice(to);
        count
    }

    /// Whether there is more without waiting for it. Nobody is told when it comes.
    fn try_more(&mut self, id: RequestId) -> bool {
        self.over.is_none()
            && self.poll(&mut Context::from_waker(&waker(id))).is_ready()
            && !self.chunk.is_empty()
    }

    /// Takes one more piece, if it is here; false if there is nothing to be gathered any more.
    pub(super) fn gather(&mut self, id: RequestId) -> bool {
        if self.gathered.len() >= GATHERED || !self.chunk.is_empty() || !self.try_more(id) {
            return false;
        }
        let piece = std::mem::take(&mut self.chunk);
        self.gathered.extend_from_slice(&piece);
        self.is_short()
    }

    /// Whether the pieces are short.
    const fn is_short(&self) -> bool {
        self.short >= SHORT_IN_A_ROW
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(body) = self.body.as_mut() else {
            self.end(abi::GONE);
            return Poll::Ready(());
        };
        match ready!(Pin::new(body).poll_frame(cx)) {
            None => self.end(abi::OK),
            Some(Err(error)) => self.end(code_of(&*error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.take_in(data),
                Err(frame) => self.trailers = frame.into_trailers().unwrap_or_default(),
            },
        }
        Poll::Ready(())
    }

    fn take_in(&mut self, data: Bytes) {
        self.read = self.read.saturating_add(data.len() as u64);
        if self.is_too_large(self.read) {
            return self.end(abi::TOO_LARGE);
        }
        self.short = if data.len() < SHORT {
            self.short.saturating_add(1)
        } else {
            0
        };
        self.chunk = data;
    }

    fn is_too_large(&self, length: u64) -> bool {
        self.limit.is_some_and(|limit| length > limit)
    }

    fn end(&mut self, code: i32) {
        self.over = Some(code);
        self.chunk = Bytes::new();
    }

    /// The trailers, in place until the exchange ends.
    pub(in super::super) fn trailers(&mut self) -> Option<&[Field]> {
        if self.over != Some(abi::OK) || self.has_some() {
            return None;
        }
        if self.fields.is_empty() {
            head::collect(&self.trailers, &mut self.fields);
        }
        Some(&self.fields)
    }
}

/// A body that is cut short or badly framed is the client's mistake; a stream that was reset has no client any more.
fn code_of(error: &(dyn std::error::Error + 'static)) -> i32 {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<h2::Error>().is_some() {
            return abi::GONE;
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            let broken = [
                ErrorKind::InvalidInput,
                ErrorKind::InvalidData,
                ErrorKind::UnexpectedEof,
            ];
            return if broken.contains(&io.kind()) {
                abi::BAD_REQUEST
            } else {
                abi::GONE
            };
        }
        cause = error.source();
    }
    abi::GONE
}

/// Calls `on_read_ready` of `id`, if it is owed.
fn waker(id: RequestId) -> Waker {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| {});
    fn clone(data: *const ()) -> RawWaker {
        RawWaker::new(data, &VTABLE)
    }
    // SAFETY: the data is a number, of which nothing is owned or freed; the functions work from any thread.
    unsafe { Waker::from_raw(clone(ptr::without_provenance(id as usize))) }
}

/// Takes no lock that anything is called under: hyper and h2 wake under locks of theirs, which `read` takes after the slot's.
fn wake(data: *const ()) {
    let id = data.addr() as RequestId;
    let Some(slot) = slots::find(id) else {
        return;
    };
    if slot.native(id).is_some() && slot.took_read() {
        // What was taken may have been owed to a later exchange in the same place; one more call is harmless.
        let id = slot.id();
        if !slot.gathers.load(Ordering::Acquire) || !gather::begin(id) {
            go_on(id, read_ready);
        }
    }
}
