//! What must hold of each input, whatever it is.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use ancm::{
    Connection, Identity, PairingToken, PathBase,
    app::{
        ClientCertificate, Forwarded, ForwardedLayer, IdentityLayer, PairingLayer, PathBaseLayer,
    },
    config::Config,
    headers::{MS_ASPNETCORE_CLIENTCERT, MS_ASPNETCORE_TOKEN},
    proxy::{ProxyOptions, rewrite_head},
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version, request::Parts};
use tower_layer::Layer;
use tower_service::Service;

/// An app that hands back the request that it got.
#[derive(Clone, Debug)]
struct Mirror;

impl Service<Request<()>> for Mirror {
    type Response = Response<Option<Request<()>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Some(request))))
    }
}

/// What becomes of `request` on its way through `layer`.
fn through<L>(layer: &L, request: Request<()>) -> Response<Option<Request<()>>>
where
    L: Layer<Mirror>,
    L::Service: Service<Request<()>, Response = Response<Option<Request<()>>>, Error = Infallible>,
{
    let mut future = pin!(layer.layer(Mirror).call(request));
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(Ok(response)) => response,
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

/// Each line of `data` as one line of a header, where it can be one.
fn with_lines(data: &[u8], names: &[HeaderName]) -> Request<()> {
    let mut request = Request::new(());
    let peer = "127.0.0.1:1".parse().expect("an address");
    request.extensions_mut().insert(Connection::new(peer));
    for (n, line) in data.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            request.headers_mut().append(&names[n % names.len()], value);
        }
    }
    request
}

/// Believed all the way and strictly or not: no more than was sent comes out of it.
fn believe(layer: &ForwardedLayer, data: &[u8], names: &[HeaderName]) {
    for strict in [false, true] {
        for limit in [Some(1), None] {
            let layer = layer
                .clone()
                .strict(strict)
                .limit(limit)
                .host(["*"])
                .prefix(true)
                .trust_everyone(true);
            let request = through(&layer, with_lines(data, names)).into_body();
            let request = request.expect("no request is refused");
            let forwarded = Forwarded::of(request.extensions());
            if let Some(host) = forwarded.host() {
                assert_eq!(request.headers()["host"], host.as_str());
            }
            if let Some(prefix) = forwarded.prefix() {
                assert!(prefix.as_str().starts_with('/') && !prefix.as_str().starts_with("//"));
            }
        }
    }
}

/// `Forwarded` (RFC 7239).
pub(crate) fn forwarded(data: &[u8]) {
    believe(&ForwardedLayer::rfc7239(), data, &[http::header::FORWARDED]);
}

/// `X-Forwarded-*`, line by line in turn.
pub(crate) fn x_forwarded(data: &[u8]) {
    let names = [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-forwarded-prefix",
    ];
    believe(
        &ForwardedLayer::new(),
        data,
        &names.map(HeaderName::from_static),
    );
}

/// A base in the first line, a target in the second: what is taken off is what was there.
pub(crate) fn path_base(data: &[u8]) {
    let Some((base, target)) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.split_once('\n'))
    else {
        return;
    };
    let (Ok(base), Ok(uri)) = (base.parse::<PathBase>(), target.parse::<Uri>()) else {
        return;
    };
    let mut request = Request::new(());
    *request.uri_mut() = uri.clone();
    let request = through(&PathBaseLayer::new(base.clone()), request).into_body();
    let request = request.expect("no request is refused");
    assert_eq!(request.uri().query(), uri.query());
    match request.extensions().get::<PathBase>() {
        Some(taken) => {
            assert!(taken.as_str().eq_ignore_ascii_case(base.as_str()));
            let whole = format!("{}{}", taken.as_prefix(), request.uri().path());
            assert_eq!(
                whole.trim_end_matches('/'),
                uri.path().trim_end_matches('/')
            );
        }
        None => assert_eq!(request.uri(), &uri),
    }
}

/// A certificate's header: taken out, and read or not.
pub(crate) fn certificate(data: &[u8]) {
    let request = with_lines(data, &[MS_ASPNETCORE_CLIENTCERT]);
    let request = through(&IdentityLayer::new(), request).into_body();
    let request = request.expect("no request is refused");
    assert!(!request.headers().contains_key(MS_ASPNETCORE_CLIENTCERT));
    if let Some(certificate) = request.extensions().get::<ClientCertificate>() {
        assert_eq!(
            certificate.der().is_some(),
            certificate.fingerprint_sha256().is_some()
        );
        if let Ok(details) = certificate.details() {
            let _ = (details.is_valid_at(SystemTime::UNIX_EPOCH), details.names());
        }
    }
}

/// Only one header opens, and only with the token itself in it.
pub(crate) fn token(data: &[u8]) {
    let layer = PairingLayer::new(PairingToken::new("secret").expect("a token"));
    let request = with_lines(data, &[MS_ASPNETCORE_TOKEN]);
    let values: Vec<_> = request
        .headers()
        .get_all(MS_ASPNETCORE_TOKEN)
        .iter()
        .collect();
    let right = values.len() == 1 && values[0] == "secret";
    let status = through(&layer, request).status();
    assert_eq!(status == StatusCode::OK, right);
}

/// Nothing opens that was not sealed.
pub(crate) fn sealed(data: &[u8]) {
    let token = PairingToken::new("secret").expect("a token");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    assert!(Identity::open(data, &token, now).is_err());
    let parts = String::from_utf8_lossy(data);
    let mut parts = parts.split('\n');
    let mut part = || parts.next().unwrap_or_default();
    let identity = Identity::new(part(), part()).with_realm(part());
    let identity = identity.with_groups(parts);
    if let Ok(sealed) = identity.seal(&token, now, Duration::from_secs(60)) {
        let opened = Identity::open(sealed.as_bytes(), &token, now).expect("it was sealed");
        assert_eq!(opened, identity.with_expiry(now + Duration::from_secs(60)));
    }
}

/// `web.config`: a configuration or errors, each of which can be shown.
pub(crate) fn web_config(data: &[u8]) {
    let vars: BTreeMap<String, String> = BTreeMap::new();
    match Config::from_web_config(&std::env::temp_dir(), data, &vars) {
        Ok(loaded) => {
            let _ = loaded.report().to_string();
        }
        Err(errors) => assert!(!errors.to_string().is_empty()),
    }
}

/// A request: a line with method, target, version and `t` for a trusted peer, then a line for each field.
///
/// Whatever it is, the app gets one host, one target and what only the module says, or nothing.
pub(crate) fn heads(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some((mut parts, trusted)) = request_line(lines.next().unwrap_or_default()) else {
        return;
    };
    for line in lines {
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = halves.next().map(HeaderName::from_bytes);
        let value = halves.next().map(HeaderValue::from_bytes);
        if let (Some(Ok(name)), Some(Ok(value))) = (name, value) {
            parts.headers.append(name, value);
        }
    }
    let token = PairingToken::new("secret").expect("a token");
    let connection = Connection::new("192.0.2.7:4711".parse().expect("an address"));
    let mut options = ProxyOptions::new().via(Some("us")).trace_context(true);
    if trusted {
        options = options.trusted_proxies(["192.0.2.0/24".parse().expect("a range")]);
    }
    match rewrite_head(&mut parts, &connection, Some(&token), &options) {
        Ok(()) => well_formed(&parts, trusted),
        Err(error) => assert!(matches!(error.status().as_u16(), 400 | 405), "{error}"),
    }
}

fn request_line(line: &[u8]) -> Option<(Parts, bool)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let request = Request::builder()
        .method(words.next()?)
        .uri(words.next()?)
        .version(match words.next()? {
            "1.0" => Version::HTTP_10,
            "2" => Version::HTTP_2,
            _ => Version::HTTP_11,
        });
    let parts = request.body(()).ok()?.into_parts().0;
    Some((parts, words.next() == Some("t")))
}

fn well_formed(parts: &Parts, trusted: bool) {
    let all = |name: &str| -> Vec<_> { parts.headers.get_all(name).iter().collect() };
    assert_eq!(all("ms-aspnetcore-token"), ["secret"]);
    assert_eq!(all("host").len(), 1);
    assert!(all("content-length").len() <= 1 && all("transfer-encoding").is_empty());
    let signed = all("via")
        .last()
        .is_some_and(|line| line.as_bytes().ends_with(b" us"));
    assert!(signed, "{:?}", all("via"));
    assert_eq!(all("traceparent").len(), 1);
    let (peers, schemes) = (all("x-forwarded-for"), all("x-forwarded-proto"));
    assert!(peers.len() == 1 && peers[0].as_bytes().ends_with(b"192.0.2.7:4711"));
    assert!(schemes.len() == 1 && schemes[0].as_bytes().ends_with(b"http"));
    assert!(trusted || (peers == ["192.0.2.7:4711"] && schemes == ["http"]));
    assert!(matches!(&*all("connection"), [] | [_]));
    for option in all("connection") {
        assert!(option == "TE" || option == "Upgrade", "{option:?}");
    }
    for name in parts.headers.keys().map(HeaderName::as_str) {
        let dashed = name.replace('_', "-");
        let reserved = dashed.starts_with("ms-aspnetcore") && name != "ms-aspnetcore-token";
        let theirs = [
            "x-forwarded-host",
            "x-forwarded-prefix",
            "forwarded",
            "client-cert",
        ];
        let hop = ["keep-alive", "proxy-connection", "http2-settings"];
        let managed = [
            "x-forwarded-for",
            "x-forwarded-proto",
            "transfer-encoding",
            "content-length",
        ];
        let alias = dashed != name && managed.contains(&&*dashed);
        assert!(!reserved && !hop.contains(&name) && !alias, "{name}");
        assert!(trusted || !theirs.contains(&name), "{name}");
    }
    assert!(parts.uri.authority().is_none() && parts.uri.scheme().is_none());
    let path = parts.uri.path();
    assert!(
        path.starts_with('/') || (path == "*" && parts.method == "OPTIONS"),
        "{path}"
    );
    assert_eq!(parts.version, Version::HTTP_11);
}
