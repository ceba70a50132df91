//! Which host a request asks for, as far as a server has to say no.

use http::{HeaderValue, Request, Version, header::HOST};

/// Whether `request` names one host, and the one of its target where that has one (RFC 9112, 3.2).
///
/// Kestrel's rules, which answers anything else with 400 before any middleware sees it. A request of HTTP/1.0 need not name
/// any; over HTTP/2 the name stands in the target, which hyper has checked.
pub(super) fn is_sound<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, more) = (hosts.next().map(HeaderValue::as_bytes), hosts.next());
    match host {
        _ if request.version() >= Version::HTTP_2 => more.is_none(),
        None => request.version() < Version::HTTP_11,
        Some(_) if more.is_some() => false,
        Some(host) => is_valid(host) && is_targets(request, host),
    }
}

/// Whether the target names no other host. Its default port may be left out, or added.
fn is_targets<B>(request: &Request<B>, host: &[u8]) -> bool {
    let Some(authority) = request.uri().authority() else {
        return true;
    };
    let (host, target) = (
        without_port(host),
        without_port(authority.as_str().as_bytes()),
    );
    let port = |port: Option<u16>| port.or_else(|| default_port(request.uri().scheme_str()));
    host.0.eq_ignore_ascii_case(target.0) && port(host.1) == port(target.1)
}

fn default_port(scheme: Option<&str>) -> Option<u16> {
    match scheme {
        Some("http") => Some(80),
        Some("https") => Some(443),
        Some(_) | None => None,
    }
}

/// A valid host's name, and its port.
fn without_port(host: &[u8]) -> (&[u8], Option<u16>) {
    let colon = host.iter().rposition(|&byte| byte == b':');
    let split = colon.and_then(|at| Some((host.get(..at)?, host.get(at + 1..)?)));
    match split {
        // The colons of an address in brackets.
        Some((name, port)) if !port.contains(&b']') => {
            let port = std::str::from_utf8(port).ok();
            (name, port.and_then(|port| port.parse().ok()))
        }
        Some(_) | None => (host, None),
    }
}

/// Whether `host` is `uri-host [ ":" port ]`, or empty.
///
/// ANCM: Kestrel takes fewer names than RFC 3986, 3.2.2 does: none with `%`, `*`, `+`, `,`, `;` or `=`.
fn is_valid(host: &[u8]) -> bool {
    match host {
        [] => true,
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else {
                return false;
            };
            let (address, after) = rest.split_at(end);
            let of_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            // The shortest is `::1`.
            address.len() >= 3
                && address.iter().all(of_address)
                && is_port(after.get(1..).unwrap_or_default())
        }
        _ => {
            let end = host.iter().position(|&byte| byte == b':');
            let (name, port) = host.split_at(end.unwrap_or(host.len()));
            !name.is_empty() && name.iter().all(|&byte| is_of_name(byte)) && is_port(port)
        }
    }
}

const fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'-' | b'.' | b'_' | b'~'
        )
}

/// Nothing, or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
        [..] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, target: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        is_sound(&request.body(()).unwrap())
    }

    #[test]
    fn exactly_one_host_is_named() {
        for (version, hosts, want) in [
            (Version::HTTP_11, &["a"] as &[&str], true),
            (Version::HTTP_11, &[""], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["a", "a"], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["a,b"], false),
            (Version::HTTP_2, &[], true),
            (Version::HTTP_2, &["a", "b"], false),
        ] {
            assert_eq!(request(version, "/", hosts), want, "{version:?} {hosts:?}");
        }
    }

    #[test]
    fn it_looks_like_a_host() {
        for host in [
            "a",
            "A.b-c_d~",
            "a:1",
            "192.0.2.7:80",
            "[::1]",
            "[2001:db8::1]:443",
            "(a)",
        ] {
            assert!(request(Version::HTTP_11, "/", &[host]), "{host}");
        }
        for host in [
            ":80", "a:", "a:b", "a:1:2", "a b", "a,b", "a/b", "a@b", "a%20", "a*", "a=b", "[",
            "[]", "[::]", "[::1", "[::1]x", "[::1]:", "[g::1]", "ä",
        ] {
            assert!(!request(Version::HTTP_11, "/", &[host]), "{host}");
        }
    }

    #[test]
    fn it_is_the_targets() {
        for (target, host, want) in [
            ("http://a/x", "a", true),
            ("http://a/x", "A", true),
            ("http://a/x", "a:80", true),
            ("http://a:80/x", "a", true),
            ("https://a/x", "a:443", true),
            ("http://[::1]:81/x", "[::1]:81", true),
            ("http://a/x", "b", false),
            ("http://a/x", "a:81", false),
            ("http://a:81/x", "a", false),
            ("http://a/x", "", false),
            ("*", "a", true),
        ] {
            assert_eq!(
                request(Version::HTTP_11, target, &[host]),
                want,
                "{target} {host}"
            );
        }
    }
}
