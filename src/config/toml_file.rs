//! `ancm.toml`: the keys of `web.config` without its XML.
//!
//! A name that is not known is an error here, because nobody but this module reads the file.

use toml::de::DeTable;

use super::{
    findings::{Findings, Kind},
    parse::{DESTINATIONS, FORWARDING},
    raw::{Arguments, KEYS, RawConfig, Text},
    text::Lines,
    toml_values::{Key, Reader, Value},
};

/// The keys that only this format has, or has in another form.
const OTHERS: [&str; 22] = [
    "affinity",
    "arguments",
    "authentication",
    "backends",
    "drainTimeout",
    "environmentVariables",
    "front",
    "handlerSettings",
    "httpsPort",
    "idleTimeout",
    "listener",
    "maxAllowedContentLength",
    "pathBase",
    "probe",
    "proxy",
    "queue",
    "recycle",
    "recycleOnFileChange",
    "retry",
    "startMode",
    "warmUp",
    "webSocket",
];

/// The tables that say how the processes are kept, with the keys of each and their names in `handlerSettings`.
const PROCESSES: [(&str, &[(&str, &str)]); 4] = [
    ("affinity", &[("cookie", "affinityCookie")]),
    (
        "probe",
        &[
            ("path", "probePath"),
            ("status", "probeStatus"),
            ("interval", "probeInterval"),
        ],
    ),
    (
        "queue",
        &[
            ("limit", "queueLimit"),
            ("time", "queueTime"),
            ("overflowStatus", "queueOverflowStatus"),
            ("retryAfter", "queueRetryAfter"),
        ],
    ),
    (
        "recycle",
        &[
            ("age", "recycleAge"),
            ("requests", "recycleRequests"),
            ("memory", "recycleMemory"),
        ],
    ),
];

/// The keys of `authentication` that are called the same in `handlerSettings`.
const AUTHENTICATION: [&str; 9] = [
    "basicAttempts",
    "basicAttemptsTime",
    "basicOverCleartext",
    "basicRealm",
    "basicRemember",
    "basicUsers",
    "basicWait",
    "keepUser",
    "userHeader",
];

/// What `text` says.
pub(super) fn read(text: &str, findings: &mut Findings) -> RawConfig {
    let mut reader = Reader {
        lines: Lines::of(text),
        findings,
    };
    let mut raw = RawConfig::default();
    match DeTable::parse(text) {
        Ok(table) => reader.table(table.get_ref(), &mut raw),
        Err(error) => {
            let at = error.span().map(|span| reader.lines.position(span.start));
            let message = error.message().to_owned();
            reader.findings.error(at, Kind::Syntax(message));
        }
    }
    raw
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, raw: &mut RawConfig) {
        for (key, value) in table {
            match &**key.get_ref() {
                "arguments" => raw.arguments = self.arguments(value),
                "authentication" => self.authentication(value, raw),
                "environmentVariables" => raw.environment = self.strings(key, value),
                "handlerSettings" => raw.handler_settings.extend(self.scalars(key, value)),
                "drainTimeout" | "idleTimeout" | "listener" | "retry" | "startMode" => {
                    let text = self.scalar(key, value);
                    self.setting(key, key.get_ref(), text, raw);
                }
                "warmUp" => self.in_one_line("warmUp", key, value, raw),
                name @ ("affinity" | "probe" | "queue" | "recycle") => {
                    let mut tables = PROCESSES.iter();
                    let keys = tables.find(|(table, _)| *table == name);
                    self.settings(name, keys.map_or(&[], |(_, keys)| keys), value, raw);
                }
                "proxy" => self.settings("proxy", &FORWARDING.map(|name| (name, name)), value, raw),
                "front" => self.front(value, raw),
                "backends" => self.settings("backends", &DESTINATIONS, value, raw),
                "httpsPort" => raw.https_port = self.scalar(key, value),
                "pathBase" => raw.path_base = self.string(key, value),
                "recycleOnFileChange" => {
                    raw.recycle_on_file_change = self.list(key.get_ref(), value);
                }
                "webSocket" => raw.web_socket = self.scalar(key, value),
                "maxAllowedContentLength" => {
                    raw.max_allowed_content_length = self.scalar(key, value);
                }
                name => match raw.slot(name) {
                    Some(slot) => *slot = self.scalar(key, value),
                    None => self.unknown(key, KEYS.into_iter().chain(OTHERS)),
                },
            }
        }
    }

    /// A key of ours, which is called `name` in `handlerSettings`.
    pub(super) fn setting(
        &self,
        key: &Key<'_>,
        name: &str,
        text: Option<Text>,
        raw: &mut RawConfig,
    ) {
        let at = self.lines.position(key.span().start);
        let text = text.map(|text| {
            let name = name.to_owned();
            (Text { text: name, at }, text)
        });
        raw.handler_settings.extend(text);
    }

    /// ANCM has lists nowhere in `handlerSettings`: there, their elements stand in one line.
    fn in_one_line(&mut self, name: &str, key: &Key<'_>, value: &Value<'_>, raw: &mut RawConfig) {
        let elements = self.list(name, value);
        let elements: Vec<_> = elements.into_iter().map(|element| element.text).collect();
        let line = self.text(&elements.join(" "), value);
        self.setting(key, name, Some(line), raw);
    }

    /// A table of settings, with the keys that it may have and their names in `handlerSettings`.
    fn settings(
        &mut self,
        name: &str,
        keys: &[(&str, &str)],
        value: &Value<'_>,
        raw: &mut RawConfig,
    ) {
        let Some(table) = value.get_ref().as_table() else {
            return self.mistyped(name, "a table", value);
        };
        for (key, value) in table {
            match keys.iter().find(|(known, _)| known == key.get_ref()) {
                Some((_, setting @ ("trustedProxies" | "forwardTo"))) => {
                    self.in_one_line(setting, key, value, raw);
                }
                Some((_, setting)) => {
                    let text = self.scalar(key, value);
                    self.setting(key, setting, text, raw);
                }
                None => self.unknown(key, keys.iter().map(|&(known, _)| known)),
            }
        }
    }

    fn arguments(&mut self, value: &Value<'_>) -> Option<Arguments> {
        if value.get_ref().is_array() {
            return Some(Arguments::List(self.list("arguments", value)));
        }
        let Some(text) = value.get_ref().as_str() else {
            self.mistyped("arguments", "a string or an array of strings", value);
            return None;
        };
        Some(Arguments::Line(self.text(text, value)))
    }

    fn authentication(&mut self, value: &Value<'_>, raw: &mut RawConfig) {
        let Some(table) = value.get_ref().as_table() else {
            return self.mistyped("authentication", "a table", value);
        };
        for (key, value) in table {
            let slot = match &**key.get_ref() {
                name if AUTHENTICATION.contains(&name) => {
                    let text = self.scalar(key, value);
                    self.setting(key, name, text, raw);
                    continue;
                }
                "windows" => &mut raw.windows_authentication,
                "basic" => &mut raw.basic_authentication,
                "anonymous" => &mut raw.anonymous_authentication,
                _ => {
                    let known = ["windows", "basic", "anonymous"];
                    self.unknown(key, known.into_iter().chain(AUTHENTICATION));
                    continue;
                }
            };
            *slot = self.scalar(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::findings::Position;
    use proptest::prelude::*;

    fn read_all(text: &str) -> (RawConfig, Vec<String>) {
        let mut findings = Findings::default();
        let raw = read(text, &mut findings);
        (raw, findings.lines().0)
    }

    #[test]
    fn reads_every_key() {
        let (raw, errors) = read_all(
            r#"
processPath = "dotnet"
arguments = ["App.dll", "--x"]
startupTimeLimit = 30
requestTimeout = "00:01:00"
stdoutLogEnabled = true
pathBase = "/app"
httpsPort = 443
webSocket = false
maxAllowedContentLength = 1000
recycleOnFileChange = ["a.json"]

[authentication]
windows = true

[handlerSettings]
shutdownDelay = 0

[environmentVariables]
Z = "1"
A = "2"
"#,
        );
        assert!(errors.is_empty(), "{errors:?}");
        let value = |text: &Option<Text>| text.as_ref().map(|text| text.text.clone()).unwrap();
        assert_eq!(value(&raw.process_path), "dotnet");
        assert_eq!(raw.process_path.as_ref().unwrap().at, Position::new(2, 15));
        assert!(matches!(&raw.arguments, Some(Arguments::List(list)) if list.len() == 2));
        assert_eq!(value(&raw.startup_time_limit), "30");
        assert_eq!(value(&raw.request_timeout), "00:01:00");
        assert_eq!(value(&raw.stdout_log_enabled), "true");
        assert_eq!(value(&raw.path_base), "/app");
        assert_eq!(value(&raw.https_port), "443");
        assert_eq!(value(&raw.web_socket), "false");
        assert_eq!(value(&raw.max_allowed_content_length), "1000");
        assert_eq!(raw.recycle_on_file_change[0].text, "a.json");
        assert_eq!(value(&raw.windows_authentication), "true");
        assert_eq!(raw.handler_settings[0].1.text, "0");
        let names: Vec<_> = raw
            .environment
            .iter()
            .map(|(name, _)| &*name.text)
            .collect();
        assert_eq!(names, ["Z", "A"], "in the order of the file");
    }

    #[test]
    fn arguments_may_be_one_line() {
        let (raw, errors) = read_all(r#"arguments = 'App.dll "a b"'"#);
        assert!(errors.is_empty());
        assert!(
            matches!(raw.arguments, Some(Arguments::Line(line)) if line.text == "App.dll \"a b\"")
        );
    }

    #[test]
    fn tells_all_that_is_wrong_and_where() {
        let (_, errors) = read_all(
            "processpath = 'x'\narguments = 1\n[environmentVariables]\nA = 1\n[authentication]\nkerberos = true\n",
        );
        let mut errors = errors;
        errors.sort();
        assert_eq!(
            errors,
            [
                "1:1: processpath: not a key that is known; did you mean `processPath`?",
                "2:13: arguments: expected a string or an array of strings, got `integer`",
                "4:5: A: expected a string, got `integer`",
                "6:1: kerberos: not a key that is known",
            ]
        );
        for text in ["x = ", "a = 1\na = 2", "= 1"] {
            assert_eq!(read_all(text).1.len(), 1, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(
            text in prop_oneof![
                any::<String>(),
                r#"(arguments|environmentVariables|handlerSettings|authentication| = |\[|\]|\{|\}|"|'|\n|1|true|\.|,)*"#,
            ]
        ) {
            let _ = read_all(&text);
        }
    }
}
