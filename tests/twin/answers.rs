//! Answers of every kind, and none.

use std::{
    collections::HashMap,
    io::{self, Write},
    process,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Path, Query},
    response::{AppendHeaders, IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{StatusCode, header};
use tokio::{sync::Semaphore, time::sleep};

use crate::streams::{Asked, gate};

/// The status that is asked for.
pub(crate) async fn status(Path(code): Path<u16>) -> Response {
    let mut response = match code {
        204 | 205 | 304 => ().into_response(),
        _ => format!("status {code}").into_response(),
    };
    response.headers_mut().remove(header::CONTENT_TYPE);
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    if (300..400).contains(&code) && code != 304 {
        let location = "/somewhere?else=%20".parse().unwrap();
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Headers that come more than once, and odd ones.
pub(crate) async fn headers() -> impl IntoResponse {
    let headers = AppendHeaders([
        ("set-cookie", "a=1; path=/"),
        ("set-cookie", "b=2; expires=Wed, 21 Oct 2065 07:28:00 GMT"),
        ("set-cookie", "c=3"),
        ("x-repeated", "one"),
        ("x-repeated", "two"),
        ("x-custom", "with, comma; and \"quotes\""),
        ("x-empty", ""),
        ("cache-control", "no-store"),
    ]);
    (headers, Body::from("headers"))
}

/// Answers after a while.
pub(crate) async fn slow(Query(asked): Asked) -> &'static str {
    sleep(Duration::from_millis(asked["ms"].parse().unwrap())).await;
    "slow"
}

/// A request that hangs: whether it is here, and whether it has lost its client.
#[derive(Debug)]
struct Hanging {
    began: Semaphore,
    ended: Semaphore,
}

/// Ends a hanging request when hyper drops what it was to be answered with.
struct End(Arc<Hanging>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.ended.add_permits(1);
    }
}

fn named(name: String) -> Arc<Hanging> {
    static HANGS: LazyLock<Mutex<HashMap<String, Arc<Hanging>>>> = LazyLock::new(Mutex::default);
    let mut hangs = HANGS.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || Hanging {
        began: Semaphore::new(0),
        ended: Semaphore::new(0),
    };
    Arc::clone(hangs.entry(name).or_insert_with(|| Arc::new(new())))
}

/// Answers nothing until the client is gone.
pub(crate) async fn hang(Path(name): Path<String>, Query(asked): Asked) -> Response {
    let hanging = named(name);
    let end = End(Arc::clone(&hanging));
    hanging.began.add_permits(1);
    if asked.contains_key("start") {
        let started = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"started"))]);
        let forever = stream::pending().map(move |never| {
            let _kept = &end;
            never
        });
        return Body::from_stream(started.chain(forever)).into_response();
    }
    std::future::pending().await
}

/// Answers once the hanging request of this name is here.
pub(crate) async fn hang_began(Path(name): Path<String>) -> StatusCode {
    let hanging = named(name);
    let _kept_open = hanging.began.acquire().await.unwrap();
    StatusCode::NO_CONTENT
}

/// Answers once the hanging request of this name has lost its client.
pub(crate) async fn hang_ended(Path(name): Path<String>) -> StatusCode {
    let hanging = named(name);
    let _kept_open = hanging.ended.acquire().await.unwrap();
    StatusCode::NO_CONTENT
}

/// Breaks the connection: before the head, or in the middle of the body once its gate opens.
pub(crate) async fn abort(Query(asked): Asked) -> Response {
    let broken = || Err(io::Error::other("the app was asked to abort"));
    let Some(name) = asked.get("gate") else {
        return Body::from_stream(stream::iter([broken() as io::Result<Bytes>])).into_response();
    };
    let gate = gate(name);
    let beginning = stream::iter([Ok(Bytes::from_static(b"the rest never comes"))]);
    let end = stream::once(async move {
        gate.acquire().await.unwrap().forget();
        broken()
    });
    let length = [(header::CONTENT_LENGTH, 1000)];
    (length, Body::from_stream(beginning.chain(end))).into_response()
}

/// Writes lines to both of the process's outputs.
pub(crate) async fn write_out(Query(asked): Asked) -> StatusCode {
    let text = asked.get("text").map_or("", String::as_str);
    let lines = asked.get("lines").map_or(1, |lines| lines.parse().unwrap());
    let (mut out, mut err) = (io::stdout(), io::stderr());
    for line in 0..lines {
        writeln!(out, "stdout {line} {text}").unwrap();
        writeln!(err, "stderr {line} {text}").unwrap();
    }
    StatusCode::NO_CONTENT
}

/// Ends the process, once its answer had time to leave.
pub(crate) async fn exit(Query(asked): Asked) -> StatusCode {
    let code = asked.get("code").map_or(0, |code| code.parse().unwrap());
    tokio::spawn(async move {
        sleep(Duration::from_millis(50)).await;
        process::exit(code);
    });
    StatusCode::ACCEPTED
}

/// Ends the process at once, and badly.
pub(crate) async fn crash() -> StatusCode {
    process::abort();
}
