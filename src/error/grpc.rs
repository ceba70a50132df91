//! Errors as a client of gRPC hears of them: by a status of its own, in an answer that is trailers and nothing else.
//!
//! Such a client makes of a page with an HTTP status what it can: a code, and for people only that the content was not
//! gRPC's. Differs from ANCM, which forwards no gRPC.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What of a message has to be encoded beside what is not ASCII (gRPC over HTTP/2, "Percent-Encoded").
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// Whether a request is a call of gRPC: `application/grpc` with or without a format of its messages. gRPC-Web, which
/// comes by HTTP/1.1 too, is another protocol.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    const TYPE: &[u8] = b"application/grpc";
    let content = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content
        .and_then(|content| content.split_at_checked(TYPE.len()))
        .is_some_and(|(content, rest)| {
            content.eq_ignore_ascii_case(TYPE)
                && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
        })
}

/// The answer to a call that ended in `status`, whose HTTP status is 200 and which has no body.
pub(super) fn answer(status: StatusCode, message: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(STATUS, HeaderValue::from(code(status)));
    let message = utf8_percent_encode(message, ENCODED).to_string();
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert(MESSAGE, message);
    }
    response
}

/// The code of gRPC that means what `status` does, by which clients decide whether to try again.
const fn code(status: StatusCode) -> u16 {
    const DEADLINE_EXCEEDED: u16 = 4;
    const PERMISSION_DENIED: u16 = 7;
    const RESOURCE_EXHAUSTED: u16 = 8;
    const UNIMPLEMENTED: u16 = 12;
    const INTERNAL: u16 = 13;
    const UNAVAILABLE: u16 = 14;
    const UNAUTHENTICATED: u16 = 16;
    match status {
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => DEADLINE_EXCEEDED,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => RESOURCE_EXHAUSTED,
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            UNIMPLEMENTED
        }
        _ => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_code() {
        for (status, want) in [
            (400, 13),
            (401, 16),
            (403, 7),
            (404, 12),
            (405, 12),
            (408, 4),
            (413, 8),
            (429, 8),
            (500, 13),
            (501, 12),
            (502, 14),
            (503, 14),
            (504, 4),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(code(status), want, "{status}");
        }
    }

    #[test]
    fn a_call_is_told_by_its_content_type() {
        for (content, want) in [
            (None, false),
            (Some("application/grpc"), true),
            (Some("Application/gRPC+proto"), true),
            (Some("application/grpc; a=b"), true),
            (Some("application/grpc ;a=b"), true),
            (Some("application/grpc-web"), false),
            (Some("application/grpcx"), false),
            (Some("application/grp"), false),
            (Some("text/html, application/grpc"), false),
        ] {
            let line = content.map(|content| (CONTENT_TYPE, HeaderValue::from_static(content)));
            assert_eq!(is_call(&HeaderMap::from_iter(line)), want, "{content:?}");
        }
    }

    #[test]
    fn a_message_is_encoded_and_everything_is_in_the_head() {
        let answer = answer(StatusCode::BAD_GATEWAY, "50% \r\n x: y \u{e9}\t~");
        assert_eq!(answer.status(), 200);
        assert!(answer.body().is_empty());
        let fields = answer.headers();
        assert_eq!(fields["grpc-status"], "14");
        assert_eq!(fields["content-type"], "application/grpc");
        assert_eq!(fields["grpc-message"], "50%25 %0D%0A x: y %C3%A9%09~");
    }
}
