//! What an app says of a request, made comparable.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

use crate::wire::Answer;

/// Each thing by its name; a header's is `header:` and its own.
pub(crate) type Report = BTreeMap<String, String>;

/// What is only written differently is written the same: lists, IPv6 addresses, this end of the connection.
pub(crate) fn of(answer: &Answer, is_twin: bool) -> Report {
    let mut report = Report::new();
    report.insert("status".to_owned(), answer.status.to_string());
    let Ok(Value::Object(said)) = serde_json::from_slice(&answer.body) else {
        return report;
    };
    for (name, value) in said {
        let value = match (&*name, value) {
            ("headers", Value::Object(headers)) => {
                for (name, values) in headers {
                    let value = header(&name, &values, &answer.local.to_string());
                    report.insert(format!("header:{name}"), value);
                }
                continue;
            }
            // Kestrel says it as it came, axum's `Uri` has no empty query's `?`, and both say path and query too.
            ("rawTarget", _) => continue,
            ("remoteAddress", Value::String(text)) => address(&text),
            // Kestrel hands out the path decoded, this crate as it came.
            ("path" | "pathBase", Value::String(text)) if is_twin => decode(&text),
            ("remotePort", port) if port == answer.local.port() => "this end".to_owned(),
            (_, Value::String(text)) => text,
            (_, value) => value.to_string(),
        };
        report.insert(name, value);
    }
    report
}

fn header(name: &str, values: &Value, local: &str) -> String {
    let values: Vec<_> = values
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_str().unwrap())
        .collect();
    match name {
        // Kestrel writes what it leaves of a list as one line each.
        "x-forwarded-for" | "x-forwarded-proto" => entries(&values.join(",")).join(", "),
        "x-original-for" => values.join("\n").replace(local, "this end"),
        _ => values.join("\n"),
    }
}

/// The entries of a list that count.
pub(crate) fn entries(list: &str) -> Vec<&str> {
    let unquoted = |entry: &'_ str| -> bool { !matches!(entry, "" | "\"\"") };
    list.split(',')
        .map(str::trim)
        .filter(|entry| unquoted(entry))
        .map(|e| e.trim_matches('"'))
        .collect()
}

fn address(text: &str) -> String {
    text.parse()
        .map_or_else(|_| text.to_owned(), |ip: IpAddr| ip.to_string())
}

/// As Kestrel decodes a path: all of it but `/`, and nothing that is not UTF-8.
pub(crate) fn decode(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut decoded = String::new();
    let mut at = 0;
    while at < bytes.len() {
        let found = (1..=4).find_map(|count| {
            let octets: Option<Vec<u8>> = (0..count).map(|n| octet(bytes, at + 3 * n)).collect();
            let text = String::from_utf8(octets?).ok()?;
            (text != "/").then_some((text, 3 * count))
        });
        match found {
            Some((text, used)) => {
                decoded.push_str(&text);
                at += used;
            }
            None => {
                // Paths are ASCII on the wire.
                decoded.push(char::from(bytes[at]));
                at += 1;
            }
        }
    }
    decoded
}

/// The byte that `%XX` at this place stands for.
fn octet(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 3)? {
        [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            u8::from_str_radix(std::str::from_utf8(&[*high, *low]).ok()?, 16).ok()
        }
        _ => None,
    }
}
