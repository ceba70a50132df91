//! The requests: what the module, a client that fools it, or a stranger on the loopback would send.

use std::fmt::Write as _;

use crate::{dice::Dice, hosted::TOKEN};

/// Where an app is mounted, and how that looks in a request.
#[derive(Debug)]
pub(crate) struct Place {
    /// As the module says it.
    pub(crate) path_base: &'static str,
    /// As clients write it.
    pub(crate) written: &'static str,
    pub(crate) authentication: &'static str,
}

pub(crate) const PLACES: [Place; 3] = [
    Place {
        path_base: "/",
        written: "",
        authentication: "anonymous;",
    },
    Place {
        path_base: "/Shop/eu",
        written: "/Shop/eu",
        authentication: "anonymous;",
    },
    Place {
        path_base: "/my app",
        written: "/my%20app",
        authentication: "windows;anonymous;",
    },
];

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) place: &'static Place,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) query: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'static str,
}

const METHODS: [&str; 14] = [
    "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "DEBUG", "debug",
    "PROPFIND", "post", "M-SEARCH",
];
const SEGMENTS: [&str; 26] = [
    "a",
    "B",
    "%41",
    "a%20b",
    "%2F",
    "%2f",
    "%252F",
    "%C3%A9",
    "%c3",
    "%E2%82%AC",
    "%zz",
    "%",
    "%4",
    "a+b",
    "a;b=c",
    "a,b",
    "~",
    ".",
    "..",
    "%2e%2e",
    "...",
    "iisintegration",
    "a:b",
    "@",
    "!$&'()*",
    "",
];
const QUERIES: [&str; 10] = [
    "",
    "",
    "",
    "?",
    "?a=1",
    "?a=1&a=2",
    "?a=%20+b",
    "?/?",
    "?a=%2F..%2F",
    "?q=%zz&%",
];
const ADDRESSES: [&str; 44] = [
    "192.0.2.7",
    "192.0.2.7:4711",
    "192.0.2.7:0",
    "192.0.2.7:65535",
    "192.0.2.7:65536",
    "192.0.2.7:",
    "192.0.2.7:x",
    "192.0.2.7:-1",
    "192.0.2.7:+1",
    "192.0.2.7:007",
    "127.0.0.1",
    "127.0.0.1:80",
    "10.0.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "256.0.0.1",
    "1.2.3",
    "1",
    "0x7f.0.0.1",
    "010.0.0.1",
    "1.2.3.4.5",
    "::1",
    "[::1]",
    "[::1]:443",
    "[::1]:",
    "[::1]443",
    "[::1",
    "::1]",
    "2001:db8::17",
    "[2001:db8:cafe::17]:4711",
    "2001:db8:cafe::17:4711",
    "::ffff:192.0.2.7",
    "[::ffff:192.0.2.7]:80",
    "::192.0.2.7",
    "fe80::1%3",
    "[fe80::1%3]:80",
    "unknown",
    "_hidden",
    "localhost",
    "\"192.0.2.7:80\"",
    "\"[::1]:80\"",
    "\"192.0.2.7",
    "",
    "192.0.2.7 :80",
];
const SCHEMES: [&str; 14] = [
    "https",
    "http",
    "HTTPS",
    "Https",
    "hTTp",
    "wss",
    "ftp",
    "http+x",
    "",
    "ht tp",
    "https:",
    "http/1",
    "\"https\"",
    "\"https",
];
const HOSTS: [&str; 8] = [
    "shop.example",
    "shop.example:8080",
    "SHOP.example",
    "192.0.2.1",
    "192.0.2.1:80",
    "[::1]",
    "[::1]:5000",
    "a_b",
];
/// Of which a server may refuse some before anybody looks at the rest.
const ODD_HOSTS: [&str; 32] = [
    "",
    ":80",
    "a:",
    "a:b",
    "a:1:2",
    "a:99999",
    "a:007",
    "a b",
    "a,b",
    "a/b",
    "a@b",
    "a?b",
    "a#b",
    "a\\b",
    "a%20b",
    "a%2f",
    "*",
    "*.a",
    "a=b",
    "a;b",
    "a+b",
    "a(b)!$&'~",
    "[",
    "[]",
    "[::]",
    "[::1",
    "[::1]x",
    "[::1]:",
    "[::1]:x",
    "[g::1]",
    "[::ffff:192.0.2.1]",
    "-",
];

impl Case {
    pub(crate) fn roll(dice: &mut Dice, place: &'static Place) -> Self {
        let mut case = Self {
            place,
            method: dice.pick(&METHODS),
            path: path(dice, place),
            query: dice.pick(&QUERIES),
            headers: vec![("Host", dice.pick(&HOSTS).to_owned())],
            body: dice.pick(&["", "", "hello"]),
        };
        if dice.once_in(20) {
            case.odd_host(dice);
        }
        case.token(dice);
        case.forwarded(dice);
        case.reserved(dice);
        if dice.once_in(12) {
            case.almost_shut_down(dice);
        }
        if dice.once_in(20) {
            case.certificate(dice);
        }
        if case.would_shut_down() {
            case.headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("MS-ASPNETCORE-EVENT"));
        }
        case
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let same = self
            .headers
            .iter()
            .filter(|(have, _)| have.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The bytes of the request.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut text = format!("{} {}{} HTTP/1.1\r\n", self.method, self.path, self.query);
        for (name, value) in &self.headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        if !self.body.is_empty() || matches!(self.method, "POST" | "PUT") {
            write!(text, "Content-Length: {}\r\n", self.body.len()).unwrap();
        }
        write!(text, "\r\n{}", self.body).unwrap();
        text.into_bytes()
    }

    fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.headers.push((name, value.into()));
    }

    /// No host, several, or one that may be none.
    fn odd_host(&mut self, dice: &mut Dice) {
        self.headers.clear();
        match dice.below(8) {
            0 => {}
            1 => {
                self.add("Host", "shop.example");
                self.add("host", dice.pick(&["shop.example", "a", ""]));
            }
            _ => self.add("Host", dice.pick(&ODD_HOSTS)),
        }
    }

    /// The right one, mostly.
    fn token(&mut self, dice: &mut Dice) {
        const NAME: &str = "MS-ASPNETCORE-TOKEN";
        match dice.below(40) {
            0 => {}
            1 => self.add(NAME, ""),
            2 => self.add(NAME, TOKEN.to_uppercase()),
            3 => self.add(NAME, &TOKEN[..TOKEN.len() - 1]),
            4 => self.add(NAME, format!("{TOKEN}0")),
            5 => self.add(NAME, format!("{TOKEN},{TOKEN}")),
            6 | 7 => {
                let second = dice.pick(&[TOKEN, "", "x"]);
                self.add(NAME, TOKEN);
                self.add("ms-aspnetcore-token", second);
            }
            8 => self.add(NAME, format!("\"{TOKEN}\"")),
            9 => self.add(NAME, format!("{TOKEN}\u{e9}")),
            10 => self.add("MS_ASPNETCORE_TOKEN", TOKEN),
            11 => self.add("X-MS-ASPNETCORE-TOKEN", TOKEN),
            12 => self.add(NAME, format!(" \t {TOKEN}\t ")),
            13 => self.add("Ms-AspNetCore-Token", TOKEN),
            _ => self.add(NAME, TOKEN),
        }
    }

    fn forwarded(&mut self, dice: &mut Dice) {
        for (name, entries) in [
            ("X-Forwarded-For", &ADDRESSES as &[&str]),
            ("X-Forwarded-Proto", &SCHEMES),
        ] {
            let lines = match dice.below(8) {
                0 => 0,
                1 => 2,
                2 => 3,
                _ => 1,
            };
            for _ in 0..lines {
                let line = list(dice, entries);
                self.add(name, line);
            }
        }
        for (name, value) in [
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Prefix", "/evil"),
            ("Forwarded", "for=6.6.6.6;proto=https"),
            ("X-Original-For", "6.6.6.6:6"),
            ("X-Original-Proto", "https"),
            ("X-Original-Host", "evil.example"),
            ("X_Forwarded_For", "6.6.6.6"),
        ] {
            if dice.once_in(15) {
                self.add(name, value);
            }
        }
    }

    /// What only the module may send: the app's half believes it with the token, and must not care for the rest.
    fn reserved(&mut self, dice: &mut Dice) {
        for (name, values) in [
            (
                "MS-ASPNETCORE-WINAUTHTOKEN",
                &["3a4", "0", "ffffffff", "zz", ""] as &[&str],
            ),
            ("MS-ASPNETCORE-EVENT", &["", "other", "shutdown"]),
            ("MS-ASPNETCORE-OTHER", &["x"]),
            ("MS-ASPNETCORE", &["x"]),
        ] {
            if dice.once_in(25) {
                let value = dice.pick(values);
                self.add(name, value);
            }
        }
    }

    fn certificate(&mut self, dice: &mut Dice) {
        self.path = format!("{}/client-cert", self.place.written);
        let value = dice.pick(&[
            CERTIFICATE,
            CERTIFICATE,
            "",
            "not base64!",
            "AAAA",
            "MAMCAQE=",
        ]);
        self.add("MS-ASPNETCORE-CLIENTCERT", value);
        if dice.once_in(6) {
            self.add("MS-ASPNETCORE-CLIENTCERT", value);
        }
    }

    /// A shutdown event with something wrong in it.
    fn almost_shut_down(&mut self, dice: &mut Dice) {
        let wrong = dice.below(3);
        let pick = |dice: &mut Dice,
                    is_wrong: bool,
                    right: &'static [&'static str],
                    wrong: &'static [&'static str]| {
            dice.pick(if is_wrong { wrong } else { right })
        };
        self.method = pick(
            dice,
            wrong == 0,
            &["POST"],
            &["PUT", "GET", "PATCH", "OPTIONS", "X-POST"],
        );
        let path = pick(
            dice,
            wrong == 1,
            &["/iisintegration", "/IISIntegration"],
            &[
                "/iisintegration/",
                "/x/iisintegration",
                "/iisintegrations",
                "/iisintegration%2F",
                "//iisintegration",
            ],
        );
        let event = pick(
            dice,
            wrong == 2,
            &["shutdown", "Shutdown", "shutdown "],
            &[
                "",
                "shutdown,shutdown",
                "shutdown now",
                "shut",
                "\"shutdown\"",
                "start",
            ],
        );
        self.path = format!("{}{path}", self.place.written);
        self.headers
            .retain(|(name, _)| *name != "MS-ASPNETCORE-EVENT");
        self.add("MS-ASPNETCORE-EVENT", event);
    }

    /// Whether either of the apps may take it for the real event. Asks too often rather than too rarely.
    fn would_shut_down(&self) -> bool {
        let path = self.path.to_ascii_lowercase();
        let events = self.values("MS-ASPNETCORE-EVENT");
        let is_event =
            matches!(events[..], [event] if event.trim().eq_ignore_ascii_case("shutdown"));
        let almost = [
            "/iisintegration/",
            "/x/iisintegration",
            "/iisintegration%2f",
            "//iisintegration",
        ];
        let is_path = path.ends_with("iisintegration")
            || path.contains("iisintegration/.")
            || path.contains("iisintegration/%2e");
        self.method.eq_ignore_ascii_case("POST")
            && is_event
            && is_path
            && !almost
                .iter()
                .any(|end| path == format!("{}{end}", self.place.written.to_ascii_lowercase()))
    }
}

fn path(dice: &mut Dice, place: &Place) -> String {
    let base = place.written;
    let mut path = match dice.below(16) {
        0 => base.to_uppercase(),
        1 => base.to_lowercase(),
        2 => String::new(),
        3 => format!("{base}x"),
        4 => format!("{base}%2Fx"),
        5 => base.chars().take(base.len().saturating_sub(1)).collect(),
        6 => format!("/x{base}"),
        7 => encode_one(dice, base),
        8 => format!("{base}{base}"),
        9 => format!("/.{base}"),
        10 => format!("/{base}"),
        _ => base.to_owned(),
    };
    for _ in 0..dice.below(4) {
        path.push('/');
        path.push_str(dice.pick(&SEGMENTS));
    }
    if dice.once_in(4) {
        path.push('/');
    }
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    path
}

/// `text` with one of its letters percent-encoded, which means the same (RFC 3986, 6.2.2.2).
fn encode_one(dice: &mut Dice, text: &str) -> String {
    let letters: Vec<_> = text
        .match_indices(|c: char| c.is_ascii_alphabetic())
        .map(|(at, _)| at)
        .collect();
    if letters.is_empty() {
        return text.to_owned();
    }
    let at = dice.pick(&letters);
    format!(
        "{}%{:02x}{}",
        &text[..at],
        text.as_bytes()[at],
        &text[at + 1..]
    )
}

/// A line of entries: one, some or many, with the spaces and gaps that lists may have.
fn list(dice: &mut Dice, entries: &[&str]) -> String {
    let count = match dice.below(30) {
        0 => 40 + dice.below(60),
        n => n % 4,
    };
    let mut line = dice.pick(entries).to_owned();
    for _ in 0..count {
        line.push_str(dice.pick(&[",", ", ", " ,", ",,", ", ,\t"]));
        line.push_str(dice.pick(entries));
    }
    line
}

/// A self-signed certificate, as the module sends one.
const CERTIFICATE: &str = include_str!("certificate.txt").trim_ascii();
