//! What the app sees of a request, and of itself.

use std::{collections::BTreeMap, env, process};

use ancm::{
    PathBase,
    app::{ClientCertificate, Forwarded, WindowsIdentity},
};
use axum::{
    Json,
    body::Body,
    extract::{OriginalUri, Request},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

/// Tells everything about the request.
pub(crate) async fn echo(OriginalUri(original): OriginalUri, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let forwarded = Forwarded::of(&head.extensions);
    let client = forwarded.client_address();
    let base = head.extensions.get::<PathBase>();
    let method = head.method.as_str().to_owned();
    let report = json!({
        "protocol": format!("{:?}", head.version),
        "method": method,
        "scheme": forwarded.scheme().as_str(),
        "host": text(&head.headers, header::HOST),
        "remoteAddress": client.map(|client| client.ip().to_string()),
        "remotePort": client.map(|client| client.port()),
        "pathBase": base.map_or("", PathBase::as_prefix),
        "path": head.uri.path(),
        "query": head.uri.query().map_or_else(String::new, |query| format!("?{query}")),
        "rawTarget": original.path_and_query().unwrap().as_str(),
        "contentLength": content_length(&head.headers),
        "headers": lists(&head.headers),
        "bodyLength": body.to_bytes().len(),
        "trailers": lists(&trailers),
    });
    ([("x-echo-method", method)], Json(report)).into_response()
}

/// Tells about the process.
pub(crate) async fn env() -> Json<Value> {
    let variables: BTreeMap<_, _> = env::vars()
        .filter(|(name, _)| {
            ["ASPNETCORE_", "ANCM", "SCENARIO_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
        .collect();
    let directory = env::current_dir().unwrap();
    Json(json!({
        "pid": process::id(),
        "contentRoot": directory,
        "currentDirectory": directory,
        "arguments": env::args().collect::<Vec<_>>(),
        "variables": variables,
    }))
}

/// Tells about the client's certificate.
pub(crate) async fn client_certificate(request: Request<Body>) -> Json<Value> {
    let certificate = request.extensions().get::<ClientCertificate>();
    let der = certificate.and_then(|certificate| certificate.der());
    Json(json!({
        "present": der.is_some(),
        "der": der.map(|der| STANDARD.encode(der)),
    }))
}

/// Tells about the user whom the front authenticated.
pub(crate) async fn user(request: Request<Body>) -> Json<Value> {
    let user = request.extensions().get::<ancm::Identity>();
    let windows = request.extensions().get::<WindowsIdentity>();
    Json(json!({
        "sid": windows.map(|user| user.sid().to_owned()),
        "name": user.map(ancm::Identity::name),
        "realm": user.map(ancm::Identity::realm),
        "authenticationType": user.map(ancm::Identity::authentication_type),
        "authorization": request.headers().contains_key(header::AUTHORIZATION),
    }))
}

/// What a request's `Content-Length` says.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.parse().ok()
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn lists(headers: &HeaderMap) -> BTreeMap<&str, Vec<String>> {
    let mut lists: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        lists.entry(name.as_str()).or_default().push(value);
    }
    lists
}
