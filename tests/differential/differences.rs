//! Where this crate answers otherwise than ASP.NET Core on purpose, and why.

use crate::{
    cases::Case,
    report::{decode, entries},
};

/// A deliberate difference: which things may differ, and for which requests.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    /// As [`Report`](crate::report::Report) names them.
    pub(crate) fields: &'static [&'static str],
    pub(crate) when: fn(&Case) -> bool,
}

/// What forwarded headers change.
const FORWARDED: &[&str] = &[
    "scheme",
    "remoteAddress",
    "remotePort",
    "header:x-forwarded-for",
    "header:x-forwarded-proto",
    "header:x-original-for",
    "header:x-original-proto",
];

pub(crate) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "what is the module's alone is taken out",
        reason: "the app has no use for it, and its logs must not hold it",
        fields: &[
            "header:ms-aspnetcore-token",
            "header:ms-aspnetcore-clientcert",
            "header:ms-aspnetcore-winauthtoken",
        ],
        when: |_| true,
    },
    Difference {
        name: "a scheme is in lower case",
        reason: "it is a typed value, and no comparison with it can miss (RFC 3986, 3.1)",
        fields: &["scheme"],
        when: |case| is_http(last(case, "X-Forwarded-Proto")),
    },
    Difference {
        name: "a scheme is one of HTTP's",
        reason: "links are made from it; there any word is taken, such as `javascript`",
        fields: FORWARDED,
        when: |case| !is_http(last(case, "X-Forwarded-Proto")),
    },
    Difference {
        name: "an address is written in full",
        reason: "`1` and `0x7f.0.0.1` are no addresses in any of the formats that proxies write; there they are taken \
                 as C takes them, so that what is logged is not what was sent",
        fields: FORWARDED,
        when: |case| is_odd(last(case, "X-Forwarded-For")),
    },
    Difference {
        name: "a quote groups nothing",
        reason: "a client's stray quote would swallow the entry that the module wrote after it",
        fields: FORWARDED,
        when: |case| {
            ["X-Forwarded-For", "X-Forwarded-Proto"]
                .iter()
                .any(|name| case.values(name).iter().any(|line| has_stray_quote(line)))
        },
    },
    Difference {
        name: "dot segments stay",
        reason: "the path is handed on as it came; there it is resolved before the path base is compared",
        fields: &["path", "pathBase", "status"],
        when: |case| has_dot_segments(&case.path),
    },
    Difference {
        name: "the base itself has the path `/`",
        reason: "HTTP knows no empty path (RFC 9112, 3.2.1), and routers want the `/`",
        fields: &["path"],
        when: |case| decode(&case.path).eq_ignore_ascii_case(case.place.path_base),
    },
    Difference {
        name: "the base is compared as it was sent",
        reason: "bytes are moved from the path to the base without decoding them; a base whose letters are percent-encoded is \
                 not found, which no browser sends",
        fields: &["path", "pathBase"],
        when: |case| decode(&case.path) != case.path.replace("%20", " "),
    },
    Difference {
        name: "exactly one token counts",
        reason: "there an empty one beside it does not matter",
        fields: &["status"],
        when: |case| case.values("MS-ASPNETCORE-TOKEN").len() > 1,
    },
    Difference {
        name: "a certificate is DER until it is read",
        reason: "what was sent is decoded when the app asks for it, and parsed when it asks for more; there what is no \
                 certificate is none from the start",
        fields: &["der", "present"],
        when: |case| case.values("MS-ASPNETCORE-CLIENTCERT") == ["MAMCAQE="],
    },
    Difference {
        name: "several certificates are none",
        reason: "there they are joined to one text, and where that is no certificate some requests fail with 500",
        fields: &["status"],
        when: |case| case.values("MS-ASPNETCORE-CLIENTCERT").len() > 1,
    },
    Difference {
        name: "a Windows user is ignored where there is no Windows",
        reason: "there the app fails with 500 for each such request",
        fields: &["status"],
        when: |case| !case.values("MS-ASPNETCORE-WINAUTHTOKEN").is_empty(),
    },
];

/// The entry that the nearest proxy wrote.
fn last<'a>(case: &'a Case, name: &str) -> &'a str {
    let lines = case.values(name);
    lines
        .iter()
        .rev()
        .find_map(|line| entries(line).pop())
        .unwrap_or_default()
}

fn is_http(scheme: &str) -> bool {
    matches!(&*scheme.to_ascii_lowercase(), "http" | "https")
}

fn is_odd(address: &str) -> bool {
    matches!(
        address,
        "1" | "1.2.3" | "0x7f.0.0.1" | "010.0.0.1" | "fe80::1%3" | "[fe80::1%3]:80"
    )
}

fn has_stray_quote(line: &str) -> bool {
    line.split(',')
        .any(|entry| entry.matches('"').count() % 2 == 1)
}

fn has_dot_segments(path: &str) -> bool {
    decode(path)
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
}
