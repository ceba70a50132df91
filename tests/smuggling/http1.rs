//! The table for HTTP/1: each row is said in one go, with one more request behind it.

use crate::{app::TOKEN, site::Site};

/// Follows every row: where it is the app's, what came before it ended where everybody thinks it did.
const END: &str = "GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Want {
    /// Answered with this status and the end of the connection; the app sees nothing.
    Refused(u16),
    /// The app sees this and then the last request, whole and well-formed.
    One(&'static str),
    /// The app sees these and then the last request.
    Several(&'static [&'static str]),
    /// Breaks off within its body: the app sees that, and nothing behind it.
    BreaksOff,
}

use Want::{BreaksOff, One, Refused, Several};

/// What a row says, with `{}` for what is not short.
type Row = (&'static str, Want);

const LENGTHS: &[Row] = &[
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        One("POST / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        One("POST / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc",
        One("POST / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3 0\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3.0\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \"3\"\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551619\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n 0\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\n Content-Length: 3\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-\0Length: 3\r\n\r\nabc",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent_Length: 3\r\n\r\n",
        One("POST /"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        One("GET / abc"),
    ),
    (
        "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        One("HEAD / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Content-Length\r\nContent-Length: 3\r\n\r\nabc",
        One("POST / abc"),
    ),
];

const CODINGS: &[Row] = &[
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        One("POST / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING:\tCHUNKED \r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        One("POST / abc"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        One("GET / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=0\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun\r\n ked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\rX: y\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n",
        One("POST /"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        One("POST / a"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        One("POST / a"),
    ),
];

/// What follows a head that says `Transfer-Encoding: chunked`.
const CHUNKS: &[Row] = &[
    ("3;ext=\"x\"\r\nabc\r\n0;y\r\n\r\n", One("POST / abc")),
    ("003\r\nabc\r\n000\r\n\r\n", One("POST / abc")),
    (
        "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
        One("POST / 01234567890123456789"),
    ),
    ("3 \r\nabc\r\n0\r\n\r\n", One("POST / abc")),
    ("3;a\nabc\r\n0\r\n\r\n", BreaksOff),
    ("3\nabc\r\n0\r\n\r\n", BreaksOff),
    ("3\r\nabc\n0\r\n\r\n", BreaksOff),
    ("3\r\nabc\r\n0\n\n", BreaksOff),
    ("3\r\nabcd\r\n0\r\n\r\n", BreaksOff),
    ("3\r\nab\r\n0\r\n\r\n", BreaksOff),
    ("+3\r\nabc\r\n0\r\n\r\n", BreaksOff),
    ("-3\r\nabc\r\n0\r\n\r\n", BreaksOff),
    ("0x3\r\nabc\r\n0\r\n\r\n", BreaksOff),
    (" 3\r\nabc\r\n0\r\n\r\n", BreaksOff),
    ("3 x\r\nabc\r\n0\r\n\r\n", BreaksOff),
    ("3\r\r\nabc\r\n0\r\n\r\n", BreaksOff),
    ("\r\n3\r\nabc\r\n0\r\n\r\n", BreaksOff),
    ("10000000000000003\r\nabc\r\n0\r\n\r\n", BreaksOff),
    ("fffffffffffffffff\r\nabc\r\n0\r\n\r\n", BreaksOff),
    (
        "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
        One("POST / abc+x-sum=1"),
    ),
    (
        "3\r\nabc\r\n0\r\nMS-ASPNETCORE-TOKEN: x\r\nX-Sum: 1\r\n\r\n",
        One("POST / abc+x-sum=1"),
    ),
    (
        "3\r\nabc\r\n0\r\nMs_AspNetCore_Token: x\r\nX-Forwarded-For: x\r\n\r\n",
        One("POST / abc"),
    ),
    (
        "3\r\nabc\r\n0\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n",
        One("POST / abc"),
    ),
    ("3\r\nabc\r\n0\r\nX : 1\r\n\r\n", BreaksOff),
    ("3\r\nabc\r\n0\r\n X: 1\r\n\r\n", BreaksOff),
];

const LINES: &[Row] = &[
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\nZ: 1\r\n\r\n",
        One("GET /"),
    ),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", One("GET /")),
    (
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        Several(&["GET /", "GET /2"]),
    ),
    ("get / HTTP/1.1\r\nHost: a\r\n\r\n", One("get /")),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", Refused(400)),
    ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", One("GET /a")),
    ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/11\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET /\r\n\r\n", Refused(400)),
    ("GET /\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", Refused(400)),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        Refused(400),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\tz\r\n\r\n",
        Refused(400),
    ),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \x08\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\rHost: a\r\n\r\n", Refused(400)),
    // The prefaces of other protocols, whole or in part.
    ("PRI * HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Refused(400)),
    ("PRI * HTTP/2.0\r\nHost: a\r\n\r\n", Refused(400)),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", Refused(400)),
    (
        "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
];

const TARGETS: &[Row] = &[
    (
        "GET /%2e%2e/a%2Fb;c?d=%20&e=[f] HTTP/1.1\r\nHost: a\r\n\r\n",
        One("GET /%2e%2e/a%2Fb;c?d=%20&e=[f]"),
    ),
    (
        "GET //evil/.. HTTP/1.1\r\nHost: a\r\n\r\n",
        One("GET //evil/.."),
    ),
    (
        "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
        One("GET /x?y"),
    ),
    (
        "GET HTTP://A:80/x HTTP/1.1\r\nHost: a:80\r\n\r\n",
        One("GET /x"),
    ),
    ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", One("GET /")),
    ("GET http://a# HTTP/1.1\r\nHost: a\r\n\r\n", One("GET /")),
    ("GET http://a#/x HTTP/1.1\r\nHost: a\r\n\r\n", One("GET /")),
    (
        "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
        One("OPTIONS /"),
    ),
    (
        "OPTIONS http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        One("OPTIONS /"),
    ),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", One("OPTIONS *")),
    ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET http://a/ HTTP/1.1\r\n\r\n", Refused(400)),
    ("GET http://a/ HTTP/1.1\r\nHost:\r\n\r\n", Refused(400)),
    ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    (
        "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n",
        Refused(400),
    ),
    ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    (
        "GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    ("GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", Refused(400)),
    ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET ?x HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET *x HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", Refused(400)),
    ("GET / HTTP/1.1\r\nHost: a\\b\r\n\r\n", Refused(400)),
    (
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        One("GET /"),
    ),
    ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", Refused(405)),
    ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(405)),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", Refused(405)),
];

const NAMES: &[Row] = &[
    (
        "GET / HTTP/1.1\r\nHost: a\r\nMS-ASPNETCORE-TOKEN: x\r\nms-aspnetcore-token: y\r\n\r\n",
        One("GET /"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nMS_ASPNETCORE_TOKEN: x\r\nMs-AspNetCore_Anything: y\r\n\r\n",
        One("GET /"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nMS-ASPNETCORE-TOKEN : x\r\n\r\n",
        Refused(400),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: MS-ASPNETCORE-TOKEN, X-Forwarded-For, Host\r\n\r\n",
        One("GET /"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: x-forwarded-proto\r\n\r\n",
        Several(&["GET /"]),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\nX_Forwarded_For: 2\r\nForwarded: for=3\r\n\r\n",
        One("GET /"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nx-forwarded_host: b\r\nHTTP_HOST: c\r\n\r\n",
        One("GET /"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers, gzip\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n\r\n",
        One("GET /"),
    ),
];

const SWITCHES: &[Row] = &[
    // Nothing of what stands behind is a tunnel's before the app says so, and it never does.
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        Several(&["GET /", "GET /2"]),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
        One("GET / abc"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        One("GET / a"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        One("GET /"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        BreaksOff,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: TLS/1.0, websocket\r\nContent-Length: 1\r\n\r\na",
        One("POST / a"),
    ),
    (
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabc",
        Refused(405),
    ),
];

const EXPECTATIONS: &[Row] = &[
    (
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
        One("POST / abc"),
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        One("GET /"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue, x\r\nContent-Length: 3\r\n\r\nabc",
        One("POST / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\nContent-Length: 3\r\n\r\nabc",
        One("POST / abc"),
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nExpect:\r\nContent-Length: 3\r\n\r\nabc",
        One("POST / abc"),
    ),
];

fn shown(text: &str) -> String {
    text.chars()
        .take(200)
        .flat_map(char::escape_default)
        .collect()
}

/// Plays one row, and says how it went wrong, if it did.
async fn play(bytes: &[u8], want: Want) -> Result<(), String> {
    let site = Site::start().await;
    let said = site.exchange(&[bytes, END.as_bytes()].concat()).await;
    let said = String::from_utf8_lossy(&said).into_owned();
    let seen = site.end().await;
    let statuses: Vec<u16> = said
        .split("HTTP/1.")
        .skip(1)
        .filter_map(|answer| answer.get(2..5)?.parse().ok())
        .filter(|&status| status != 100)
        .collect();
    let fine = match want {
        Refused(status) => seen.is_empty() && statuses == [status],
        BreaksOff => {
            let refused = |status: &u16| (400..500).contains(status) || *status == 200;
            let bad = |line: &String| line.starts_with("BAD") || line.starts_with("GET /end");
            statuses.len() <= 2 && statuses.iter().all(refused) && !seen.iter().any(bad)
        }
        One(one) => seen == [one, "GET /end"] && statuses == [200, 200],
        Several(several) => {
            let all = seen.split_last().map(|(_, before)| before);
            seen == [several, &["GET /end"]].concat()
                || (seen == several && all.is_some() && said.contains("onnection: close"))
        }
    };
    let told = || format!("{want:?}, but the app saw {seen:?} and the client {statuses:?}");
    fine.then_some(()).ok_or_else(told)
}

async fn play_all(rows: impl IntoIterator<Item = (Vec<u8>, Want)>) {
    let mut wrong = Vec::new();
    for (bytes, want) in rows {
        if let Err(why) = play(&bytes, want).await {
            wrong.push(format!(
                "{}\n    {why}",
                shown(&String::from_utf8_lossy(&bytes))
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn plain(rows: &[Row]) -> impl Iterator<Item = (Vec<u8>, Want)> {
    rows.iter()
        .map(|(text, want)| (text.as_bytes().to_vec(), *want))
}

#[tokio::test]
async fn lengths_mean_one_thing_or_are_refused() {
    play_all(plain(LENGTHS)).await;
}

#[tokio::test]
async fn codings_mean_one_thing_or_are_refused() {
    play_all(plain(CODINGS)).await;
}

#[tokio::test]
async fn chunks_are_cut_anew_or_break_off() {
    const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, host, content-length, \
                        transfer-encoding, ms-aspnetcore-token, ms_aspnetcore_token, x-forwarded-for\r\n\r\n";
    let whole = |(bytes, want): (Vec<u8>, Want)| ([HEAD.as_bytes(), &bytes].concat(), want);
    play_all(plain(CHUNKS).map(whole)).await;
}

#[tokio::test]
async fn lines_end_where_everybody_sees_it_or_are_refused() {
    play_all(plain(LINES)).await;
}

#[tokio::test]
async fn targets_and_hosts_are_one_or_are_refused() {
    play_all(plain(TARGETS)).await;
}

/// hyper's URIs have none of these there, and RFC 3986 nowhere. Others that it does not have pass as they are.
#[tokio::test]
async fn characters_that_no_uri_has_are_refused() {
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    let refused = ["/?\"", "/?<", "/?>", "/<", "/>", "/`"];
    play_all(refused.map(|target| (get(target), Refused(400)))).await;
    let no_text = b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    play_all([(no_text, Refused(400))]).await;
    let passes = [
        "GET /\"{}|^\\[]",
        "GET /?{}|^`\\[]'",
        "GET /é?é",
        "GET /%zz%",
        "GET /!$&'()*+,;=:@-._~",
    ];
    let row = |line: &'static str| (get(line.strip_prefix("GET ").unwrap()), One(line));
    play_all(passes.map(row)).await;
}

#[tokio::test]
async fn nobody_says_what_the_module_says() {
    play_all(plain(NAMES)).await;
}

#[tokio::test]
async fn nothing_passes_behind_a_switch_that_was_not_granted() {
    play_all(plain(SWITCHES)).await;
}

#[tokio::test]
async fn expectations_are_for_the_app_to_judge() {
    play_all(plain(EXPECTATIONS)).await;
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let head = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes();
    let long = "x".repeat(70_000);
    play_all([
        (head(&format!("X: {long}\r\n")), Refused(431)),
        (head(&format!("{long}: x\r\n")), Refused(431)),
        (head(&"X: y\r\n".repeat(101)), Refused(431)),
        (head(&"X: y\r\n".repeat(98)), One("GET /")),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
            Refused(431),
        ),
        (
            format!("{long} / HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
            Refused(431),
        ),
    ])
    .await;
}

#[tokio::test]
async fn the_secret_is_nobodys_guess() {
    let site = Site::start().await;
    let guess = format!("GET / HTTP/1.1\r\nHost: a\r\nMS-ASPNETCORE-TOKEN: {TOKEN}\r\n\r\n{END}");
    site.exchange(guess.as_bytes()).await;
    assert_eq!(site.end().await, ["GET /", "GET /end"]);
}
