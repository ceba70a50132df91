//! How the processes are kept: settings of ours, among those of `handlerSettings`.
//!
//! In `ancm.toml` they are keys and tables of their own, which arrive here under the same names.

use std::time::Duration;

use http::StatusCode;

use super::{Parser, handler_settings::first};
use crate::config::{
    findings::Kind,
    processes::{OVERFLOW, PATH, Processes, StartMode, TOKEN, is_overflow, is_path, is_token},
    raw::RawConfig,
    values::{boolean, seconds_or_span, whole},
};

/// The names, as they are written in `handlerSettings`.
pub(in crate::config) const NAMES: [&str; 16] = [
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
];

/// A megabyte as memory is counted.
const MEBIBYTE: u64 = 1 << 20;

const SPAN: &str = "whole seconds or [d.]hh:mm:ss, not zero";
const SPAN_OR_ZERO: &str = "whole seconds or [d.]hh:mm:ss";
const COUNT: &str = "a whole number above 0";

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
    fn setting<T>(
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

fn span(text: &str) -> Option<Duration> {
    seconds_or_span(text).filter(|span| !span.is_zero())
}

fn count(text: &str) -> Option<u32> {
    whole(text).filter(|&count| count > 0)
}

fn status(text: &str) -> Option<StatusCode> {
    let code = u16::try_from(whole(text)?).ok()?;
    StatusCode::from_u16(code).ok().filter(|_| code >= 200)
}
