//! From what is written to what is valid.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use super::{
    command::under,
    command::{Launch, Places, launch},
    expand::{Lookup, first_name},
    findings::{Findings, Kind, Position, WarningKind},
    raw::{Arguments, RawConfig, Text},
    settings::{Config, HostingModel},
    values::{self, boolean, time_span, whole},
    vars::Vars,
};
use crate::PathBase;

mod attempts;
mod destinations;
mod environment;
mod forwarding;
mod front;
mod handler_settings;
mod processes;
mod site;

pub(super) use self::{
    attempts::NAMES as ATTEMPTS, destinations::NAMES as DESTINATIONS,
    forwarding::NAMES as FORWARDING, front::NAMES as FRONT,
};

/// What everything is read with.
struct Parser<'a> {
    root: &'a Path,
    vars: &'a dyn Vars,
    lookup: Lookup,
    findings: &'a mut Findings,
}

/// `raw` as a configuration. Only meant to be used if `findings` holds no error afterwards: what is wrong is left at its
/// default, so that all the rest is read too.
pub(super) fn parse(
    raw: &RawConfig,
    root: &Path,
    vars: &dyn Vars,
    findings: &mut Findings,
) -> Config {
    let mut config = Config::new(root, Path::new(""), &[]);
    let mut parser = Parser {
        root,
        vars,
        lookup: Lookup::new(vars),
        findings,
    };
    parser.command(raw, &mut config);
    parser.limits(raw, &mut config);
    parser.log(raw, &mut config);
    parser.switches(raw, &mut config);
    parser.environment(raw, &mut config);
    parser.place(raw, &mut config);
    parser.handler_settings(raw, &mut config);
    parser.destinations(raw, &mut config);
    parser.processes(raw, &mut config.processes);
    parser.forwarding(raw, &mut config.forwarding);
    parser.front(raw, &mut config.front);
    parser.site(&raw.site, &mut config.site);
    config
}

impl Parser<'_> {
    fn command(&mut self, raw: &RawConfig, config: &mut Config) {
        let overridden = self
            .lookup
            .get("ANCM_LAUNCHER_PATH")
            .is_some_and(|p| !p.is_empty());
        if Self::is_elsewhere(raw) {
            return;
        }
        let program = raw.process_path.as_ref();
        if !overridden && program.is_none_or(|program| program.text.is_empty()) {
            let hint = "it names the program to start, such as `dotnet`; \
                        in web.config it is an attribute of `system.webServer/aspNetCore`";
            let key = "processPath";
            self.findings
                .error(program.map(|p| p.at), Kind::Missing { key, hint });
            return;
        }
        let (line, list) = match &raw.arguments {
            Some(Arguments::Line(line)) => (Some(line), &[][..]),
            Some(Arguments::List(list)) => (None, &**list),
            None => (None, &[][..]),
        };
        if let Some(text) = program {
            self.warn_of_unknown_names("processPath", text);
        }
        for text in line.into_iter().chain(list) {
            self.warn_of_unknown_names("arguments", text);
        }
        let written = Launch {
            program: program.map(|p| p.text.clone()).unwrap_or_default(),
            line: line.map(|line| line.text.clone()),
            list: list.iter().map(|item| item.text.clone()).collect(),
        };
        let places = Places {
            root: self.root,
            vars: self.vars,
            at: program.map(|program| program.at),
        };
        config.command = launch(&written, &places, &self.lookup, self.findings);
    }

    fn limits(&mut self, raw: &RawConfig, config: &mut Config) {
        let seconds = |value| Duration::from_secs(u64::from(value));
        let (startup, shutdown) = (values::STARTUP_TIME_LIMIT, values::SHUTDOWN_TIME_LIMIT);
        if let Some(value) = self.number("startupTimeLimit", &raw.startup_time_limit, startup) {
            config.startup_time_limit = seconds(value);
        }
        if let Some(value) = self.number("shutdownTimeLimit", &raw.shutdown_time_limit, shutdown) {
            config.shutdown_time_limit = seconds(value);
        }
        let (key, range) = ("rapidFailsPerMinute", values::RAPID_FAILS_PER_MINUTE);
        if let Some(value) = self.number(key, &raw.rapid_fails_per_minute, range) {
            config.rapid_fails_per_minute = value;
        }
        let (key, range) = ("processesPerApplication", values::PROCESSES_PER_APPLICATION);
        if let Some(value) = self.number(key, &raw.processes_per_application, range) {
            config.processes_per_application = value;
        }
        // Of IIS's schema, in which it is 32 bits without a sign.
        let (key, text) = ("maxAllowedContentLength", &raw.max_allowed_content_length);
        config.max_allowed_content_length = self.number(key, text, 0..=u32::MAX);
        let span = |text: &str| time_span(text).filter(|&t| t <= values::LONGEST_REQUEST_TIMEOUT);
        let expected = "hh:mm:ss or d.hh:mm:ss, at most 15.00:00:00";
        if let Some(value) = self.value("requestTimeout", &raw.request_timeout, expected, span) {
            // ANCM: zero is no limit.
            config.request_timeout = Some(value).filter(|value| !value.is_zero());
        }
    }

    fn log(&mut self, raw: &RawConfig, config: &mut Config) {
        let enabled = self.boolean("stdoutLogEnabled", &raw.stdout_log_enabled);
        let default = r".\aspnetcore-stdout";
        let written = raw.stdout_log_file.as_ref();
        if let Some(text) = written {
            if text.text.is_empty() {
                let bad = Kind::bad("stdoutLogFile", "the beginning of a file name", "");
                self.findings.error(Some(text.at), bad);
            }
            self.warn_of_unknown_names("stdoutLogFile", text);
        }
        if enabled != Some(true) {
            return;
        }
        let path = self
            .lookup
            .expand(written.map_or(default, |text| &text.text));
        config.stdout_log = under(self.root, &path).or_else(|| {
            let at = written.map(|text| text.at);
            let message = format!("a path of Windows; logs go to `{default}` instead");
            self.findings
                .warn(at, WarningKind::Translated, "stdoutLogFile", message);
            under(self.root, default)
        });
    }

    fn switches(&mut self, raw: &RawConfig, config: &mut Config) {
        for (key, text, setting) in [
            (
                "forwardWindowsAuthToken",
                &raw.forward_windows_auth_token,
                &mut config.forward_windows_auth_token,
            ),
            (
                "disableStartUpErrorPage",
                &raw.disable_start_up_error_page,
                &mut config.disable_start_up_error_page,
            ),
            ("webSocket", &raw.web_socket, &mut config.websockets),
            (
                "windowsAuthentication",
                &raw.windows_authentication,
                &mut config.authentication.windows,
            ),
            (
                "basicAuthentication",
                &raw.basic_authentication,
                &mut config.authentication.basic,
            ),
            (
                "anonymousAuthentication",
                &raw.anonymous_authentication,
                &mut config.authentication.anonymous,
            ),
        ] {
            *setting = self.boolean(key, text).unwrap_or(*setting);
        }
    }

    fn place(&mut self, raw: &RawConfig, config: &mut Config) {
        if let Some(model) = self.hosting_model(raw.hosting_model.as_ref()) {
            config.hosting_model = model;
        }
        let base = |text: &str| text.parse::<PathBase>().ok();
        let expected = "`/` or whole segments such as `/app`, percent-encoded";
        if let Some(base) = self.value("pathBase", &raw.path_base, expected, base) {
            config.path_base = base;
        }
        if let Some(port) = self.number("httpsPort", &raw.https_port, 1..=65_535) {
            config.https_port = u16::try_from(port).ok();
        }
        for text in &raw.recycle_on_file_change {
            match under(self.root, &self.lookup.expand(&text.text)) {
                Some(file) if !text.text.is_empty() => config.recycle_on_file_change.push(file),
                _ => {
                    let bad = Kind::bad("recycleOnFileChange", "a path of this system", &text.text);
                    self.findings.error(Some(text.at), bad);
                }
            }
        }
    }

    fn hosting_model(&mut self, text: Option<&Text>) -> Option<HostingModel> {
        let Text { text, at } = text?;
        if text.is_empty() || text.eq_ignore_ascii_case("outofprocess") {
            return Some(HostingModel::OutOfProcess);
        }
        if text.eq_ignore_ascii_case("inprocess") {
            return Some(HostingModel::InProcess);
        }
        let bad = Kind::bad("hostingModel", "inprocess or outofprocess", text);
        self.findings.error(Some(*at), bad);
        None
    }

    /// The value of `key`, if it is written and `read` takes it.
    fn value<T>(
        &mut self,
        key: &str,
        text: &Option<Text>,
        expected: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let Text { text, at } = text.as_ref()?;
        let value = read(text);
        if value.is_none() {
            self.findings
                .error(Some(*at), Kind::bad(key, expected, text));
        }
        value
    }

    fn boolean(&mut self, key: &str, text: &Option<Text>) -> Option<bool> {
        self.value(key, text, "true or false", boolean)
    }

    fn number(
        &mut self,
        key: &str,
        text: &Option<Text>,
        range: RangeInclusive<u32>,
    ) -> Option<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let read = |text: &str| whole(text).filter(|value| range.contains(value));
        self.value(key, text, &expected, read)
    }

    fn warn_of_unknown_names(&mut self, key: &str, text: &Text) {
        let left = self.lookup.expand(&text.text);
        let placeholder = |name: &str| name.to_ascii_uppercase().starts_with("LAUNCHER_");
        if let Some(name) = first_name(&left).filter(|name| !placeholder(name)) {
            let message = format!("no variable `{name}` is set: `%{name}%` stays as it is");
            self.warn(text.at, key, message);
        }
    }

    fn warn(&mut self, at: Position, subject: &str, message: String) {
        self.findings
            .warn(Some(at), WarningKind::Suspicious, subject, message);
    }
}
