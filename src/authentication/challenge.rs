//! What a client is told that has to prove who it is (RFC 9110, 11.6.1).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use crate::ResponseBody;

/// Whether the user is kept for later requests of the connection: clients of Windows and curl heed it.
const PERSISTENT_AUTH: HeaderName = HeaderName::from_static("persistent-auth");

/// In the extensions of an answer that asks the client to come again by HTTP/1.1: `Negotiate` is for whole connections.
///
/// This crate's front resets the stream with `HTTP_1_1_REQUIRED` (RFC 9113, 7) in its place.
#[derive(Clone, Copy, Debug)]
pub struct Http11Required;

/// The schemes that one request may choose from.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenges {
    pub(super) negotiate: bool,
    /// `Negotiate` is offered, and can't be had by this version of HTTP.
    pub(super) http11: bool,
    pub(super) basic: Option<HeaderValue>,
}

impl Challenges {
    /// Adds them to an answer that says 401.
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        if self.negotiate {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Negotiate"));
        }
        if let Some(basic) = &self.basic {
            headers.append(WWW_AUTHENTICATE, basic.clone());
        }
    }

    /// The app's own 401, with what would help added.
    pub(super) fn complete<B>(&self, response: &mut Response<B>) {
        if response.status() != StatusCode::UNAUTHORIZED {
            return;
        }
        if self.http11 {
            response.extensions_mut().insert(Http11Required);
        }
        self.add_to(response.headers_mut());
    }

    /// 401 in place of the app's answer.
    pub(super) fn refusal<B>(&self) -> Response<ResponseBody<B>> {
        let mut response = unauthorized();
        self.complete(&mut response);
        response
    }
}

/// 401 with the token that the client has to go on with.
pub(super) fn next<B>(token: &[u8]) -> Response<ResponseBody<B>> {
    let mut response = unauthorized();
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, value(token));
    response
}

/// `Negotiate` and a token.
fn value(token: &[u8]) -> HeaderValue {
    let text = format!("Negotiate {}", STANDARD.encode(token));
    let mut value = HeaderValue::try_from(text).expect("base64 is plain ASCII");
    value.set_sensitive(true);
    value
}

/// What a good answer says to a client that has just proved who it is.
#[derive(Clone, Debug)]
pub(super) struct Announcement {
    /// With it the client knows who we are.
    pub(super) token: Option<Vec<u8>>,
    pub(super) kept: bool,
}

impl Announcement {
    pub(super) fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(token) = &self.token {
            headers.append(WWW_AUTHENTICATE, value(token));
        }
        let kept = if self.kept { "true" } else { "false" };
        headers.insert(PERSISTENT_AUTH, HeaderValue::from_static(kept));
    }
}

/// 429 (RFC 6585, 4): this client has to wait, for so long.
///
/// IIS and nginx answer such a client with 403 or 503 unless they are told otherwise, newer proxies with 429, which alone says
/// whose fault it is: clients and monitors take a 503 for a server in trouble.
pub(super) fn too_many<B>(wait: Duration) -> Response<ResponseBody<B>> {
    let text = "Too many wrong passwords came from your address. Try again later.";
    later(StatusCode::TOO_MANY_REQUESTS, text, wait)
}

/// 503: it is nobody's fault in particular, and soon over.
pub(super) fn busy<B>() -> Response<ResponseBody<B>> {
    let text = "Too many passwords are being checked. Try again in a moment.";
    later(
        StatusCode::SERVICE_UNAVAILABLE,
        text,
        Duration::from_secs(1),
    )
}

fn later<B>(status: StatusCode, text: &str, wait: Duration) -> Response<ResponseBody<B>> {
    let mut response = page(status, text);
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn unauthorized<B>() -> Response<ResponseBody<B>> {
    let text = "You have to prove who you are before you can see this page.";
    page(StatusCode::UNAUTHORIZED, text)
}

fn page<B>(status: StatusCode, text: &str) -> Response<ResponseBody<B>> {
    let heading = status.canonical_reason().unwrap_or_default();
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{status}</title></head>\
         <body><h1>{heading}</h1><p>{text}</p></body></html>\n"
    );
    let length = page.len();
    let mut response = Response::new(ResponseBody::short(Bytes::from(page)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
