//! Gathers what is here of a body that comes in short pieces, before the app is told.
//!
//! hyper hands on one chunk of a body at a time, and reads the next when the one before was taken. For a body of chunks of a
//! byte each, every byte would be a way out of the runtime and into the app. So who wakes an app that was given such pieces begins
//! a task that takes what hyper has, lets it bring the next, and tells the app when there is none: after a few polls, and
//! without a clock. A single short piece waits for one poll of its connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::runtime::Handle;

use super::{
    super::{abi::RequestId, slots},
    go_on, read_ready,
};

/// Gathers for `id` and tells it afterwards; false where no runtime is at hand.
pub(super) fn begin(id: RequestId) -> bool {
    let Ok(runtime) = Handle::try_current() else {
        return false;
    };
    // Ends by itself, in a few polls. A runtime that ends drops it, which tells the app too.
    drop(runtime.spawn(Gather { id }));
    true
}

/// Tells the app when it is dropped.
struct Gather {
    id: RequestId,
}

impl Future for Gather {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !take_one(self.id) {
            return Poll::Ready(());
        }
        // The connection's task, which was woken by what was taken, goes first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        go_on(self.id, read_ready);
    }
}

/// Whether there was one, and may be another.
fn take_one(id: RequestId) -> bool {
    let Some(slot) = slots::find(id) else {
        return false;
    };
    let mut state = slot.lock();
    state
        .of_managed(slot, id)
        .is_some_and(|exchange| exchange.upload.gather(id))
}
