//! How the processes are kept: settings of ours, among those of `handlerSettings`.
//!
//! In `ancm.toml` they are keys and tables of their own, which arrive here under the same names.

use std::time::Duration;

use http::StatusCode;

use super::{Parser, handler_settings::first};
use crate::config::{
    findings::Kind,
    processes::{
        LISTENER, Listener, OVERFLOW, PATH, Processes, StartMode, TOKEN, is_overflow, is_path,
        is_token,
    },
    raw::RawConfig,
    values::{boolean, seconds_or_span, whole},
};

/// The names, as they are written in `handlerSettings`.
pub(in crate::config) const NAMES: [&str; 17] = [
    "startMode",
    "warmUp",
    "probePath",
    "probeStatus",
    "probeInterval",
    "idleTimeout",
    "recycleAge",
    "recycleRequests",
    "recycleMemory",
    "queueLimit",
    "queueTime",
    "queueOverflowStatus",
    "queueRetryAfter",
    "drainTimeout",
    "retry",
    "affinityCookie",
    "listener",
];

/// A megabyte as memory is counted.
const MEBIBYTE: u64 = 1 << 20;

pub(super) const SPAN: &str = "whole seconds or [d.]hh:mm:ss, not zero";
pub(super) const SPAN_OR_ZERO: &str = "whole seconds or [d.]hh:mm:ss";
pub(super) const COUNT: &str = "a whole number above 0";

impl Parser<'_> {
    pub(super) fn processes(&mut self, raw: &RawConfig, into: &mut Processes) {
        self.start(raw, into);
        self.recycling(raw, into);
        self.queue(raw, into);
        let drain = self.setting(raw, "drainTimeout", SPAN_OR_ZERO, seconds_or_span);
        into.drain_timeout = drain.unwrap_or(into.drain_timeout);
        let retry = self.setting(raw, "retry", "true or false", boolean);
        into.retry = retry.unwrap_or(into.retry);
        let name = |text: &str| is_token(text).then(|| text.to_owned());
        into.affinity_cookie = self.setting(raw, "affinityCookie", TOKEN, name);
        let listener = |text: &str| Listener::named(text).filter(|one| one.is_supported());
        let listener = self.setting(raw, "listener", LISTENER, listener);
        into.listener = listener.unwrap_or_default();
    }

    fn start(&mut self, raw: &RawConfig, into: &mut Processes) {
        let mode = self.setting(raw, "startMode", "onDemand or eager", start_mode);
        into.start_mode = mode.unwrap_or_default();
        let paths = self.setting(raw, "warmUp", PATH, paths);
        into.warm_up = paths.unwrap_or_default();
        let path = |text: &str| is_path(text).then(|| text.to_owned());
        into.probe_path = self.setting(raw, "probePath", PATH, path);
        into.probe_status = self.setting(raw, "probeStatus", "a status from 200 to 599", |text| {
            status(text).filter(|status| status.as_u16() < 600)
        });
        let interval = self.setting(raw, "probeInterval", "whole milliseconds", whole);
        let interval = interval.map(|time| Duration::from_millis(time.into()));
        into.probe_interval = interval.unwrap_or(into.probe_interval);
    }

    fn recycling(&mut self, raw: &RawConfig, into: &mut Processes) {
        into.idle_timeout = self.setting(raw, "idleTimeout", SPAN, span);
        into.recycle_age = self.setting(raw, "recycleAge", SPAN, span);
        into.recycle_requests = self.setting(raw, "recycleRequests", COUNT, count);
        let mebibytes = |text: &str| Some(u64::from(count(text)?) * MEBIBYTE);
        let expected = "whole mebibytes above 0";
        into.recycle_memory = self.setting(raw, "recycleMemory", expected, mebibytes);
    }

    fn queue(&mut self, raw: &RawConfig, into: &mut Processes) {
        let limit = |text: &str| usize::try_from(whole(text)?).ok();
        let limit = self.setting(raw, "queueLimit", "a whole number", limit);
        into.queue_limit = limit.unwrap_or(into.queue_limit);
        into.queue_time = self.setting(raw, "queueTime", SPAN, span);
        let refusal = |text: &str| status(text).filter(|status| is_overflow(status.as_u16()));
        let refusal = self.setting(raw, "queueOverflowStatus", OVERFLOW, refusal);
        into.queue_overflow_status = refusal.unwrap_or(into.queue_overflow_status);
        let after = self.setting(raw, "queueRetryAfter", SPAN_OR_ZERO, seconds_or_span);
        into.queue_retry_after = after.unwrap_or(into.queue_retry_after);
    }

    /// The value of the setting `name`, if it is written and `read` takes it.
    pub(super) fn setting<T>(
        &mut self,
        raw: &RawConfig,
        name: &str,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = first(raw, name)?;
        let value = read(&text.text);
        if value.is_none() {
            let bad = Kind::bad(name, expected, &text.text);
            self.findings.error(Some(text.at), bad);
        }
        value
    }
}

fn start_mode(text: &str) -> Option<StartMode> {
    if text.eq_ignore_ascii_case("onDemand") {
        Some(StartMode::OnDemand)
    } else if text.eq_ignore_ascii_case("eager") {
        Some(StartMode::Eager)
    } else {
        None
    }
}

/// Paths with spaces between them.
fn paths(text: &str) -> Option<Vec<String>> {
    let mut paths = text.split_ascii_whitespace();
    let each = paths.clone().map(str::to_owned).collect();
    paths.all(is_path).then_some(each)
}

pub(super) fn span(text: &str) -> Option<Duration> {
    seconds_or_span(text).filter(|span| !span.is_zero())
}

pub(super) fn count(text: &str) -> Option<u32> {
    whole(text).filter(|&count| count > 0)
}

fn status(text: &str) -> Option<StatusCode> {
    let code = u16::try_from(whole(text)?).ok()?;
    StatusCode::from_u16(code).ok().filter(|_| code >= 200)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Config,
        written::{toml, web_config},
    };

    fn expected() -> Processes {
        Processes {
            start_mode: StartMode::Eager,
            warm_up: vec!["/".to_owned(), "/a?b".to_owned()],
            probe_path: Some("/health".to_owned()),
            probe_status: Some(StatusCode::NO_CONTENT),
            probe_interval: Duration::from_millis(100),
            idle_timeout: Some(Duration::from_secs(1_200)),
            recycle_age: Some(Duration::from_secs(104_400)),
            recycle_requests: Some(1_000_000),
            recycle_memory: Some(2 << 30),
            queue_limit: 10,
            queue_time: Some(Duration::from_secs(20)),
            queue_overflow_status: StatusCode::TOO_MANY_REQUESTS,
            queue_retry_after: Duration::ZERO,
            drain_timeout: Duration::from_secs(90),
            retry: false,
            affinity_cookie: Some("shop-process".to_owned()),
            listener: Listener::Port,
        }
    }

    #[test]
    fn a_listener_is_one_that_this_system_has() {
        for (text, listener) in [
            ("port", Listener::Port),
            ("Inherited", Listener::Inherited),
            ("inheritedUnix", Listener::InheritedUnix),
            ("unix", Listener::Unix),
        ] {
            let in_toml = toml(&format!("listener = '{text}'"));
            let in_xml = web_config(&[("listener", text)]);
            if cfg!(windows) && listener != Listener::Port {
                for errors in [in_toml, in_xml] {
                    let errors = errors.unwrap_err().to_string();
                    assert!(errors.contains("hands no sockets over"), "{errors}");
                }
                continue;
            }
            for loaded in [in_toml, in_xml] {
                let config = loaded.unwrap().config;
                assert_eq!(config.processes().listener(), listener);
                let shown = config.report().to_string().contains("\nlistener ");
                assert_eq!(shown, listener != Listener::Port);
            }
        }
    }

    #[test]
    fn both_files_say_all_of_it() {
        let text = r#"
startMode = "eager"
warmUp = ["/", "/a?b"]
idleTimeout = "00:20:00"
drainTimeout = 90
retry = false
[probe]
path = "/health"
status = 204
interval = 100
[recycle]
age = "1.05:00:00"
requests = 1000000
memory = 2048
[queue]
limit = 10
time = 20
overflowStatus = 429
retryAfter = 0
[affinity]
cookie = "shop-process"
"#;
        let loaded = toml(text).unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(*loaded.config.processes(), expected());
        let loaded = web_config(&[
            ("startMode", "EAGER"),
            ("warmUp", "/ /a?b"),
            ("probePath", "/health"),
            ("probeStatus", "204"),
            ("probeInterval", "100"),
            ("idleTimeout", "1200"),
            ("RecycleAge", "1.05:00:00"),
            ("recycleRequests", "1000000"),
            ("recycleMemory", "2048"),
            ("queueLimit", "10"),
            ("queueTime", "00:00:20"),
            ("queueOverflowStatus", "429"),
            ("queueRetryAfter", "0"),
            ("drainTimeout", "00:01:30"),
            ("retry", "False"),
            ("affinityCookie", "shop-process"),
        ]);
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(*loaded.config.processes(), expected());
        let report = loaded.config.report().to_string();
        for line in [
            "startMode                 eager",
            "/health until 204, every 100 ms",
            "recycleRequests           1000000",
            "recycleMemory             2048 MiB",
            "10 requests, then 429, Retry-After 0 s",
            "affinityCookie            shop-process",
        ] {
            assert!(report.contains(line), "{line}: {report}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (name, value) in [
            ("startMode", "always"),
            ("warmUp", "index.html"),
            ("probePath", "health"),
            ("probePath", "/a b"),
            ("probeStatus", "100"),
            ("probeStatus", "700"),
            ("probeInterval", "-1"),
            ("idleTimeout", "0"),
            ("recycleAge", "a day"),
            ("recycleRequests", "0"),
            ("recycleMemory", "2 GB"),
            ("queueLimit", "many"),
            ("queueTime", "0"),
            ("queueOverflowStatus", "200"),
            ("queueRetryAfter", "soon"),
            ("drainTimeout", "1.5"),
            ("retry", "once"),
            ("affinityCookie", "a;b"),
            ("affinityCookie", ""),
            ("listener", "tcp"),
            ("listener", ""),
        ] {
            let errors = web_config(&[(name, value)]).unwrap_err();
            let text = errors.to_string();
            assert!(text.contains(&format!("{name}: expected")), "{text}");
        }
        for (text, hint) in [
            ("[probe]\nPath = '/'", "did you mean `path`?"),
            ("[queue]\nsize = 1", "size: not a key that is known"),
            ("recycle = 5", "recycle: expected a table"),
            ("warmUp = '/'", "warmUp: expected an array of strings"),
        ] {
            let errors = toml(text).unwrap_err().to_string();
            assert!(errors.contains(hint), "{errors}");
        }
    }

    #[test]
    fn the_builder_is_held_to_the_same() {
        let root = tempfile::tempdir().unwrap();
        let builder = || Config::builder(root.path()).program("x");
        let errors = builder()
            .warm_up(["a"])
            .probe_path("b c")
            .queue_overflow_status(StatusCode::OK)
            .affinity_cookie("d=")
            .build()
            .unwrap_err();
        assert_eq!(errors.iter().count(), 4, "{errors}");
        let kept = builder().build().unwrap();
        assert_eq!(*kept.processes(), Processes::default());
    }
}
