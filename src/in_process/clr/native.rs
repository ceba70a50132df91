//! This side of the boundary: the table of functions that the managed side finds, what it is told once, and what it
//! has told.

use std::{
    ffi::c_void,
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::{
    abi::{self, Api, Callbacks, Settings, Slice},
    calls, exchange,
    lifetime::Lifetime,
};

/// In the count of requests: no more of them.
const CLOSED: u64 = 1 << 63;

/// What the app is told once.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) path_base: String,
    pub(super) physical_path: String,
    pub(super) authentication: String,
    pub(super) addresses: String,
    pub(super) max_request_body: Option<u64>,
    pub(super) websockets: bool,
    pub(super) detailed_errors: bool,
    pub(super) shutdown_time_limit: Duration,
}

/// This side of one app. It is never freed: the managed side, which can't be unloaded, has its address.
pub(super) struct Native {
    /// First: its address is that of the table.
    api: Api,
    settings: Settings,
    told: Told,
    callbacks: OnceLock<Callbacks>,
    /// The requests that are not complete, and whether more may come.
    requests: AtomicU64,
    drained: AtomicBool,
    lifetime: watch::Sender<Lifetime>,
}

// SAFETY: the pointers lead to functions and into `told`, which is never changed and never freed.
unsafe impl Send for Native {}
// SAFETY: as above; all that changes is made for it.
unsafe impl Sync for Native {}

impl Native {
    /// For ever.
    pub(super) fn new(told: Told) -> &'static Self {
        let native = Box::leak(Box::new(Self {
            api: calls::table(),
            settings: Settings::of(&told),
            told,
            callbacks: OnceLock::new(),
            requests: AtomicU64::new(0),
            drained: AtomicBool::new(false),
            lifetime: watch::Sender::new(Lifetime::default()),
        }));
        // The texts may have moved along with `told`, if they were short; they have their place now.
        native.settings = Settings::of(&native.told);
        let host = ptr::from_ref(native).cast_mut().cast::<c_void>();
        native.api.host = host;
        native.api.settings = &raw const native.settings;
        native
    }

    /// The address of the table, as the managed side finds it.
    pub(super) fn address(&'static self) -> String {
        ptr::from_ref(&self.api).addr().to_string()
    }

    pub(super) const fn told(&self) -> &Told {
        &self.told
    }

    pub(super) fn callbacks(&self) -> Option<&Callbacks> {
        self.callbacks.get()
    }

    pub(super) const fn lifetime(&self) -> &watch::Sender<Lifetime> {
        &self.lifetime
    }

    /// The app's server started. Not twice.
    pub(super) fn register(&self, callbacks: Callbacks) -> i32 {
        let fits =
            callbacks.version == abi::VERSION && callbacks.size as usize == size_of::<Callbacks>();
        let registered = fits && self.callbacks.set(callbacks).is_ok();
        self.lifetime.send_modify(|lifetime| match registered {
            true => lifetime.registered = true,
            false => lifetime.mismatch = !fits,
        });
        if registered { abi::OK } else { abi::INVALID }
    }

    /// The managed side is not of this version.
    pub(super) fn refuse(&self) -> i32 {
        self.lifetime
            .send_modify(|lifetime| lifetime.mismatch = true);
        abi::INVALID
    }

    /// A request begins; false if none may any more.
    pub(super) fn begin(&self) -> bool {
        let mut requests = self.requests.load(Ordering::Acquire);
        while requests & CLOSED == 0 {
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            match self
                .requests
                .compare_exchange_weak(requests, requests + 1, success, failure)
            {
                Ok(_) => return true,
                Err(now) => requests = now,
            }
        }
        false
    }

    /// A request is complete.
    pub(super) fn end(&self) {
        if self.requests.fetch_sub(1, Ordering::AcqRel) == CLOSED | 1 {
            self.drain();
        }
    }

    /// No request begins any more.
    pub(super) fn stop_incoming(&self) {
        if self.requests.fetch_or(CLOSED, Ordering::AcqRel) & !CLOSED == 0 {
            self.drain();
        }
    }

    /// Every request is complete, and no more will come.
    fn drain(&self) {
        if self.drained.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(callbacks) = self.callbacks() {
            // SAFETY: the managed side gave this function for as long as the process lives.
            unsafe { (callbacks.on_drained)() };
        }
    }

    /// The app's server has stopped, whatever is still open.
    pub(super) fn stopped(&'static self) {
        self.stop_incoming();
        exchange::break_all(self);
        self.lifetime
            .send_modify(|lifetime| lifetime.stopped = true);
    }

    /// How many requests are not complete.
    pub(super) fn open_requests(&self) -> u64 {
        self.requests.load(Ordering::Acquire) & !CLOSED
    }

    /// Asks the app to stop; false if it never started.
    pub(super) fn shut_down(&self) -> bool {
        let Some(callbacks) = self.callbacks() else {
            return false;
        };
        // SAFETY: the managed side gave this function for as long as the process lives.
        unsafe { (callbacks.on_shutdown)() };
        true
    }
}

impl Settings {
    fn of(told: &Told) -> Self {
        Self {
            path_base: Slice::of(told.path_base.as_bytes()),
            physical_path: Slice::of(told.physical_path.as_bytes()),
            authentication: Slice::of(told.authentication.as_bytes()),
            addresses: Slice::of(told.addresses.as_bytes()),
            max_request_body: told
                .max_request_body
                .map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX)),
            websockets: told.websockets.into(),
            detailed_errors: told.detailed_errors.into(),
            shutdown_time_limit: u64::try_from(told.shutdown_time_limit.as_millis())
                .unwrap_or(u64::MAX),
        }
    }
}
