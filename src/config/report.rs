//! What was understood, for a person to read.

use std::{fmt, path::Path, time::Duration};

use super::{
    findings::{Warning, shown},
    handler_settings::HandlerSettings,
    processes::{Listener, StartMode},
    settings::{Config, HostingModel},
};

/// What was understood of a configuration: one line for each setting, then the warnings.
///
/// Values of environment variables that look like secrets are not shown.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    pub(super) config: &'a Config,
    warnings: &'a [Warning],
    source: Option<&'a Path>,
}

/// The width of the column of names.
const WIDTH: usize = 24;

impl<'a> Report<'a> {
    pub(super) fn new(
        config: &'a Config,
        warnings: &'a [Warning],
        source: Option<&'a Path>,
    ) -> Self {
        Self {
            config,
            warnings,
            source,
        }
    }
}

impl Config {
    /// What was understood, for a person to read.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report::new(self, &[], None)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what(f)?;
        self.limits(f)?;
        self.processes(f)?;
        self.forwarding(f)?;
        self.rest(f)?;
        self.environment(f)?;
        self.findings(f)
    }
}

impl Report<'_> {
    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        if let Some(source) = self.source {
            row(f, "configuration", source.display())?;
        }
        if config.destinations.is_empty() {
            row(f, "command", &config.command)?;
        } else {
            self.destinations(f)?;
        }
        row(f, "working directory", config.content_root.display())?;
        row(f, "path base", &config.path_base)?;
        let model = match config.hosting_model {
            HostingModel::OutOfProcess => "outofprocess",
            HostingModel::InProcess => "inprocess",
        };
        row(f, "hostingModel", model)
    }

    fn limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        row(f, "startupTimeLimit", Span(config.startup_time_limit))?;
        row(f, "shutdownTimeLimit", Span(config.shutdown_time_limit))?;
        match config.request_timeout {
            Some(timeout) => row(f, "requestTimeout", Span(timeout))?,
            None => row(f, "requestTimeout", "none")?,
        }
        row(f, "rapidFailsPerMinute", config.rapid_fails_per_minute)?;
        row(
            f,
            "processesPerApplication",
            config.processes_per_application,
        )
    }

    /// What is at its default and means "not at all" has no line.
    fn processes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = &self.config.processes;
        let mode = match kept.start_mode {
            StartMode::OnDemand => "onDemand",
            StartMode::Eager => "eager",
        };
        row(f, "startMode", mode)?;
        for path in &kept.warm_up {
            row(f, "warmUp", path)?;
        }
        if let Some(path) = &kept.probe_path {
            let status = kept.probe_status.map(|status| status.as_u16().to_string());
            let status = status.as_deref().unwrap_or("below 400");
            let every = kept.probe_interval.as_millis();
            row(
                f,
                "probe",
                format_args!("{path} until {status}, every {every} ms"),
            )?;
        }
        spans(
            f,
            &[
                ("idleTimeout", kept.idle_timeout),
                ("recycleAge", kept.recycle_age),
                ("queueTime", kept.queue_time),
            ],
        )?;
        if let Some(requests) = kept.recycle_requests {
            row(f, "recycleRequests", requests)?;
        }
        if let Some(bytes) = kept.recycle_memory {
            row(f, "recycleMemory", format_args!("{} MiB", bytes >> 20))?;
        }
        let (status, after) = (kept.queue_overflow_status, Span(kept.queue_retry_after));
        let status = status.as_u16();
        row(
            f,
            "queue",
            format_args!(
                "{} requests, then {status}, Retry-After {after}",
                kept.queue_limit
            ),
        )?;
        row(f, "drainTimeout", Span(kept.drain_timeout))?;
        row(f, "retry", on(kept.retry))?;
        if let Some(name) = &kept.affinity_cookie {
            row(f, "affinityCookie", name)?;
        }
        match kept.listener {
            Listener::Port => Ok(()),
            other @ (Listener::Inherited | Listener::InheritedUnix | Listener::Unix) => {
                row(f, "listener", other.as_str())
            }
        }
    }

    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        match &config.stdout_log {
            Some(prefix) => row(f, "stdout log", format_args!("{}_*.log", prefix.display()))?,
            None => row(f, "stdout log", "off")?,
        }
        self.authentication(f)?;
        row(f, "WebSocket", on(config.websockets))?;
        if let Some(bytes) = config.max_allowed_content_length {
            row(f, "maxAllowedContentLength", format_args!("{bytes} bytes"))?;
        }
        row(
            f,
            "start-up error page",
            on(!config.disable_start_up_error_page),
        )?;
        if let Some(port) = config.https_port {
            row(f, "HTTPS port", port)?;
        }
        for file in &config.recycle_on_file_change {
            row(f, "recycleOnFileChange", file.display())?;
        }
        let settings = &config.handler_settings;
        row(f, "output captured", on(settings.console_redirection))?;
        let restart = on(!settings.disallow_rotation_on_config_change);
        row(f, "restart on change", restart)?;
        in_process(f, settings)?;
        row(f, "shutdownDelay", Span(settings.shutdown_delay))
    }

    fn environment(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.config.environment.iter().enumerate() {
            let label = if index == 0 { "environment" } else { "" };
            let value = if is_secret(name, value) { "***" } else { value };
            let value = shown(value);
            row(f, label, format_args!("{name}={value}"))?;
        }
        Ok(())
    }

    fn findings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(problem) = self.config.command.problem() {
            row(f, "PROBLEM", problem)?;
        }
        for warning in self.warnings {
            row(f, "warning", warning)?;
        }
        Ok(())
    }
}

/// What concerns an app that is hosted in process, where it is not as it is anyway.
fn in_process(f: &mut fmt::Formatter<'_>, settings: &HandlerSettings) -> fmt::Result {
    if let Some(bytes) = settings.stack_size {
        row(f, "stackSize", format_args!("{bytes:x} (hex)"))?;
    }
    for (name, value) in [
        ("setCurrentDirectory", settings.set_current_directory),
        ("callStartupHook", settings.call_startup_hook),
    ] {
        if !value {
            row(f, name, on(false))?;
        }
    }
    Ok(())
}

/// A line for each time that is set.
pub(super) fn spans(f: &mut fmt::Formatter<'_>, spans: &[(&str, Option<Duration>)]) -> fmt::Result {
    let set = spans
        .iter()
        .filter_map(|(name, time)| Some((name, (*time)?)));
    for (name, time) in set {
        row(f, name, Span(time))?;
    }
    Ok(())
}

pub(super) fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<WIDTH$}  {value}")
}

pub(super) fn on(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

pub(super) fn list(items: &[&str]) -> String {
    if items.is_empty() {
        "none".to_owned()
    } else {
        items.join(", ")
    }
}

/// A time as its unit is written: `120 s`, or `500 ms` where it is not whole seconds.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} s", self.0.as_secs()),
            _ => write!(f, "{} ms", self.0.as_millis()),
        }
    }
}

/// Whether a variable looks as if its value were nobody else's business.
fn is_secret(name: &str, value: &str) -> bool {
    const NAMES: [&str; 8] = [
        "TOKEN",
        "SECRET",
        "PASSW",
        "PWD",
        "KEY",
        "CREDENTIAL",
        "CONNECTIONSTRING",
        "CERT",
    ];
    let name = name.to_ascii_uppercase();
    let value = value.to_ascii_uppercase();
    let connection = ["PASSWORD=", "PWD=", "ACCOUNTKEY=", "SECRET="];
    let user_in_url = value.split_once("://").is_some_and(|(_, rest)| {
        rest.split('/')
            .next()
            .is_some_and(|host| host.contains('@'))
    });
    NAMES.iter().any(|part| name.contains(part))
        || connection.iter().any(|part| value.contains(part))
        || user_in_url
}
