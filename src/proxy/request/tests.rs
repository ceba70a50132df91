use bytes::Bytes;
use http::{
    Request,
    header::{CONNECTION, COOKIE, HOST, UPGRADE},
};
use proptest::prelude::*;

use super::*;
use crate::{
    Scheme,
    config::Underscores,
    headers::{X_FORWARDED_FOR, X_FORWARDED_PROTO},
};

fn peer() -> Connection {
    Connection::new("192.0.2.7:4711".parse().unwrap())
}

fn head(version: Version, method: &str, target: &str, lines: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder()
        .version(version)
        .method(method)
        .uri(target);
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// A GET of HTTP/1.1 with a Host, and `lines` after it.
fn get(lines: &[(&str, &str)]) -> Parts {
    let mut all = vec![("host", "a.example")];
    all.extend_from_slice(lines);
    head(Version::HTTP_11, "GET", "/", &all)
}

fn rewritten(mut parts: Parts, connection: &Connection, options: &ProxyOptions) -> Parts {
    let token = PairingToken::new("secret").unwrap();
    let sender = Sender {
        connection,
        token: Some(&token),
        options,
    };
    rewrite(&mut parts, true, sender).unwrap();
    parts
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
    };
    let mut lines: Vec<_> = headers.iter().map(shown).collect();
    // Across names the order means nothing (RFC 9110, 5.3).
    lines.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    lines
}

/// What is left of the client's own `lines`: without the Host and what we add.
fn left(parts: Parts, connection: &Connection, options: &ProxyOptions) -> Vec<String> {
    let mut parts = rewritten(parts, connection, options);
    let added = [MS_ASPNETCORE_TOKEN, X_FORWARDED_FOR, X_FORWARDED_PROTO];
    for (name, want) in added.iter().zip(["secret", "192.0.2.7:4711", "http"]) {
        let have: Vec<_> = parts.headers.get_all(name).iter().collect();
        assert_eq!(have, [want], "{name}");
        parts.headers.remove(name);
    }
    assert_eq!(parts.headers.remove(HOST).unwrap(), "a.example");
    lines(&parts.headers)
}

fn refused(mut parts: Parts, options: &ProxyOptions) -> String {
    let sender = Sender {
        connection: &peer(),
        token: None,
        options,
    };
    let error = rewrite(&mut parts, true, sender).unwrap_err();
    format!("{} {error}", error.status().as_u16())
}

#[test]
fn nobody_but_the_module_says_what_the_module_says() {
    for (name, value) in [
        ("ms-aspnetcore-token", "forged"),
        ("MS-ASPNETCORE-CLIENTCERT", "forged"),
        ("Ms-AspNetCore-WinAuthToken", "1f"),
        ("ms_aspnetcore_token", "forged"),
        ("MS-ASPNETCOREX", "forged"),
        ("x-forwarded-for", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "for=203.0.113.9"),
        ("x_forwarded_for", "203.0.113.9"),
        ("X-Forwarded_Host", "evil.example"),
        ("content_length", "5"),
        ("transfer_encoding", "chunked"),
    ] {
        let parts = get(&[(name, value), ("x-end", "1"), (name, "again")]);
        assert_eq!(
            left(parts, &peer(), &ProxyOptions::new()),
            ["x-end: 1"],
            "{name}"
        );
    }
}

#[test]
fn what_concerns_one_connection_stays_here() {
    let parts = get(&[
        ("connection", "X-Hop, Close"),
        ("connection", " keep-alive ,,x-OTHER"),
        ("x-hop", "1"),
        ("x-other", "1"),
        ("x-other", "2"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "gzip"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABk"),
        ("trailer", "x-sum"),
        ("proxy-authorization", "Basic eA=="),
        ("x-end", "1"),
    ]);
    let want = [
        "proxy-authorization: Basic eA==",
        "trailer: x-sum",
        "x-end: 1",
    ];
    assert_eq!(left(parts, &peer(), &ProxyOptions::new()), want);
}

#[test]
fn a_nomination_takes_only_what_the_client_sent() {
    let ours =
        "MS-ASPNETCORE-TOKEN, X-Forwarded-For, x-forwarded-proto, host, content-length, connection";
    let parts = get(&[("connection", ours), ("content-length", "0")]);
    assert_eq!(
        left(parts, &peer(), &ProxyOptions::new()),
        ["content-length: 0"]
    );
}

#[test]
fn trailers_are_asked_for_anew() {
    for te in ["trailers", "gzip;q=0.5 , Trailers"] {
        let parts = get(&[("te", te), ("connection", "te")]);
        let want = ["connection: TE", "te: trailers"];
        assert_eq!(left(parts, &peer(), &ProxyOptions::new()), want, "{te}");
    }
}

#[test]
fn a_trusted_proxy_is_appended_to() {
    let options = ProxyOptions::new().trusted_proxies(["192.0.2.0/24".parse().unwrap()]);
    let sent = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-for", "198.51.100.1:80"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-prefix", "/shop"),
        ("forwarded", "for=203.0.113.9"),
        ("x_forwarded_for", "203.0.113.66"),
    ];
    let parts = rewritten(get(&sent), &peer(), &options);
    for (name, want) in [
        (
            "x-forwarded-for",
            "203.0.113.9, 198.51.100.1:80, 192.0.2.7:4711",
        ),
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-prefix", "/shop"),
        ("forwarded", "for=203.0.113.9"),
    ] {
        let have: Vec<_> = parts.headers.get_all(name).iter().collect();
        assert_eq!(have, [want], "{name}");
    }
    assert!(!parts.headers.contains_key("x_forwarded_for"));

    let mut nominated = sent.to_vec();
    nominated.push(("connection", "x-forwarded-for, x-forwarded-host"));
    let parts = rewritten(get(&nominated), &peer(), &options);
    assert_eq!(parts.headers["x-forwarded-host"], "shop.example");
    assert_ne!(parts.headers["x-forwarded-for"], "192.0.2.7:4711");

    let stranger = Connection::new("198.51.100.7:1".parse().unwrap());
    let parts = rewritten(get(&sent), &stranger, &options);
    assert_eq!(parts.headers["x-forwarded-for"], "198.51.100.7:1");
    assert!(!parts.headers.contains_key("x-forwarded-host"));
}

#[test]
fn of_an_unknown_peer_nothing_is_said() {
    let parts = get(&[
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
    ]);
    let parts = rewritten(parts, &Connection::unknown(), &ProxyOptions::new());
    assert_eq!(
        lines(&parts.headers),
        ["host: a.example", "ms-aspnetcore-token: secret"]
    );
}

#[test]
fn the_peer_is_named_with_its_port() {
    for (peer, want) in [
        ("192.0.2.7:80", "192.0.2.7:80"),
        ("[2001:db8::1]:443", "[2001:db8::1]:443"),
        ("[::ffff:192.0.2.7]:5", "192.0.2.7:5"),
    ] {
        let connection = Connection::new(peer.parse().unwrap()).with_scheme(Scheme::Https);
        let parts = rewritten(get(&[]), &connection, &ProxyOptions::new());
        assert_eq!(parts.headers[X_FORWARDED_FOR], want);
        assert_eq!(parts.headers[X_FORWARDED_PROTO], "https");
    }
}

#[test]
fn a_certificate_is_the_connections_own() {
    let connection = peer().with_certificate(Bytes::from_static(&[0, 1, 2, 255]));
    let forged = get(&[("ms-aspnetcore-clientcert", "forged")]);
    let parts = rewritten(forged, &connection, &ProxyOptions::new());
    let have: Vec<_> = parts
        .headers
        .get_all(MS_ASPNETCORE_CLIENTCERT)
        .iter()
        .collect();
    assert_eq!(have, ["AAEC/w=="]);
}

#[test]
fn underscores_are_as_chosen() {
    let sent = || get(&[("x_plain", "1"), ("x_forwarded_for", "203.0.113.9")]);
    for (choice, want) in [
        (Underscores::DropAliases, &["x_plain: 1"][..]),
        (Underscores::DropAll, &[]),
        (
            Underscores::Keep,
            &["x_forwarded_for: 203.0.113.9", "x_plain: 1"],
        ),
    ] {
        let options = ProxyOptions::new().underscores(choice);
        assert_eq!(left(sent(), &peer(), &options), want, "{choice:?}");
    }
    let options = ProxyOptions::new().underscores(Underscores::Refuse);
    assert!(refused(sent(), &options).starts_with("400 "));
    let options = ProxyOptions::new().underscores(Underscores::Keep);
    assert!(left(get(&[("ms_aspnetcore_token", "x")]), &peer(), &options).is_empty());
}

#[test]
fn what_cannot_be_forwarded_is_refused() {
    let host = ("host", "a.example");
    for (version, method, target, lines, want) in [
        (
            Version::HTTP_11,
            "CONNECT",
            "a.example:443",
            &[host][..],
            "405",
        ),
        (Version::HTTP_2, "CONNECT", "a.example:443", &[], "405"),
        (Version::HTTP_11, "TRACE", "/", &[host], "405"),
        (Version::HTTP_11, "GET", "/", &[], "400"),
        (Version::HTTP_11, "GET", "http://a.example/", &[], "400"),
        (Version::HTTP_11, "GET", "/", &[host, host], "400"),
        (
            Version::HTTP_11,
            "GET",
            "/",
            &[("host", "a.example, b.example")],
            "400",
        ),
        (
            Version::HTTP_11,
            "GET",
            "/",
            &[("host", "user@a.example")],
            "400",
        ),
        (
            Version::HTTP_11,
            "GET",
            "/",
            &[("host", "a.example/x")],
            "400",
        ),
        (
            Version::HTTP_11,
            "GET",
            "/",
            &[("host", "a.example:x")],
            "400",
        ),
        (Version::HTTP_11, "GET", "/", &[("host", "[::1")], "400"),
        (Version::HTTP_11, "GET", "/", &[("host", "[::1]x")], "400"),
        (Version::HTTP_11, "GET", "http://b.example/", &[host], "400"),
        (
            Version::HTTP_11,
            "GET",
            "http://u@a.example/",
            &[host],
            "400",
        ),
        (Version::HTTP_2, "GET", "https://b.example/", &[host], "400"),
        (Version::HTTP_11, "GET", "*", &[host], "400"),
        (Version::HTTP_11, "GET", "a.example", &[host], "400"),
    ] {
        let refused = refused(head(version, method, target, lines), &ProxyOptions::new());
        assert!(
            refused.starts_with(want),
            "{method} {target} {lines:?}: {refused}"
        );
    }
}

#[test]
fn the_target_passes_byte_for_byte_in_origin_form() {
    let host = ("host", "a.example");
    for (version, method, target, lines, want) in [
        (
            Version::HTTP_11,
            "GET",
            "/a%2Fb/../%3f?x=%20&y=a+b?",
            &[host][..],
            "/a%2Fb/../%3f?x=%20&y=a+b?",
        ),
        (Version::HTTP_11, "GET", "//x//y?", &[host], "//x//y?"),
        (
            Version::HTTP_11,
            "GET",
            "http://A.example/p?q",
            &[host],
            "/p?q",
        ),
        (
            Version::HTTP_11,
            "GET",
            "http://a.example?q",
            &[host],
            "/?q",
        ),
        (Version::HTTP_11, "GET", "http://a.example", &[host], "/"),
        (Version::HTTP_2, "GET", "https://a.example/p", &[], "/p"),
        (Version::HTTP_2, "GET", "https://a.example/p", &[host], "/p"),
        (Version::HTTP_11, "OPTIONS", "*", &[host], "*"),
    ] {
        let parts = rewritten(
            head(version, method, target, lines),
            &peer(),
            &ProxyOptions::new(),
        );
        assert_eq!(parts.uri.to_string(), want, "{target}");
        assert_eq!(
            parts.headers.get_all(HOST).iter().collect::<Vec<_>>(),
            ["a.example"]
        );
        assert_eq!(parts.version, Version::HTTP_11);
    }
}

#[test]
fn hosts_of_all_shapes_pass_as_they_are() {
    for host in [
        "",
        "a",
        "A.Example:80",
        "[::1]",
        "[2001:db8::1]:8080",
        "a_b",
        "1.2.3.4:",
        "xn--a",
    ] {
        let parts = head(Version::HTTP_11, "GET", "/", &[("host", host)]);
        let parts = rewritten(parts, &peer(), &ProxyOptions::new());
        assert_eq!(parts.headers[HOST], host);
    }
}

#[test]
fn http_1_0_may_name_no_host() {
    let parts = head(Version::HTTP_10, "GET", "/", &[]);
    assert_eq!(
        rewritten(parts, &peer(), &ProxyOptions::new()).headers[HOST],
        ""
    );
}

#[test]
fn cookies_are_joined_only_where_http_2_cut_them() {
    let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
    let parts = head(Version::HTTP_2, "GET", "https://a.example/", &crumbs);
    let parts = rewritten(parts, &peer(), &ProxyOptions::new());
    let have: Vec<_> = parts.headers.get_all(COOKIE).iter().collect();
    assert_eq!(have, ["a=1; b=2; c=3"]);
    let parts = rewritten(get(&crumbs), &peer(), &ProxyOptions::new());
    assert_eq!(parts.headers.get_all(COOKIE).iter().count(), 3);
}

#[test]
fn only_a_plain_request_for_a_websocket_is_one() {
    let options = ProxyOptions::new();
    let asks = |mut parts: Parts, bodiless, options: &ProxyOptions| {
        let sender = Sender {
            connection: &peer(),
            token: None,
            options,
        };
        let asked = rewrite(&mut parts, bodiless, sender).unwrap();
        assert_eq!(parts.headers.contains_key(UPGRADE), asked.upgrade);
        asked.upgrade
    };
    let websocket = [
        ("connection", "keep-alive, upgrade"),
        ("upgrade", "WebSocket"),
    ];
    assert!(asks(get(&websocket), true, &options));
    assert!(!asks(get(&websocket), false, &options));
    assert!(!asks(
        get(&websocket),
        true,
        &options.clone().websockets(false)
    ));
    for lines in [
        &[("upgrade", "websocket")][..],
        &[("connection", "upgrade")],
        &[("connection", "upgrade"), ("upgrade", "h2c")],
        &[("connection", "upgrade"), ("upgrade", "websocket, h2c")],
        &[
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("upgrade", "h2c"),
        ],
    ] {
        assert!(!asks(get(lines), true, &options), "{lines:?}");
    }
    let all = [
        ("host", "a.example"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
    ];
    assert!(!asks(
        head(Version::HTTP_11, "POST", "/", &all),
        true,
        &options
    ));
    assert!(!asks(
        head(Version::HTTP_10, "GET", "/", &all),
        true,
        &options
    ));
}

#[test]
fn framing_follows_the_body_and_never_the_client() {
    for (method, sent, length, want) in [
        ("GET", None, Some(0), &[][..]),
        ("POST", None, Some(0), &["content-length: 0"]),
        ("DELETE", Some("0"), Some(0), &["content-length: 0"]),
        ("POST", Some("7"), Some(5), &["content-length: 5"]),
        ("POST", Some("7"), None, &["transfer-encoding: chunked"]),
        ("GET", None, None, &["transfer-encoding: chunked"]),
        ("GET", None, Some(5), &["content-length: 5"]),
    ] {
        let sent: Vec<_> = sent
            .map(|sent| ("content-length", sent))
            .into_iter()
            .collect();
        let mut parts = head(Version::HTTP_11, method, "/", &sent);
        let asked = Asked {
            length: !sent.is_empty(),
            ..Asked::default()
        };
        frame(&mut parts, asked, length);
        assert_eq!(lines(&parts.headers), want, "{method} {sent:?} {length:?}");
    }
}

proptest! {
    #[test]
    fn no_connection_list_takes_ours_away(
        lists in proptest::collection::vec(
            proptest::collection::vec(
                prop_oneof![
                    Just("MS-ASPNETCORE-TOKEN".to_owned()),
                    Just("x-forwarded-for".to_owned()),
                    Just("X-Forwarded-Proto".to_owned()),
                    Just("host".to_owned()),
                    Just("close".to_owned()),
                    "[ -~]{0,20}",
                    "[\u{80}-\u{ff}]{0,5}",
                ],
                0..8,
            ),
            0..4,
        ),
    ) {
        let mut parts = get(&[("ms-aspnetcore-token", "forged"), ("x-forwarded-for", "forged")]);
        for list in lists {
            let value = HeaderValue::from_bytes(list.join(",").as_bytes()).unwrap();
            parts.headers.append(CONNECTION, value);
        }
        prop_assert!(left(parts, &peer(), &ProxyOptions::new()).is_empty());
    }

    #[test]
    fn no_spelling_of_ours_passes(
        names in proptest::collection::vec(
            (
                prop_oneof![
                    Just("ms-aspnetcore-token"),
                    Just("ms-aspnetcore-clientcert"),
                    Just("ms-aspnetcore"),
                    Just("x-forwarded-for"),
                    Just("x-forwarded-proto"),
                    Just("x-forwarded-host"),
                    Just("x-forwarded-prefix"),
                    Just("transfer-encoding"),
                    Just("keep-alive"),
                ],
                proptest::collection::vec((any::<bool>(), any::<bool>()), 24),
            ),
            0..12,
        ),
    ) {
        let mut parts = get(&[]);
        for (name, choices) in names {
            let spelled: Vec<u8> = name
                .bytes()
                .zip(choices)
                .map(|(byte, (upper, fold))| match byte {
                    b'-' if fold => b'_',
                    byte if upper => byte.to_ascii_uppercase(),
                    byte => byte,
                })
                .collect();
            let name = HeaderName::from_bytes(&spelled).unwrap();
            parts.headers.append(name, HeaderValue::from_static("forged"));
        }
        prop_assert!(left(parts, &peer(), &ProxyOptions::new()).is_empty());
    }
}
