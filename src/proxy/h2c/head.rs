//! A request's head, from that of HTTP/1.1 to that of HTTP/2 (RFC 9113, 8.2 and 8.3). Pure.

use http::{
    HeaderMap, Request, Uri, Version,
    header::{CONNECTION, HOST, TRANSFER_ENCODING},
    uri::{Authority, Scheme},
};

/// The head of `request`, which was made for HTTP/1.1 and stays as it is.
///
/// `Host` becomes `:authority`. What is left of `TE` is `trailers`, which may stay; it needs no `Connection` here. The
/// scheme is that of the connection, which Kestrel insists on; the client's own is in `X-Forwarded-Proto`.
pub(super) fn head<B>(request: &Request<B>) -> Request<()> {
    let mut headers = request.headers().clone();
    headers.remove(CONNECTION);
    headers.remove(TRANSFER_ENCODING);
    let mut head = Request::new(());
    *head.uri_mut() = target(request.uri(), &mut headers);
    *head.method_mut() = request.method().clone();
    // A request without a host, which only HTTP/1.0 can be, has no authority here either (RFC 9113, 8.3.1).
    *head.version_mut() = match head.uri().authority() {
        Some(_) => Version::HTTP_2,
        None => Version::HTTP_11,
    };
    *head.headers_mut() = headers;
    head
}

/// The target with what `Host` says, where that can be an authority.
fn target(origin: &Uri, headers: &mut HeaderMap) -> Uri {
    let host = headers.get(HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let path = origin.path_and_query().cloned();
    let (Some(authority), Some(path)) = (authority, path) else {
        return origin.clone();
    };
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query = Some(path);
    match Uri::from_parts(parts) {
        Ok(uri) => {
            headers.remove(HOST);
            uri
        }
        Err(_) => origin.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(target: &str, lines: &[(&str, &str)]) -> (Uri, Version, Vec<String>) {
        let mut request = Request::builder().uri(target);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let head = head(&request.body(()).unwrap());
        let lines = head.headers().iter();
        let mut lines: Vec<_> = lines
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        lines.sort();
        (head.uri().clone(), head.version(), lines)
    }

    #[test]
    fn a_host_becomes_the_authority_and_what_frames_http_1_goes() {
        let lines = [
            ("host", "example.com:81"),
            ("connection", "TE"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("grpc-timeout", "20S"),
            ("cookie", "a=1; b=2"),
        ];
        let (uri, version, lines) = converted("/a%2Fb?c", &lines);
        assert_eq!(uri, "http://example.com:81/a%2Fb?c");
        assert_eq!(version, Version::HTTP_2);
        assert_eq!(
            lines,
            ["cookie: a=1; b=2", "grpc-timeout: 20S", "te: trailers"]
        );
    }

    #[test]
    fn an_asterisk_stays_one() {
        let (uri, version, _) = converted("*", &[("host", "a")]);
        assert_eq!(version, Version::HTTP_2);
        assert_eq!(uri.path(), "*");
    }

    #[test]
    fn without_a_host_there_is_no_authority() {
        let (uri, version, lines) = converted("/x", &[("a", "1")]);
        assert_eq!((uri, version), (Uri::from_static("/x"), Version::HTTP_11));
        assert_eq!(lines, ["a: 1"]);
    }
}
