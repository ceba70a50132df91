//! An app that understands nothing but the strictest HTTP/1.1, and writes down what it was sent.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub(crate) const TOKEN: &str = "the-right-token";

/// What ends a connection whose coming is waited for.
const LAST: &[u8] = b"LAST";

/// The app: what it saw, one line for each request.
#[derive(Clone, Default)]
pub(crate) struct App {
    seen: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

impl App {
    pub(crate) fn start(listener: TcpListener) -> Self {
        let app = Self::default();
        let accepting = app.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.open.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        app
    }

    /// The requests that came, in the order in which they were whole, once all connections to `address`, where the app
    /// listens, are closed. One that broke off is `BROKEN`, and what is not well-formed `BAD`.
    pub(crate) async fn seen(&self, address: SocketAddr) -> Vec<String> {
        let mut last = TcpStream::connect(address).await.unwrap();
        last.write_all(LAST).await.unwrap();
        // Connections are taken in their order: when this one is closed, all others were taken.
        let _ = last.read_u8().await;
        while self.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.seen.lock().unwrap().clone()
    }

    async fn serve(self, stream: TcpStream) {
        if let Err(end) = self.requests(stream).await {
            self.seen.lock().unwrap().push(end);
        }
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    /// Answers requests until the connection ends, or else says what it ended in.
    async fn requests(&self, mut stream: TcpStream) -> Result<(), String> {
        let (mut bytes, mut continued) = (Vec::new(), false);
        while bytes != LAST {
            let found = parse(&bytes)
                .map_err(|why| format!("BAD {why}: {:?}", String::from_utf8_lossy(&bytes)))?;
            match found {
                Found::Whole {
                    shown,
                    length,
                    switch: Some(proof),
                } => {
                    bytes.drain(..length);
                    let tunnel = switch(&mut stream, &proof, bytes).await;
                    self.seen
                        .lock()
                        .unwrap()
                        .push(format!("{shown} | {tunnel}"));
                    return Ok(());
                }
                Found::Whole { shown, length, .. } => {
                    bytes.drain(..length);
                    self.seen.lock().unwrap().push(shown);
                    continued = false;
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    // Whoever gave up needs no answer.
                    let _ = stream.write_all(answer).await;
                    continue;
                }
                Found::Part { expects: true } if !continued => {
                    continued = true;
                    let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
                }
                Found::Part { .. } => {}
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return bytes.is_empty().then_some(()).ok_or("BROKEN".to_owned());
            }
        }
        Ok(())
    }
}

/// Becomes a tunnel, and gives what came by it until the client ended it, `begun` before all.
async fn switch(stream: &mut TcpStream, proof: &str, mut begun: Vec<u8>) -> String {
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {proof}\r\n\r\n"
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.read_to_end(&mut begun).await;
    lossy(&begun)
}

enum Found {
    Whole {
        shown: String,
        length: usize,
        /// What proves that it is understood, where it asks for a WebSocket at `/tunnel`.
        switch: Option<String>,
    },
    Part {
        expects: bool,
    },
}

type Flaw = String;

fn parse(bytes: &[u8]) -> Result<Found, Flaw> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return Ok(Found::Part { expects: false });
    };
    let head = text(&bytes[..end])?;
    let (line, fields) = head.split_once("\r\n").ok_or("no fields")?;
    let mut line = request_line(line)?;
    let fields = fields
        .split("\r\n")
        .map(field)
        .collect::<Result<Vec<_>, _>>()?;
    let framing = judge(&fields)?;
    let proof = websocket(&fields)?;
    let switch = proof.clone().filter(|_| line == "GET /tunnel");
    if proof.is_some() {
        line += " as websocket";
    }
    let start = end + 4;
    let body = match framing {
        Framing::Length(length) => bytes
            .get(start..start + length)
            .map(|body| (lossy(body), start + length)),
        Framing::Chunked => chunks(bytes, start)?,
    };
    Ok(match body {
        Some((body, length)) => Found::Whole {
            shown: format!("{line} {body}").trim_end().to_owned(),
            length,
            switch,
        },
        None => Found::Part {
            expects: value(&fields, "expect").is_some(),
        },
    })
}

fn request_line(line: &str) -> Result<String, Flaw> {
    let parts: Vec<_> = line.split(' ').collect();
    let [method, target, "HTTP/1.1"] = parts[..] else {
        return Err(format!("request line {line:?}"));
    };
    let visible = target.bytes().all(|byte| byte > 0x20 && byte != 0x7f);
    let formed = target.starts_with('/') || (target == "*" && method == "OPTIONS");
    if !is_token(method) || !visible || !formed {
        return Err(format!("request line {line:?}"));
    }
    Ok(format!("{method} {target}"))
}

fn field(line: &str) -> Result<(&str, &str), Flaw> {
    let (name, value) = line
        .split_once(": ")
        .or_else(|| line.strip_suffix(':').map(|name| (name, "")))
        .ok_or_else(|| format!("field {line:?}"))?;
    let clean = value.chars().all(|c| c == '\t' || !c.is_control());
    if is_token(name) && clean && value.trim() == value {
        Ok((name, value))
    } else {
        Err(format!("field {line:?}"))
    }
}

/// What proves that a request for a WebSocket with a sound key was understood; an upgrade is to nothing else, and has no
/// body.
fn websocket(fields: &[(&str, &str)]) -> Result<Option<String>, Flaw> {
    let upgrade = value(fields, "upgrade");
    if upgrade.is_some() != (value(fields, "connection") == Some("Upgrade")) {
        return Err("half an upgrade".to_owned());
    }
    let Some(protocol) = upgrade else {
        return Ok(None);
    };
    let length = value(fields, "content-length").unwrap_or("0");
    if protocol != "websocket" || length != "0" || value(fields, "transfer-encoding").is_some() {
        return Err(format!("upgrade to {protocol:?} with {length} bytes"));
    }
    let mut keys = fields
        .iter()
        .filter(|(name, _)| *name == "sec-websocket-key");
    let (key, more) = (keys.next(), keys.next());
    if more.is_some() {
        return Err("two keys".to_owned());
    }
    let sound = |key: &&str| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16);
    let key = key.map(|(_, key)| *key).filter(sound);
    Ok(key.map(|key| derive_accept_key(key.as_bytes())))
}

enum Framing {
    Length(usize),
    Chunked,
}

/// What the module promises of every head, whatever the client sent.
fn judge(fields: &[(&str, &str)]) -> Result<Framing, Flaw> {
    for (name, _) in fields {
        let count = fields.iter().filter(|(other, _)| other == name).count();
        if is_managed(name) && count != 1 {
            return Err(format!("{name} comes {count} times"));
        }
        // Where an underscore is a dash, it would be the same field.
        if name.contains('_') && is_managed(&name.replace('_', "-")) {
            return Err(format!("{name} is an alias"));
        }
    }
    let want = |name, check: &dyn Fn(&str) -> bool| match value(fields, name) {
        Some(value) if check(value) => Ok(()),
        other => Err(format!("{name} is {other:?}")),
    };
    want("ms-aspnetcore-token", &|value| value == TOKEN)?;
    want("x-forwarded-for", &|value| value.starts_with("127.0.0.1:"))?;
    want("x-forwarded-proto", &|value| value == "http")?;
    want("host", &|_| true)?;
    let ours = [
        "ms-aspnetcore-token",
        "x-forwarded-for",
        "x-forwarded-proto",
    ];
    let others = fields.iter().map(|(name, _)| *name);
    for name in others.filter(|name| !ours.contains(name)) {
        let forged = name.starts_with("ms-aspnetcore") || name.starts_with("x-forwarded");
        let hop = [
            "forwarded",
            "keep-alive",
            "proxy-connection",
            "http2-settings",
        ];
        if forged || hop.contains(&name) {
            return Err(format!("{name} passed"));
        }
    }
    match value(fields, "connection") {
        None | Some("TE" | "Upgrade") => {}
        Some(other) => return Err(format!("connection is {other:?}")),
    }
    match (
        value(fields, "content-length"),
        value(fields, "transfer-encoding"),
    ) {
        (None, None) => Ok(Framing::Length(0)),
        (Some(length), None) if length.bytes().all(|byte| byte.is_ascii_digit()) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| "length".into()),
        (None, Some("chunked")) => Ok(Framing::Chunked),
        both => Err(format!("framed as {both:?}")),
    }
}

/// The names that decide where a message ends, where it came from and whether it is believed.
fn is_managed(name: &str) -> bool {
    name.starts_with("ms-aspnetcore")
        || name.starts_with("x-forwarded")
        || [
            "host",
            "content-length",
            "transfer-encoding",
            "connection",
            "te",
            "upgrade",
            "expect",
            "forwarded",
        ]
        .contains(&name)
}

/// The body and its end.
fn chunks(bytes: &[u8], mut at: usize) -> Result<Option<(String, usize)>, Flaw> {
    let mut body = String::new();
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = text(&bytes[at..at + line])?;
        let plain = size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| plain);
        let size = size.ok_or("chunk size")?;
        at += line + 2;
        if size == 0 {
            return trailers(bytes, at).map(|end| end.map(|(said, end)| (body + &said, end)));
        }
        let Some(data) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        let data = data.strip_suffix(b"\r\n").ok_or("chunk end")?;
        body += &lossy(data);
        at += size + 2;
    }
}

fn trailers(bytes: &[u8], mut at: usize) -> Result<Option<(String, usize)>, Flaw> {
    let mut said = String::new();
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let text = text(&bytes[at..at + line])?;
        at += line + 2;
        if text.is_empty() {
            return Ok(Some((said, at)));
        }
        let (name, value) = field(text)?;
        if is_managed(&name.replace('_', "-")) {
            return Err(format!("trailer {name}"));
        }
        said += &format!("+{name}={value}");
    }
}

fn value<'a>(fields: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(have, _)| *have == name);
    found.map(|(_, value)| *value)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|part| part == what)
}

fn is_token(text: &str) -> bool {
    let other = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || other(byte))
}

fn text(bytes: &[u8]) -> Result<&str, Flaw> {
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
