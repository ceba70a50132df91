//! The head of a request, into bytes (RFC 9112). Pure.

use http::Request;

use crate::headers::write_line;

/// Writes the head of a request, as it stands, and the lines of `told` behind its fields.
pub(super) fn encode<B>(request: &Request<B>, told: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(request.method().as_str().as_bytes());
    to.push(b' ');
    to.extend_from_slice(request.uri().path().as_bytes());
    if let Some(query) = request.uri().query() {
        to.push(b'?');
        to.extend_from_slice(query.as_bytes());
    }
    to.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in request.headers() {
        write_line(name, value, to);
    }
    to.extend_from_slice(told);
    to.extend_from_slice(b"\r\n");
}

/// [`encode`] by itself, to be measured.
#[doc(hidden)]
pub fn encode_head<B>(request: &Request<B>, to: &mut Vec<u8>) {
    encode(request, &[], to);
}
