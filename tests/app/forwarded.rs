//! Forwarded headers on whole requests.

use std::net::SocketAddr;

use ancm::{
    Connection, PathBase, Scheme,
    app::{Forwarded, ForwardedLayer, PathBaseLayer},
};
use axum::{body::Body, extract::ConnectInfo, http::Request};
use http::{HeaderMap, request::Builder};
use proptest::prelude::*;
use tower::{Layer, Service, service_fn};

/// What the app gets of `request`.
fn through(layer: &ForwardedLayer, request: Builder) -> Request<Body> {
    let mut app = layer.layer(service_fn(|request| {
        std::future::ready(Ok::<_, ()>(request))
    }));
    let request = request.body(Body::empty()).unwrap();
    futures_util::FutureExt::now_or_never(app.call(request))
        .unwrap()
        .unwrap()
}

fn from(peer: &str) -> Builder {
    Request::get("/path?q").extension(Connection::new(peer.parse().unwrap()))
}

fn address(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

/// The forwarded and original headers, sorted.
fn headers(headers: &HeaderMap) -> Vec<String> {
    let show = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        format!("{name}: {}", value.to_str().unwrap())
    };
    let mut lines: Vec<_> = headers.iter().map(show).collect();
    lines.sort();
    lines
}

#[test]
fn keeps_the_originals_and_cuts_what_it_used() {
    let request = from("127.0.0.1:999")
        .header("x-forwarded-for", "203.0.113.9, 192.0.2.1:80")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-proto", "https");
    let request = through(&ForwardedLayer::new(), request);
    assert_eq!(
        headers(request.headers()),
        [
            "x-forwarded-for: 203.0.113.9",
            "x-forwarded-proto: http",
            "x-original-for: 127.0.0.1:999",
            "x-original-proto: http",
        ]
    );
    let forwarded: &Forwarded = request.extensions().get().unwrap();
    assert_eq!(forwarded.client_address(), address("192.0.2.1:80"));
    assert_eq!(forwarded.peer(), address("127.0.0.1:999"));
    assert_eq!(forwarded.scheme(), Scheme::Https);
    assert_eq!(forwarded.original_scheme(), Scheme::Http);
    let info: &ConnectInfo<SocketAddr> = request.extensions().get().unwrap();
    assert_eq!(Some(info.0), address("192.0.2.1:80"));
}

#[test]
fn what_is_not_believed_stays_as_it_is() {
    for (peer, name, value) in [
        ("192.0.2.9:1", "x-forwarded-for", "192.0.2.1"),
        ("192.0.2.9:1", "x-forwarded-proto", "https"),
        ("127.0.0.1:1", "x-forwarded-for", "unknown"),
        ("127.0.0.1:1", "x-forwarded-proto", "gopher"),
        ("127.0.0.1:1", "x-forwarded-host", "evil.example"),
        ("127.0.0.1:1", "x-forwarded-prefix", "/evil"),
        ("127.0.0.1:1", "forwarded", "for=192.0.2.1"),
    ] {
        let request = through(&ForwardedLayer::new(), from(peer).header(name, value));
        assert_eq!(headers(request.headers()), [format!("{name}: {value}")]);
        assert!(request.extensions().get::<Forwarded>().is_none(), "{name}");
        assert!(
            request
                .extensions()
                .get::<ConnectInfo<SocketAddr>>()
                .is_none()
        );
        assert_eq!(Forwarded::of(request.extensions()).peer(), address(peer));
    }
}

#[test]
fn a_peer_that_nobody_knows_is_trusted_only_on_request() {
    for (trust, want) in [(false, None), (true, address("192.0.2.1:0"))] {
        let layer = ForwardedLayer::new().trust_unknown_peer(trust);
        let request = through(
            &layer,
            Request::get("/").header("x-forwarded-for", "192.0.2.1"),
        );
        assert_eq!(Forwarded::of(request.extensions()).client_address(), want);
        assert!(!request.headers().contains_key("x-original-for"));
    }
}

#[test]
fn a_chain_is_walked_as_far_as_it_is_trusted() {
    let layer = ForwardedLayer::new()
        .trust("10.0.0.0/8".parse::<ipnet::IpNet>().unwrap())
        .limit(None);
    let chain = "203.0.113.9, 192.0.2.1, 10.0.0.2, 10.0.0.1";
    let request = through(&layer, from("127.0.0.1:1").header("x-forwarded-for", chain));
    let forwarded = Forwarded::of(request.extensions());
    assert_eq!(forwarded.client_address(), address("192.0.2.1:0"));
    assert_eq!(
        request.headers().get("x-forwarded-for").unwrap(),
        "203.0.113.9"
    );
}

#[test]
fn symmetry_takes_all_or_nothing() {
    let layer = ForwardedLayer::new().require_symmetry(true);
    let uneven = || {
        from("127.0.0.1:1")
            .header("x-forwarded-for", "192.0.2.1, 192.0.2.2")
            .header("x-forwarded-proto", "https")
    };
    let request = through(&layer, uneven());
    assert!(request.extensions().get::<Forwarded>().is_none());
    let request = through(&ForwardedLayer::new(), uneven());
    let forwarded = Forwarded::of(request.extensions());
    assert_eq!(forwarded.client_address(), address("192.0.2.2:0"));
    assert_eq!(forwarded.scheme(), Scheme::Https);
}

#[test]
fn strict_takes_the_clients_own_originals_out() {
    let forged = || from("192.0.2.9:1").header("x-original-for", "10.0.0.1:1");
    let request = through(&ForwardedLayer::new().strict(true), forged());
    assert!(request.headers().is_empty());
    let request = through(&ForwardedLayer::new(), forged());
    assert_eq!(request.headers().len(), 1);
}

#[test]
fn the_host_is_the_forwarded_one_where_it_is_allowed() {
    let layer = ForwardedLayer::new().host(["example.com", "*.example.org"]);
    let ask = |host: &str| {
        let request = from("127.0.0.1:1")
            .header("host", "127.0.0.1:5000")
            .header("x-forwarded-host", host);
        through(&layer, request)
    };
    for host in ["example.com", "example.com:8443", "a.example.org"] {
        let request = ask(host);
        assert_eq!(request.headers().get("host").unwrap(), host);
        assert_eq!(
            request.headers().get("x-original-host").unwrap(),
            "127.0.0.1:5000"
        );
        let forwarded: &Forwarded = request.extensions().get().unwrap();
        assert_eq!(forwarded.host().unwrap().as_str(), host);
        assert!(!request.headers().contains_key("x-forwarded-host"));
    }
    for host in [
        "evil.example",
        "example.org",
        "example.com/x",
        "example.com@evil.example",
    ] {
        let request = ask(host);
        assert_eq!(request.headers().get("host").unwrap(), "127.0.0.1:5000");
        assert!(request.extensions().get::<Forwarded>().is_none(), "{host}");
    }
}

#[test]
fn the_prefix_and_the_path_base_add_up() {
    let layer = ForwardedLayer::new().prefix(true);
    let app = |request| std::future::ready(Ok::<Request<Body>, ()>(request));
    let mut app = layer.layer(PathBaseLayer::new("/app".parse().unwrap()).layer(service_fn(app)));
    let request = Request::get("/App/x")
        .extension(Connection::new("127.0.0.1:1".parse().unwrap()))
        .header("x-forwarded-prefix", "/outer/");
    let request =
        futures_util::FutureExt::now_or_never(app.call(request.body(Body::empty()).unwrap()));
    let request = request.unwrap().unwrap();
    let base: &PathBase = request.extensions().get().unwrap();
    assert_eq!(base.as_str(), "/outer/App");
    assert_eq!(request.uri(), "/x");
    let forwarded: &Forwarded = request.extensions().get().unwrap();
    assert_eq!(forwarded.prefix().unwrap().as_str(), "/outer");
}

#[test]
fn the_uri_agrees() {
    let layer = ForwardedLayer::new().host(["*"]);
    for (absolute, uri, want) in [
        (false, "/path?q", "/path?q"),
        (false, "http://inner:1/path?q", "https://example.com/path?q"),
        (true, "/path?q", "https://example.com/path?q"),
        (true, "*", "*"),
        (true, "http://inner:1/path?q", "https://example.com/path?q"),
    ] {
        let request = Request::builder()
            .uri(uri)
            .extension(Connection::new("127.0.0.1:1".parse().unwrap()))
            .header("x-forwarded-proto", "https")
            .header("x-forwarded-host", "example.com");
        let request = through(&layer.clone().absolute_form(absolute), request);
        assert_eq!(request.uri(), want, "{uri}");
    }
}

#[test]
fn the_uri_takes_the_authority_from_the_host_header_where_only_the_scheme_is_forwarded() {
    let layer = ForwardedLayer::new().absolute_form(true);
    for (host, want) in [
        (Some("inner:1"), "https://inner:1/path?q"),
        (None, "/path?q"),
    ] {
        let mut request = from("127.0.0.1:1").header("x-forwarded-proto", "https");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        assert_eq!(through(&layer, request).uri(), want);
    }
}

#[test]
fn the_standard_header_is_read_in_place_of_the_others() {
    let request = from("127.0.0.1:1")
        .header("x-forwarded-for", "203.0.113.9")
        .header(
            "forwarded",
            "for=203.0.113.66, for=\"[2001:db8::1]:80\";proto=https;host=example.com",
        );
    let layer = ForwardedLayer::rfc7239().host(["example.com"]);
    let request = through(&layer, request);
    let forwarded = Forwarded::of(request.extensions());
    assert_eq!(forwarded.client_address(), address("[2001:db8::1]:80"));
    assert_eq!(forwarded.scheme(), Scheme::Https);
    assert_eq!(forwarded.host().unwrap().as_str(), "example.com");
    assert_eq!(
        headers(request.headers()),
        [
            "forwarded: for=203.0.113.66",
            "host: example.com",
            "x-forwarded-for: 203.0.113.9",
            "x-original-for: 127.0.0.1:1",
            "x-original-proto: http",
        ]
    );
}

#[test]
fn a_second_layer_goes_on_where_the_first_one_ended() {
    let request = from("127.0.0.1:1")
        .header("x-forwarded-for", "192.0.2.1, 10.0.0.1:8")
        .header("x-forwarded-proto", "https, http");
    let first = through(&ForwardedLayer::new(), request);
    let network: ipnet::IpNet = "10.0.0.0/8".parse().unwrap();
    for (layer, client, scheme) in [
        (ForwardedLayer::new(), "10.0.0.1:8", Scheme::Http),
        (
            ForwardedLayer::new().trust(network),
            "192.0.2.1:0",
            Scheme::Https,
        ),
    ] {
        let mut again = Request::get("/");
        *again.headers_mut().unwrap() = first.headers().clone();
        *again.extensions_mut().unwrap() = first.extensions().clone();
        let second = through(&layer, again);
        let forwarded = Forwarded::of(second.extensions());
        assert_eq!(forwarded.client_address(), address(client));
        assert_eq!(forwarded.peer(), address("127.0.0.1:1"));
        assert_eq!(forwarded.scheme(), scheme);
    }
}

#[test]
fn a_thousand_entries_are_no_trouble() {
    let chain = vec!["10.0.0.1"; 1000].join(",");
    let layer = ForwardedLayer::new().limit(None).trust_everyone(true);
    let request = through(
        &layer,
        from("127.0.0.1:1").header("x-forwarded-for", &chain),
    );
    assert!(!request.headers().contains_key("x-forwarded-for"));
    let layer = ForwardedLayer::new();
    let request = through(
        &layer,
        from("127.0.0.1:1").header("x-forwarded-for", &chain),
    );
    let left = request.headers().get("x-forwarded-for").unwrap();
    assert_eq!(left.to_str().unwrap().split(',').count(), 999);
}

proptest! {
    /// Whatever the headers hold: no panic, and who is not trusted changes nothing.
    #[test]
    fn no_header_panics_and_no_stranger_is_believed(
        lines in proptest::collection::vec(
            (0_usize..5, proptest::collection::vec(0x20_u8..=0xff, 0..40)), 0..6),
        trusted: bool, strict: bool, standard: bool, absolute: bool,
        limit in proptest::option::of(0_usize..4),
    ) {
        let names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix", "forwarded"];
        let mut request = from(if trusted { "127.0.0.1:1" } else { "192.0.2.9:1" });
        for (name, value) in &lines {
            if let Ok(value) = http::HeaderValue::from_bytes(value) {
                request = request.header(names[*name], value);
            }
        }
        let before = request.headers_ref().unwrap().clone();
        let layer = if standard { ForwardedLayer::rfc7239() } else { ForwardedLayer::new() };
        let layer = layer.host(["*"]).prefix(true).strict(strict).limit(limit).absolute_form(absolute);
        let request = through(&layer, request);
        if !trusted || limit == Some(0) {
            prop_assert_eq!(request.headers(), &before);
            prop_assert!(request.extensions().get::<Forwarded>().is_none());
        }
        prop_assert_eq!(request.uri().path(), "/path");
    }
}
