//! A managed side in Rust: each request is answered by its path, on the thread that it comes on, where that is lent, else on
//! one of its own.

use std::{
    collections::HashMap,
    ptr,
    sync::{Arc, Condvar, LazyLock, Mutex},
    thread,
    time::Duration,
};

use super::super::{
    abi::{self, Api, Callbacks, ConnectionFacts, Field, Request, RequestId, Slice, User},
    calls,
    native::{Native, Told},
    service::Service,
};

/// How long anything may take here before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

type Handler = fn(&Arc<Call>);

/// A request as the app sees it.
pub(super) struct Call {
    pub(super) id: RequestId,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) authority: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) flags: u32,
    pub(super) content_length: i64,
    pub(super) peer_port: u32,
    /// TLS's version and cipher suite, and the name that was asked for.
    pub(super) tls: (u32, u32, String),
    /// The client's certificate.
    pub(super) certificate: String,
    /// Name, kind of authentication, groups.
    pub(super) user: Option<(String, String, Vec<String>)>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    read_ready: bool,
    write_ready: bool,
    aborts: u32,
}

static CALLS: LazyLock<Mutex<HashMap<RequestId, Arc<Call>>>> = LazyLock::new(Mutex::default);
static HANDLERS: LazyLock<Mutex<HashMap<String, Handler>>> = LazyLock::new(Mutex::default);

const API: Api = calls::table();

pub(super) fn told() -> Told {
    Told {
        path_base: "/shop".into(),
        physical_path: "/srv".into(),
        authentication: "none".into(),
        addresses: String::new(),
        max_request_body: Some(100_000),
        websockets: true,
        detailed_errors: false,
        shutdown_time_limit: Duration::from_secs(10),
    }
}

/// An app whose requests are for `handler`, by a path of its own.
pub(super) fn app(path: &str, handler: Handler) -> (&'static Native, Service) {
    app_with(path, handler, &CALLBACKS)
}

/// As [`app`], by other callbacks.
pub(super) fn app_with(
    path: &str,
    handler: Handler,
    callbacks: &Callbacks,
) -> (&'static Native, Service) {
    HANDLERS.lock().unwrap().insert(path.to_owned(), handler);
    let native = Native::new(told());
    let api = native.address().parse::<usize>().unwrap() as *const Api;
    let code = unsafe { ((*api).register)((*api).host, callbacks) };
    assert_eq!(code, abi::OK);
    (native, Service::new(native))
}

pub(super) static CALLBACKS: Callbacks = Callbacks {
    size: size_of::<Callbacks>() as u32,
    version: abi::VERSION,
    on_request,
    on_read_ready,
    on_write_ready,
    on_abort,
    on_shutdown,
    on_drained,
};

unsafe extern "C" fn on_request(id: RequestId, request: *const Request) {
    let request = unsafe { &*request };
    let call = Arc::new(unsafe { Call::new(id, request) });
    let before = CALLS.lock().unwrap().insert(id, call.clone());
    assert!(before.is_none(), "a number is never given twice");
    let handler = *HANDLERS
        .lock()
        .unwrap()
        .get(&call.path)
        .expect("a known path");
    let here = call.flags & abi::RUN_HERE != 0;
    let serve = move || {
        handler(&call);
        CALLS.lock().unwrap().remove(&id);
        unsafe { (API.complete)(id) };
    };
    if here {
        serve();
    } else {
        thread::spawn(serve);
    }
}

unsafe extern "C" fn on_read_ready(id: RequestId, _: u32) {
    tell(id, |seen| seen.read_ready = true);
}

unsafe extern "C" fn on_write_ready(id: RequestId, _: u32) {
    tell(id, |seen| seen.write_ready = true);
}

unsafe extern "C" fn on_abort(id: RequestId) {
    tell(id, |seen| seen.aborts += 1);
}

unsafe extern "C" fn on_shutdown() {}

unsafe extern "C" fn on_drained() {}

fn tell(id: RequestId, change: impl FnOnce(&mut Seen)) {
    let call = CALLS.lock().unwrap().get(&id).cloned();
    if let Some(call) = call {
        change(&mut call.seen.lock().unwrap());
        call.changed.notify_all();
    }
}

unsafe fn text(slice: Slice) -> String {
    if slice.len == 0 {
        return String::new();
    }
    String::from_utf8(unsafe { std::slice::from_raw_parts(slice.data, slice.len) }.to_vec())
        .unwrap()
}

unsafe fn pairs(fields: *const Field, count: u32) -> Vec<(String, String)> {
    let fields: &[Field] = match count {
        0 => &[],
        count => unsafe { std::slice::from_raw_parts(fields, count as usize) },
    };
    let slice = |data, len: u32| Slice {
        data,
        len: len as usize,
    };
    fields
        .iter()
        .map(|field| unsafe {
            (
                text(slice(field.name, field.name_len)),
                text(slice(field.value, field.value_len)),
            )
        })
        .collect()
}

unsafe fn tls(facts: &ConnectionFacts) -> (u32, u32, String) {
    let name = unsafe { text(facts.server_name) };
    (facts.tls_version, facts.tls_cipher_suite, name)
}

unsafe fn user_of(user: &User) -> (String, String, Vec<String>) {
    let groups = unsafe { std::slice::from_raw_parts(user.groups, user.group_count as usize) };
    let groups = groups.iter().map(|group| unsafe { text(*group) }).collect();
    unsafe { (text(user.name), text(user.authentication_type), groups) }
}

impl Call {
    unsafe fn new(id: RequestId, request: &Request) -> Self {
        unsafe {
            Self {
                id,
                method: text(request.method),
                target: text(request.target),
                path: text(request.path),
                query: text(request.query),
                authority: text(request.authority),
                fields: pairs(request.fields, request.field_count),
                flags: request.flags,
                content_length: request.content_length,
                peer_port: (*request.connection).peer.port,
                tls: tls(&*request.connection),
                certificate: text((*request.connection).certificate),
                user: request.user.as_ref().map(|user| user_of(user)),
                seen: Mutex::default(),
                changed: Condvar::new(),
            }
        }
    }

    pub(super) fn start(
        &self,
        status: u32,
        fields: &[(&str, &str)],
        body: &[u8],
        end: bool,
    ) -> i32 {
        let raw = raw(fields);
        let (count, flags) = (raw.len() as u32, u32::from(end));
        unsafe {
            (API.start)(
                self.id,
                status,
                Slice::EMPTY,
                raw.as_ptr(),
                count,
                Slice::of(body),
                flags,
            )
        }
    }

    pub(super) fn answer(&self, body: &str) -> i32 {
        self.start(200, &[], body.as_bytes(), true)
    }

    pub(super) fn write(&self, body: &[u8], end: bool) -> i32 {
        unsafe { (API.write)(self.id, Slice::of(body), u32::from(end)) }
    }

    /// Writes, and waits as long as it has to.
    pub(super) fn write_all(&self, body: &[u8]) -> i32 {
        match self.write(body, false) {
            abi::PENDING => {
                self.wait(|seen| std::mem::take(&mut seen.write_ready));
                abi::OK
            }
            code => code,
        }
    }

    pub(super) fn trailers(&self, fields: &[(&str, &str)]) -> i32 {
        let raw = raw(fields);
        unsafe { (API.trailers)(self.id, raw.as_ptr(), raw.len() as u32) }
    }

    pub(super) fn reset(&self, code: u32) -> i32 {
        unsafe { (API.reset)(self.id, code) }
    }

    pub(super) fn informational(&self, status: u32) -> i32 {
        unsafe { (API.informational)(self.id, status, ptr::null(), 0) }
    }

    pub(super) fn set_max_body(&self, limit: i64) -> i32 {
        unsafe { (API.set_max_body)(self.id, limit) }
    }

    pub(super) fn complete(&self) {
        unsafe { (API.complete)(self.id) }
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> Result<usize, i32> {
        let mut read = usize::MAX;
        let code = unsafe { (API.read)(self.id, buffer.as_mut_ptr(), buffer.len(), &raw mut read) };
        if code == abi::OK { Ok(read) } else { Err(code) }
    }

    /// Reads, and waits as long as it has to.
    pub(super) fn read(&self, buffer: &mut [u8]) -> Result<usize, i32> {
        loop {
            match self.try_read(buffer) {
                Err(abi::PENDING) => self.wait(|seen| std::mem::take(&mut seen.read_ready)),
                other => return other,
            }
        }
    }

    pub(super) fn read_to_end(&self) -> Result<Vec<u8>, i32> {
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match self.read(&mut buffer)? {
                0 => return Ok(all),
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    }

    pub(super) fn request_trailers(&self) -> Result<Vec<(String, String)>, i32> {
        let (mut fields, mut count) = (ptr::null(), 0);
        match unsafe { (API.request_trailers)(self.id, &raw mut fields, &raw mut count) } {
            abi::OK => Ok(unsafe { pairs(fields, count) }),
            code => Err(code),
        }
    }

    /// Waits until the client is gone.
    pub(super) fn aborted(&self) {
        self.wait(|seen| seen.aborts > 0);
    }

    pub(super) fn aborts(&self) -> u32 {
        self.seen.lock().unwrap().aborts
    }

    fn wait(&self, mut until: impl FnMut(&mut Seen) -> bool) {
        let seen = self.seen.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(seen, PATIENCE, |seen| !until(seen));
        assert!(!waited.unwrap().1.timed_out(), "nothing came");
    }
}

fn raw(fields: &[(&str, &str)]) -> Vec<Field> {
    fields
        .iter()
        .map(|(name, value)| Field {
            name: name.as_ptr(),
            value: value.as_ptr(),
            name_len: name.len() as u32,
            value_len: value.len() as u32,
        })
        .collect()
}
