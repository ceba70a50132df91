//! Lets a request say what is believed of it.

use std::{io::Write as _, net::SocketAddr};

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Request, Uri,
    header::HOST,
    uri::{self, Authority},
};

use super::{extension::Forwarded, rules::Rules, walk::Outcome};
use crate::{
    PathBase, Scheme,
    headers::{X_ORIGINAL_FOR, X_ORIGINAL_HOST, X_ORIGINAL_PREFIX, X_ORIGINAL_PROTO},
};

/// The headers that keep what was there before.
pub(super) const ORIGINALS: [HeaderName; 4] = [
    X_ORIGINAL_FOR,
    X_ORIGINAL_PROTO,
    X_ORIGINAL_HOST,
    X_ORIGINAL_PREFIX,
];

/// Puts `outcome`, which is not empty, into `request` and keeps what was there before.
pub(super) fn apply<B>(request: &mut Request<B>, outcome: Outcome, rules: &Rules) {
    let mut forwarded = Forwarded::of(request.extensions());
    // ANCM: said as soon as anything is believed, even if that is not an address: no client's own word stays there.
    if rules.reads.address
        && let Some(original) = forwarded.client.and_then(address_value)
    {
        request.headers_mut().insert(X_ORIGINAL_FOR, original);
    }
    if let Some(client) = outcome.address {
        forwarded.client = Some(client);
        set_connect_info(request.extensions_mut(), client);
    }
    if let Some(scheme) = outcome.scheme {
        let original = HeaderValue::from_static(forwarded.scheme.as_str());
        request.headers_mut().insert(X_ORIGINAL_PROTO, original);
        forwarded.scheme = scheme;
    }
    if let Some(host) = outcome.host {
        set_host(request, &host);
        forwarded.host = Some(host);
    }
    if let Some(prefix) = outcome.prefix {
        set_prefix(request, &prefix);
        forwarded.prefix = Some(prefix);
    }
    set_uri(
        request,
        outcome.scheme,
        forwarded.host.as_ref(),
        rules.absolute_form,
    );
    request.extensions_mut().insert(forwarded);
}

/// Written on the stack, so that the value is all that is allocated: every request behind the module has one.
fn address_value(address: SocketAddr) -> Option<HeaderValue> {
    let mut text = [0; 64];
    let mut free = text.as_mut_slice();
    write!(free, "{address}").ok()?;
    let free = free.len();
    HeaderValue::from_bytes(text.get(..text.len() - free)?).ok()
}

/// `text` is what a host or a path looks like, which a header can always carry.
fn keep(headers: &mut HeaderMap, name: HeaderName, text: String) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}

/// ANCM: the header is what the app reads the host from, so it says the forwarded one.
fn set_host<B>(request: &mut Request<B>, host: &Authority) {
    let original = request.headers().get(HOST).cloned().or_else(|| {
        let authority = request.uri().authority()?;
        HeaderValue::from_str(authority.as_str()).ok()
    });
    if let Some(original) = original {
        request.headers_mut().insert(X_ORIGINAL_HOST, original);
    }
    keep(request.headers_mut(), HOST, host.to_string());
}

fn set_prefix<B>(request: &mut Request<B>, prefix: &PathBase) {
    let original = request.extensions_mut().insert(prefix.clone());
    if let Some(original) = original {
        keep(
            request.headers_mut(),
            X_ORIGINAL_PREFIX,
            original.to_string(),
        );
    }
}

/// Lets the request URI agree with scheme and host.
///
/// An HTTP/1.1 request names only a path, and stays that way: handlers that print or compare their `Uri` expect the
/// path. HTTP/2 and absolute-form requests name both, and then both are set. `absolute_form` makes the first into the
/// second.
fn set_uri<B>(
    request: &mut Request<B>,
    scheme: Option<Scheme>,
    host: Option<&Authority>,
    absolute_form: bool,
) {
    let uri = request.uri();
    let has_both = uri.scheme().is_some() && uri.authority().is_some();
    let is_path = uri.path().starts_with('/');
    if !is_path || !(has_both || absolute_form) {
        return;
    }
    let authority = host.cloned().or_else(|| authority(request));
    let scheme = scheme.map(uri_scheme).or_else(|| uri.scheme().cloned());
    let mut parts = uri.clone().into_parts();
    parts.scheme = Some(scheme.unwrap_or(uri::Scheme::HTTP));
    parts.authority = authority;
    // Without an authority it would be no URI; then it stays as it was.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

fn authority<B>(request: &Request<B>) -> Option<Authority> {
    let of_uri = || request.uri().authority().cloned();
    let of_header = || Authority::try_from(request.headers().get(HOST)?.as_bytes()).ok();
    of_uri().or_else(of_header)
}

fn uri_scheme(scheme: Scheme) -> uri::Scheme {
    match scheme {
        Scheme::Http => uri::Scheme::HTTP,
        Scheme::Https => uri::Scheme::HTTPS,
    }
}

/// The client is who an axum handler asks for; the peer is in [`Forwarded::peer`].
#[cfg(feature = "axum")]
pub(in crate::app) fn set_connect_info(extensions: &mut Extensions, client: SocketAddr) {
    use axum::extract::ConnectInfo;
    match extensions.get_mut::<ConnectInfo<SocketAddr>>() {
        Some(info) => info.0 = client,
        None => drop(extensions.insert(ConnectInfo(client))),
    }
}

#[cfg(not(feature = "axum"))]
pub(in crate::app) fn set_connect_info(_: &mut Extensions, _: SocketAddr) {}
