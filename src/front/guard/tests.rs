//! What passes unchanged, what is refused and where, however the bytes are split.

use super::*;

/// What became of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    guard: Guard,
    bytes: Vec<u8>,
    /// How many bytes hyper may see.
    passed: usize,
}

/// Watches the pieces one after another, until one of them does not pass whole.
fn watch(pieces: &[&[u8]]) -> Seen {
    let mut guard = Guard::new();
    let (mut bytes, mut passed) = (Vec::new(), 0);
    let mut held = false;
    for piece in pieces {
        let mut piece = piece.to_vec();
        if !held {
            let some = guard.watch(&mut piece);
            held = some < piece.len();
            passed += some;
        }
        bytes.extend(piece);
    }
    Seen {
        guard,
        bytes,
        passed,
    }
}

/// The same, after it was seen to be the same however the input is split.
fn watch_every_split(input: &[u8]) -> Seen {
    let whole = watch(&[input]);
    for at in 0..=input.len() {
        let (one, two) = input.split_at(at);
        assert_eq!(watch(&[one, two]), whole, "{} split at {at}", show(input));
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(watch(&bytes), whole, "{} byte by byte", show(input));
    whole
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Where a `^` stands in the text, and the text without it.
fn marked(text: &str) -> (usize, Vec<u8>) {
    let at = text.find('^').expect("a mark");
    (at, text.replacen('^', "", 1).into_bytes())
}

const NEXT: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
/// Would be refused anywhere but in a body or a value.
const BOTH: &str = "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n";

#[test]
fn legal_requests_pass_and_the_next_one_is_found() {
    for request in [
        NEXT.to_owned(),
        "\r\n\n\r\nGET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\nhost: a\n\n".to_owned(),
        "GET /content-length:/transfer-encoding: HTTP/1.1\r\n\r\n".to_owned(),
        "C / HTTP/1.1\r\n\r\n".to_owned(),
        "CONNECTED / HTTP/1.1\r\n\r\n".to_owned(),
        // The words as values, as parts of names, as names with another end.
        "GET / HTTP/1.1\r\nx: content-length: 5\r\nx: transfer-encoding: chunked\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nx-content-length: 5\r\ntransfer-encodings: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\ncontent-lengt: 5\r\ntransfer_encoding: chunked\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nconnection: content-length, transfer-encoding\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nte: trailers\r\nc:\r\nt:\r\nupgrade-insecure-requests: 1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nContent-Length:\t 000 \t\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\nCONTENT-LENGTH:3\n\n\r\n\r".to_owned(),
        "POST / HTTP/1.1\r\ncontent-length: 3\r\ncontent-length: 03\r\n\r\na\n\n".to_owned(),
        format!("POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{BOTH}", BOTH.len()),
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\nTransfer-Encoding: \t ChunkeD\t\r\n\r\n00\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\ntransfer-encoding:chunked\n\n000\t ;x=\"y\"\r\n\r\n".to_owned(),
        format!(
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{:X}\r\n{BOTH}\r\n{:x};{}\r\n{BOTH}\r\n0 \t\r\n\r\n",
            BOTH.len(),
            BOTH.len(),
            "content-length: 5"
        ),
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\nx\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\n\r\nPOST / HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        let seen = watch_every_split(request.as_bytes());
        assert_eq!(seen.bytes, request.as_bytes());
        assert_eq!(seen.passed, request.len());
        assert_eq!(seen.guard.state, State::Start, "{request:?}");
        assert_eq!(seen.guard.requests(), 1, "{request:?}");

        let then = format!("{request}{}", BOTH.replacen("g:", "g^:", 1));
        let (at, bytes) = marked(&then);
        let seen = watch_every_split(&bytes);
        assert_eq!(seen.guard.refusal(), Some(Refusal::LengthAndCoding), "{then:?}");
        assert_eq!(seen.bytes[at], POISON, "{then:?}");
    }
}

#[test]
fn refuses_at_the_first_byte_that_decides() {
    let (both, coding, length) = (Refusal::LengthAndCoding, Refusal::Coding, Refusal::Length);
    for (fields, want) in [
        // The `^` stands before the byte that is overwritten.
        ("content-length: 5\r\ntransfer-encoding^: chunked\r\n", both),
        ("transfer-encoding: chunked\r\ncontent-length^: 5\r\n", both),
        ("Content-Length: 0\r\nTransfer-Encoding^:\r\n", both),
        (
            "cOnTeNt-LeNgTh:5\nhost: a\ntRaNsFeR-eNcOdInG^:chunked\n",
            both,
        ),
        (
            "TRANSFER-ENCODING: chunked\r\nhost: a\r\nCONTENT-LENGTH^:x\r\n",
            both,
        ),
        (
            "upgrade: h2c\r\ncontent-length: 5\r\ntransfer-encoding^:\r\n",
            both,
        ),
        (
            "content-length: 1\r\ncontent-length: 1\r\ntransfer-encoding^:\r\n",
            both,
        ),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding^: chunked\r\n",
            coding,
        ),
        ("transfer-encoding: chunked^, chunked\r\n", coding),
        ("transfer-encoding: ^gzip, chunked\r\n", coding),
        ("transfer-encoding: ^identity\r\n", coding),
        ("transfer-encoding: chunk\r^\n", coding),
        ("transfer-encoding: chunk^\n", coding),
        ("transfer-encoding: chunked^d\r\n", coding),
        ("transfer-encoding: chunked ^x\r\n", coding),
        ("transfer-encoding: chunked\r^x\n", coding),
        ("transfer-encoding: ^\u{b}chunked\r\n", coding),
        ("transfer-encoding:^\r\n", coding),
        ("transfer-encoding: ^\n", coding),
        ("transfer-encoding: ^\"chunked\"\r\n", coding),
        ("content-length:^\r\n", length),
        ("content-length: ^+5\r\n", length),
        ("content-length: ^-5\r\n", length),
        ("content-length: 0^x5\r\n", length),
        ("content-length: 5^, 5\r\n", length),
        ("content-length: 5 ^5\r\n", length),
        ("content-length: 5\r^5\r\n", length),
        (
            "content-length: 18446744073709551615\r\ncontent-length: 1844674407370955161^6\r\n",
            length,
        ),
        ("content-length: 5\r\ncontent-length: 6\r^\n", length),
        ("content-length: 5\ncontent-length: 6^\n", length),
    ] {
        let (at, bytes) = marked(&format!("{NEXT}POST / HTTP/1.1\r\n{fields}\r\nabcde"));
        let mut poisoned = bytes.clone();
        poisoned[at] = POISON;
        let seen = watch_every_split(&bytes);
        assert_eq!(seen.guard.refusal(), Some(want), "{fields:?}");
        assert_eq!(show(&seen.bytes), show(&poisoned));
        assert_eq!(seen.passed, bytes.len());
    }
}

#[test]
fn what_hyper_gives_up_on_is_not_followed() {
    for (head, rest) in [
        ("", "x\r\n"),
        ("", "\r\n"),
        ("", "+1\r\n"),
        ("", "1x\r\n"),
        ("", "1\n"),
        ("", "1 1\r\n"),
        ("", "1;x\n"),
        ("", "1\rx"),
        ("", "fffffffffffffffff\r\n"),
        ("", "1\r\nab"),
        ("", "1\r\na\rb"),
        ("", "0\r\nx: y\rz"),
        ("", "0\r\n\rx"),
        ("x: y\r\n\rx", ""),
    ] {
        let text =
            format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n{head}\r\n{rest}{BOTH}");
        let seen = watch_every_split(text.as_bytes());
        assert_eq!(seen.guard.state, State::Off, "{text:?}");
        assert_eq!(show(&seen.bytes), show(text.as_bytes()));
    }
}

#[test]
fn sizes_at_the_edge() {
    let long = format!(
        "POST / HTTP/1.1\r\ncontent-length: {}\r\n\r\n{BOTH}",
        u64::MAX
    );
    let seen = watch_every_split(long.as_bytes());
    let left = u64::MAX - BOTH.len() as u64;
    assert_eq!(seen.guard.state, State::Body(left));

    let chunk = format!(
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{BOTH}",
        u64::MAX
    );
    let seen = watch_every_split(chunk.as_bytes());
    assert_eq!(seen.guard.state, State::Chunks(Chunk::Data(left)));
}

#[test]
fn what_follows_a_request_that_may_switch_waits_for_the_answer() {
    for request in [
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nuPGRADE:\n\n",
        "CONNECT a:1 HTTP/1.1\r\n\r\n",
        "\r\nCONNECT a:1 HTTP/1.1\r\ncontent-length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nupgrade: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ] {
        let text = format!("{NEXT}{request}{BOTH}");
        let mut seen = watch_every_split(text.as_bytes());
        let place = NEXT.len() + request.len();
        assert_eq!(seen.passed, place, "{request:?}");
        assert!(seen.guard.awaits_answer());
        assert_eq!(seen.guard.requests(), 2);
        assert_eq!(show(&seen.bytes), show(text.as_bytes()));
        let held = &mut seen.bytes[place..];

        let mut tunnel = seen.guard.clone();
        tunnel.stop();
        assert_eq!(tunnel.watch(held), held.len());
        assert_eq!(show(held), show(BOTH.as_bytes()));
        tunnel.go_on();
        assert_eq!(tunnel.state, State::Off, "a tunnel never ends");

        seen.guard.go_on();
        assert_eq!(seen.guard.watch(held), held.len());
        assert_eq!(seen.guard.refusal(), Some(Refusal::LengthAndCoding));
        assert!(held.contains(&POISON));
    }
}

#[test]
fn an_answer_means_nothing_to_who_does_not_wait_for_it() {
    let mut guard = Guard::new();
    guard.watch(&mut b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\n".to_owned());
    guard.go_on();
    assert_eq!(guard.state, State::Body(9));
}

#[test]
fn http2_is_not_watched() {
    let mut guard = Guard::off();
    let mut bytes = BOTH.as_bytes().to_vec();
    assert_eq!(guard.watch(&mut bytes), bytes.len());
    assert_eq!(bytes, BOTH.as_bytes());
}
