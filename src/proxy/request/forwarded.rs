//! Where a request came from, as the app is told.
//!
//! What the client said of it is gone by now, unless the client is a trusted proxy.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{FORWARDED, HOST},
};

use super::{Sender, join};
use crate::{
    config::HeaderPolicy,
    headers::{
        CLIENT_CERT, CLIENT_CERT_CHAIN, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PREFIX,
        X_FORWARDED_PROTO,
    },
};

/// Adds what the options say. `believed`: a trusted proxy said something, which still stands there.
pub(super) fn tell(headers: &mut HeaderMap, sender: Sender<'_>, believed: bool) {
    let said = &sender.options.said;
    let Some(address) = sender.connection.forwarded_for() else {
        return;
    };
    // Differs from ANCM: what a client says of itself is replaced, not appended to.
    let policy = |policy| Told { policy, believed };
    if said.forwarded_for != HeaderPolicy::Off {
        policy(said.forwarded_for).put(headers, X_FORWARDED_FOR, address.clone());
    }
    if said.forwarded_proto != HeaderPolicy::Off {
        let scheme = HeaderValue::from_static(sender.connection.scheme().as_str());
        policy(said.forwarded_proto).put(headers, X_FORWARDED_PROTO, scheme);
    }
    if said.forwarded_host != HeaderPolicy::Off
        && let Some(host) = host(headers)
    {
        policy(said.forwarded_host).put(headers, X_FORWARDED_HOST, host);
    }
    if said.forwarded_prefix != HeaderPolicy::Off
        && let Some(prefix) = &sender.options.prefix
    {
        policy(said.forwarded_prefix).put(headers, X_FORWARDED_PREFIX, prefix.clone());
    }
    if said.forwarded != HeaderPolicy::Off
        && let Some(element) = element(headers, sender, address)
    {
        policy(said.forwarded).put(headers, FORWARDED, element);
    }
    if said.client_cert != HeaderPolicy::Off {
        certify(headers, sender, policy(said.client_cert));
    }
}

/// What [`tell`] would add, where that is `X-Forwarded-For` and `-Proto` alone, and instead of whatever stands there.
pub(super) fn lines(sender: Sender<'_>, believed: bool) -> Option<&Bytes> {
    let said = &sender.options.said;
    let is_off = |policy| policy == HeaderPolicy::Off;
    let others = [
        said.forwarded_host,
        said.forwarded_prefix,
        said.forwarded,
        said.client_cert,
    ];
    let usual = !is_off(said.forwarded_for)
        && !is_off(said.forwarded_proto)
        && others.into_iter().all(is_off);
    if believed || !usual {
        return None;
    }
    sender.connection.forwarded_lines()
}

/// How one field is told.
#[derive(Clone, Copy)]
struct Told {
    policy: HeaderPolicy,
    believed: bool,
}

impl Told {
    fn appends(self) -> bool {
        self.believed && self.policy == HeaderPolicy::Append
    }

    fn put(self, headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
        let joined = self
            .appends()
            .then(|| join(headers, &name, b", ", Some(&value)))
            .flatten();
        headers.insert(name, joined.unwrap_or(value));
    }
}

/// The host, but not the empty one of a client that named none.
fn host(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(HOST).filter(|host| !host.is_empty()).cloned()
}

/// `for="192.0.2.7:4711";host="a.example";proto=http` (RFC 7239, 4): quoted, because a colon is in no token.
///
/// Neither an address nor what passed for a host has a quote or a backslash in it.
fn element(headers: &HeaderMap, sender: Sender<'_>, address: &HeaderValue) -> Option<HeaderValue> {
    let host = host(headers);
    let mut text = BytesMut::new();
    text.put_slice(b"for=\"");
    text.put_slice(address.as_bytes());
    if let Some(host) = &host {
        text.put_slice(b"\";host=\"");
        text.put_slice(host.as_bytes());
    }
    text.put_slice(b"\";proto=");
    text.put_slice(sender.connection.scheme().as_str().as_bytes());
    value(text)
}

/// The certificate that the client showed here, or else to a trusted proxy before us (RFC 9440, 2.2 and 2.4).
fn certify(headers: &mut HeaderMap, sender: Sender<'_>, told: Told) {
    if told.appends() && headers.contains_key(CLIENT_CERT) {
        return;
    }
    let sequence = sender.connection.certificate().and_then(|der| {
        let mut text = BytesMut::new();
        text.put_u8(b':');
        text.put_slice(STANDARD.encode(der).as_bytes());
        text.put_u8(b':');
        value(text)
    });
    // It belongs to a certificate that is no longer there.
    headers.remove(CLIENT_CERT_CHAIN);
    match sequence {
        Some(sequence) => headers.insert(CLIENT_CERT, sequence),
        None => headers.remove(CLIENT_CERT),
    };
}

fn value(text: BytesMut) -> Option<HeaderValue> {
    HeaderValue::from_maybe_shared::<Bytes>(text.freeze()).ok()
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Connection, Scheme,
        proxy::{ProxyOptions, request::rewrite},
    };

    #[test]
    fn lines_say_what_the_map_would_say_and_only_where_that_is_all() {
        let usual = ProxyOptions::new();
        let set = usual.clone().forwarded_for(HeaderPolicy::Set);
        let others = [
            usual.clone().forwarded_for(HeaderPolicy::Off),
            usual.clone().forwarded_proto(HeaderPolicy::Off),
            usual.clone().forwarded_host(HeaderPolicy::Set),
            usual.clone().forwarded(HeaderPolicy::Append),
            usual.clone().client_cert(HeaderPolicy::Set),
        ];
        let options = [(usual, true), (set, true)].into_iter();
        let options = options.chain(others.map(|options| (options, false)));
        let tls = Connection::new("[::ffff:192.0.2.7]:4711".parse().unwrap());
        let tls = tls.with_scheme(Scheme::Https);
        for (options, is_all) in options {
            for connection in [peer(), tls.clone()] {
                let sender = Sender {
                    connection: &connection,
                    token: None,
                    options: &options,
                };
                let mut headers = HeaderMap::new();
                tell(&mut headers, sender, false);
                let mut told = Vec::new();
                for (name, value) in &headers {
                    crate::headers::write_line(name, value, &mut told);
                }
                let lines = lines(sender, false).map(|lines| lines.as_ref());
                assert_eq!(lines, is_all.then_some(&*told), "{options:?}");
                assert_eq!(super::lines(sender, true), None, "what stands there stays");
            }
        }
        let unknown = Connection::unknown();
        let sender = Sender {
            connection: &unknown,
            token: None,
            options: &ProxyOptions::new(),
        };
        assert_eq!(lines(sender, false), None);
    }

    fn peer() -> Connection {
        Connection::new("192.0.2.7:4711".parse().unwrap())
    }

    /// Trusts the peer, and is told of all it could tell.
    fn all(policy: HeaderPolicy) -> ProxyOptions {
        ProxyOptions::new()
            .trusted_proxies(["192.0.2.0/24".parse().unwrap()])
            .forwarded_for(policy)
            .forwarded_proto(policy)
            .forwarded_host(policy)
            .forwarded_prefix(policy)
            .forwarded(policy)
            .client_cert(policy)
            .path_base(&"/shop".parse().unwrap())
    }

    const SENT: [(&str, &str); 7] = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "first.example"),
        ("x-forwarded-prefix", "/first"),
        ("forwarded", "for=203.0.113.9"),
        ("client-cert", ":Zmlyc3Q=:"),
        ("client-cert-chain", ":Y2hhaW4=:"),
    ];

    /// What the app is told under each of the names of [`SENT`].
    fn told(
        sent: &[(&str, &str)],
        connection: &Connection,
        options: &ProxyOptions,
    ) -> Vec<Option<String>> {
        let mut request = Request::builder().header("host", "a.example");
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let sender = Sender {
            connection,
            token: None,
            options,
        };
        rewrite(&mut parts, true, sender).unwrap();
        let told = |(name, _): &(&str, &str)| {
            let mut lines = parts.headers.get_all(*name).iter();
            let line = lines.next()?.to_str().unwrap().to_owned();
            assert_eq!(lines.next(), None, "{name}");
            Some(line)
        };
        SENT.iter().map(told).collect()
    }

    fn some(lines: [&str; 7]) -> Vec<Option<String>> {
        let line = |line: &str| Some(line.to_owned()).filter(|line| !line.is_empty());
        lines.map(line).to_vec()
    }

    #[test]
    fn each_policy_does_what_it_says() {
        let known = peer().with_certificate(Bytes::from_static(&[0, 1, 2, 255]));
        let forwarded = "for=\"192.0.2.7:4711\";host=\"a.example\";proto=http";
        let ours = [
            "192.0.2.7:4711",
            "http",
            "a.example",
            "/shop",
            forwarded,
            ":AAEC/w==:",
            "",
        ];
        let theirs = SENT.map(|(_, value)| value);
        let off = all(HeaderPolicy::Off);
        assert_eq!(told(&SENT, &known, &off), some(theirs));
        assert_eq!(told(&[], &known, &off), some([""; 7]));
        let set = all(HeaderPolicy::Set);
        assert_eq!(told(&SENT, &known, &set), some(ours));
        assert_eq!(told(&[], &known, &set), some(ours));
        let append = all(HeaderPolicy::Append);
        assert_eq!(told(&[], &known, &append), some(ours));
        let both = format!("for=203.0.113.9, {forwarded}");
        let appended = [
            "203.0.113.9, 192.0.2.7:4711",
            "https, http",
            "first.example, a.example",
            "/first, /shop",
            &both,
            ":Zmlyc3Q=:",
            ":Y2hhaW4=:",
        ];
        assert_eq!(told(&SENT, &known, &append), some(appended));
    }

    #[test]
    fn a_stranger_says_nothing_whatever_the_policy() {
        let stranger = Connection::new("198.51.100.7:1".parse().unwrap());
        for policy in [HeaderPolicy::Off, HeaderPolicy::Set, HeaderPolicy::Append] {
            let options = all(policy);
            let have = told(&SENT, &stranger, &options);
            assert_eq!(have, told(&[], &stranger, &options), "{policy:?}");
            assert_eq!(have[5..], [None, None], "{policy:?}");
        }
        let unknown = told(&SENT, &Connection::unknown(), &all(HeaderPolicy::Append));
        assert_eq!(unknown, some([""; 7]));
    }

    #[test]
    fn an_address_of_ipv6_and_a_host_with_a_port_are_quoted() {
        let six = Connection::new("[2001:db8::1]:443".parse().unwrap()).with_scheme(Scheme::Https);
        let options = ProxyOptions::new().forwarded(HeaderPolicy::Set);
        let have = told(&[], &six, &options).swap_remove(4).unwrap();
        assert_eq!(
            have,
            "for=\"[2001:db8::1]:443\";host=\"a.example\";proto=https"
        );
    }

    #[test]
    fn the_root_is_no_prefix_and_no_host_is_none() {
        let options = all(HeaderPolicy::Set).path_base(&crate::PathBase::root());
        assert_eq!(told(&[], &peer(), &options)[3], None);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_static(""));
        assert_eq!(host(&headers), None);
    }

    proptest! {
        /// Ours are there however often the client names them for its connection alone.
        #[test]
        fn no_connection_list_takes_them_away(
            names in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(SENT.map(|(name, _)| name.to_owned()).to_vec()),
                    Just("via".to_owned()),
                    Just("traceparent".to_owned()),
                    "[ -~]{0,12}",
                ],
                0..12,
            ),
            split in 0..12_usize,
        ) {
            let options = all(HeaderPolicy::Set).via(Some("us")).trace_context(true);
            let split = split.min(names.len());
            let lists = [names[..split].join(","), names[split..].join(" , ")];
            let sent = lists.each_ref().map(|list| ("connection", &**list));
            prop_assert_eq!(told(&sent, &peer(), &options), told(&[], &peer(), &options));

            let mut request = Request::builder().header("host", "a.example");
            for (name, value) in sent {
                request = request.header(name, value);
            }
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            let (connection, token) = (peer(), None);
            let sender = Sender { connection: &connection, token, options: &options };
            rewrite(&mut parts, true, sender).unwrap();
            prop_assert_eq!(parts.headers.get("via").unwrap(), "1.1 us");
            prop_assert!(parts.headers.contains_key("traceparent"));
        }
    }
}
