//! With real tokens: this process's own, duplicated as the module would duplicate a user's.

use std::{
    os::windows::io::IntoRawHandle,
    panic::{AssertUnwindSafe, catch_unwind},
};

use http::{Request, StatusCode};
use tower::{Layer, ServiceExt, service_fn};
use windows_sys::Win32::{
    Security::{
        DuplicateTokenEx, SecurityImpersonation, TOKEN_ALL_ACCESS, TOKEN_DUPLICATE, TOKEN_QUERY,
        TOKEN_STATISTICS, TOKEN_TYPE, TokenImpersonation, TokenPrimary, TokenStatistics,
    },
    System::Threading::{
        CreateEventW, GetCurrentProcess, GetProcessHandleCount, OpenProcessToken, SetEvent,
    },
};

use super::*;
use crate::{
    app::{AncmLayer, ModuleEnvironment, RequireWindowsUserLayer, WindowsIdentity},
    headers::{MS_ASPNETCORE_TOKEN, MS_ASPNETCORE_WINAUTHTOKEN},
};

/// Everybody is in it.
const EVERYONE: &str = "S-1-1-0";
/// A group that nobody is in.
const NOBODYS: &str = "S-1-5-21-1-2-3-4";

fn own_token() -> OwnedHandle {
    let mut token = ptr::null_mut();
    let access = TOKEN_QUERY | TOKEN_DUPLICATE | TOKEN_IMPERSONATE;
    // SAFETY: the pseudo-handle of this process is always open, the pointer is a local's, and the result is checked.
    unsafe {
        succeeded(OpenProcessToken(GetCurrentProcess(), access, &mut token)).unwrap();
        OwnedHandle::from_raw_handle(token)
    }
}

fn duplicate_as(kind: TOKEN_TYPE) -> OwnedHandle {
    let (own, mut copy) = (own_token(), ptr::null_mut());
    let own = own.as_raw_handle();
    // SAFETY: the handle is open, the pointer is a local's, and the result is checked.
    unsafe {
        let level = SecurityImpersonation;
        let done = DuplicateTokenEx(own, TOKEN_ALL_ACCESS, ptr::null(), level, kind, &mut copy);
        succeeded(done).unwrap();
        OwnedHandle::from_raw_handle(copy)
    }
}

/// A token's handle that nobody here owns, as the module leaves it.
struct Given {
    /// What the module writes.
    header: String,
    /// Tells the token from another that gets its number later.
    id: (u32, i32),
}

impl Given {
    fn new(kind: TOKEN_TYPE) -> Self {
        let raw = duplicate_as(kind).into_raw_handle();
        let header = format!("{:x}", raw.addr());
        let id = token_id(raw).unwrap();
        Self { header, id }
    }

    fn raw(&self) -> RawHandle {
        ptr::without_provenance_mut(usize::from_str_radix(&self.header, 16).unwrap())
    }

    fn is_open(&self) -> bool {
        token_id(self.raw()).is_ok_and(|id| id == self.id)
    }

    fn request(&self) -> Request<()> {
        request(&self.header)
    }

    /// With the pairing token.
    fn paired(&self) -> Request<()> {
        let mut request = self.request();
        let secret = HeaderValue::from_static("secret");
        request.headers_mut().insert(MS_ASPNETCORE_TOKEN, secret);
        request
    }
}

fn token_id(token: RawHandle) -> io::Result<(u32, i32)> {
    let statistics = information(token, TokenStatistics)?;
    // SAFETY: the system wrote that structure into this buffer.
    let id = unsafe { statistics.at::<TOKEN_STATISTICS>().read().TokenId };
    Ok((id.LowPart, id.HighPart))
}

fn request(header: &str) -> Request<()> {
    let request = Request::get("/").header(MS_ASPNETCORE_WINAUTHTOKEN, header);
    request.body(()).unwrap()
}

fn identity() -> WindowsIdentity {
    let mut request = Given::new(TokenImpersonation).request();
    WindowsIdentity::take_from(request.headers_mut()).unwrap()
}

#[test]
fn primary_and_impersonation_tokens_say_who_the_user_is() {
    let own = user(own_token().as_raw_handle()).unwrap().to_string();
    let name = std::env::var("USERNAME").unwrap();
    for kind in [TokenPrimary, TokenImpersonation] {
        let mut request = Given::new(kind).request();
        let user = WindowsIdentity::take_from(request.headers_mut()).unwrap();
        assert!(request.headers().is_empty());
        assert_eq!(user.sid(), own);
        assert_eq!(user.authentication_type(), "Windows");
        let (domain, account) = user.name().unwrap().split_once('\\').unwrap();
        assert!(
            !domain.is_empty() && account.eq_ignore_ascii_case(&name),
            "{:?}",
            user.name()
        );
        assert!(
            user.groups().unwrap().contains(&EVERYONE.to_owned()),
            "{:?}",
            user.groups()
        );
        assert!(
            user.groups()
                .unwrap()
                .iter()
                .all(|group| Sid::parse(group).is_some())
        );
    }
}

#[test]
fn groups_go_by_identifier_or_by_name() {
    let user = identity();
    assert!(user.is_in_group(EVERYONE).unwrap());
    assert!(user.is_in_group("s-1-1-0").unwrap());
    assert!(
        user.is_in_group("Everyone").unwrap(),
        "as Windows calls it in English"
    );
    assert!(!user.is_in_group(NOBODYS).unwrap());
    assert!(user.is_in_group(r"NO-SUCH-DOMAIN\no such group").is_err());
}

#[test]
fn the_handle_lives_as_long_as_the_last_clone() {
    let given = Given::new(TokenImpersonation);
    let user = WindowsIdentity::take_from(given.request().headers_mut()).unwrap();
    let clone = user.clone();
    drop(user);
    assert!(given.is_open());
    assert_eq!(clone.as_handle().as_raw_handle(), given.raw());
    drop(clone);
    assert!(!given.is_open());
}

#[test]
fn what_is_no_token_is_left_alone() {
    // SAFETY: no name, default security; the result is checked before it is owned.
    let event = unsafe {
        let event = CreateEventW(ptr::null(), 1, 0, ptr::null());
        assert!(!event.is_null());
        OwnedHandle::from_raw_handle(event)
    };
    let header = format!("{:x}", event.as_raw_handle().addr());
    assert!(WindowsIdentity::take_from(request(&header).headers_mut()).is_none());
    // SAFETY: the handle is open, or else it is an error.
    succeeded(unsafe { SetEvent(event.as_raw_handle()) }).unwrap();
}

#[test]
fn two_headers_are_nobody() {
    let (one, two) = (Given::new(TokenPrimary), Given::new(TokenPrimary));
    let mut request = one.request();
    let second = HeaderValue::from_str(&two.header).unwrap();
    let headers = request.headers_mut();
    headers.append(MS_ASPNETCORE_WINAUTHTOKEN, second);
    assert!(WindowsIdentity::take_from(headers).is_none());
    assert!(headers.is_empty());
    for ours in [one, two] {
        drop(Token::take(&HeaderValue::from_str(&ours.header).unwrap()));
        assert!(!ours.is_open());
    }
}

fn is_impersonating() -> bool {
    thread_token().unwrap().is_some()
}

#[test]
fn work_runs_as_the_user_and_nothing_after_it_does() {
    let user = identity();
    assert!(!is_impersonating());
    assert_eq!(
        user.impersonate(|| is_impersonating().then_some(7))
            .unwrap(),
        Some(7)
    );
    assert!(!is_impersonating());
    let panics = || user.impersonate(|| panic!("as the user"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert!(!is_impersonating());
}

#[test]
fn impersonations_nest() {
    let (outer, inner) = (identity(), identity());
    let nested = outer.impersonate(|| {
        let inside = inner.impersonate(is_impersonating).unwrap();
        (inside, is_impersonating())
    });
    assert_eq!(nested.unwrap(), (true, true));
    assert!(!is_impersonating());
}

fn pipeline(auth: &str) -> AncmLayer {
    let module = ModuleEnvironment::from_vars(|name| {
        let value = match name {
            "ASPNETCORE_PORT" => "12345",
            "ASPNETCORE_APPL_PATH" => "/",
            "ASPNETCORE_TOKEN" => "secret",
            "ASPNETCORE_IIS_HTTPAUTH" => auth,
            _ => return None,
        };
        Some(value.to_owned())
    });
    AncmLayer::new(module.unwrap())
}

/// Answers with the user, and holds the request until then.
async fn app(request: Request<()>) -> Result<http::Response<String>, ()> {
    let user = request.extensions().get::<WindowsIdentity>();
    let sid = user.map(|user| user.sid().to_owned());
    Ok(http::Response::new(sid.unwrap_or_default()))
}

#[tokio::test]
async fn the_handle_is_closed_after_the_answer_and_when_nobody_asks() {
    let own = user(own_token().as_raw_handle()).unwrap().to_string();
    // Where nobody is authenticated there is no user.
    for (auth, sid) in [("windows;", &*own), ("anonymous;", "")] {
        let given = Given::new(TokenImpersonation);
        let app = pipeline(auth).layer(service_fn(app));
        let answer = app.oneshot(given.paired()).await.unwrap();
        assert_eq!(answer.body(), sid);
        assert!(!given.is_open(), "{auth}");
    }
}

#[tokio::test]
async fn the_handle_is_closed_when_the_app_panics() {
    let given = Given::new(TokenImpersonation);
    let panics = service_fn(|request: Request<()>| async move {
        let user = request.extensions().get::<WindowsIdentity>();
        let answer: Option<http::Response<String>> = user.is_none().then(Default::default);
        Ok::<_, ()>(answer.expect("there is a user"))
    });
    let app = pipeline("windows;").layer(panics);
    let answer = tokio::spawn(app.oneshot(given.paired())).await;
    assert!(answer.unwrap_err().is_panic());
    assert!(!given.is_open());
}

#[tokio::test]
async fn the_handle_is_closed_when_the_request_is_cancelled() {
    let given = Given::new(TokenImpersonation);
    let hangs = service_fn(|request: Request<()>| async move {
        std::future::pending::<()>().await;
        app(request).await
    });
    let app = pipeline("windows;").layer(hangs);
    let answer = tokio::spawn(app.oneshot(given.paired()));
    tokio::task::yield_now().await;
    assert!(given.is_open(), "the app has it");
    answer.abort();
    assert!(answer.await.unwrap_err().is_cancelled());
    assert!(!given.is_open());
}

#[tokio::test]
async fn before_the_pairing_token_nobody_looks_at_a_handle() {
    let given = Given::new(TokenImpersonation);
    let app = pipeline("windows;").layer(service_fn(app));
    let answer = app.oneshot(given.request()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(given.is_open(), "a stranger closed our handle");
    drop(Token::take(&HeaderValue::from_str(&given.header).unwrap()));
}

#[tokio::test]
async fn a_user_passes_into_its_groups_only() {
    let layer = RequireWindowsUserLayer::new;
    for (layer, want) in [
        (layer(), StatusCode::OK),
        (layer().in_group(EVERYONE), StatusCode::OK),
        (layer().in_group("Everyone"), StatusCode::OK),
        (layer().in_group(NOBODYS).in_group(EVERYONE), StatusCode::OK),
        (layer().in_group(NOBODYS), StatusCode::FORBIDDEN),
        (
            layer().in_group(r"NO-SUCH-DOMAIN\none"),
            StatusCode::FORBIDDEN,
        ),
    ] {
        let given = Given::new(TokenPrimary);
        let app = pipeline("windows;").layer(layer.layer(service_fn(app)));
        let answer = app.oneshot(given.paired()).await.unwrap();
        assert_eq!(answer.status(), want);
        assert!(!given.is_open());
    }
}

#[tokio::test]
async fn ten_thousand_requests_leak_no_handle() {
    let app = pipeline("windows;").layer(service_fn(app));
    let count = || {
        let mut count = 0;
        // SAFETY: the pseudo-handle of this process is always open, the pointer is a local's.
        succeeded(unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) }).unwrap();
        count
    };
    let (before, mut highest) = (count(), 0);
    for _ in 0..10_000 {
        let given = Given::new(TokenImpersonation);
        highest = highest.max(given.raw().addr());
        app.clone().oneshot(given.paired()).await.unwrap();
    }
    // Other tests run meanwhile. Numbers are used again, in steps of four.
    assert!(count() < before + 1_000, "{before}, then {}", count());
    assert!(highest < 4 * 5_000, "{highest:#x}");
}
