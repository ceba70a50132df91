//! The head of an answer, and what of it the app may not say.

use std::slice;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;

use super::{
    super::abi::{Field, Slice},
    bytes,
};
use crate::headers;

/// # Safety
///
/// `fields` leads to `count` fields that are valid for the time of the call, or is null.
pub(super) unsafe fn list<'a>(fields: *const Field, count: u32) -> &'a [Field] {
    if fields.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise; not null.
    unsafe { slice::from_raw_parts(fields, count as usize) }
}

impl Field {
    /// # Safety
    ///
    /// The field leads to bytes that are valid for `'a`.
    unsafe fn parts<'a>(&self) -> (&'a [u8], &'a [u8]) {
        let slice = |data, len: u32| Slice {
            data,
            len: len as usize,
        };
        // SAFETY: the caller's promise.
        unsafe {
            (
                bytes(slice(self.name, self.name_len)),
                bytes(slice(self.value, self.value_len)),
            )
        }
    }
}

/// The head of an answer, and whether the app frames the body itself; `None` if it is not one.
pub(super) fn response(
    status: u32,
    reason: &[u8],
    fields: &[Field],
) -> Option<(Response<()>, bool)> {
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    let mut headers = header_map(fields)?;
    let framed = is_framed(&headers);
    if framed {
        // Of what is in the chunks nobody knows the length (RFC 9112, 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    clean(status, &mut headers);
    *response.headers_mut() = headers;
    let usual = status.canonical_reason();
    // hyper has a word of its own for a status that it does not know.
    if usual.is_none() || (!reason.is_empty() && Some(reason) != usual.map(str::as_bytes)) {
        let reason = ReasonPhrase::try_from(reason).ok()?;
        response.extensions_mut().insert(reason);
    }
    Some((response, framed))
}

/// Whether the body comes in chunks that the app makes itself: the last coding says so (RFC 9112, 7).
fn is_framed(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let last = codings
        .flat_map(|line| headers::list(line.as_bytes()))
        .last();
    last.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"))
}

pub(super) fn header_map(fields: &[Field]) -> Option<HeaderMap> {
    // SAFETY: the fields come from a call that is still under way.
    let parts = || fields.iter().map(|field| unsafe { field.parts() });
    // One piece of memory for all values, and not one for each.
    let mut values = BytesMut::with_capacity(parts().map(|(_, value)| value.len()).sum());
    parts().for_each(|(_, value)| values.extend_from_slice(value));
    let mut values = values.freeze();
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in parts() {
        let value = values.split_to(value.len());
        let name = HeaderName::from_bytes(name).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    Some(headers)
}

/// Takes out what says how the message is framed on the connection (RFC 9110, 7.6.1): that is hyper's to say. An app
/// may still ask for the connection's end, and name the protocol that it switches to.
fn clean(status: StatusCode, headers: &mut HeaderMap) {
    let close =
        headers::connection_options(headers).any(|option| option.eq_ignore_ascii_case(b"close"));
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    if status == StatusCode::SWITCHING_PROTOCOLS {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        return;
    }
    headers.remove(header::UPGRADE);
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}
