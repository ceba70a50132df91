//! A configuration made in Rust.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    command::{Places, resolve},
    environment::invalid_name,
    findings::{Errors, Findings, Kind},
    forwarding::Forwarding,
    front::FrontLimits,
    load::directory,
    processes::Processes,
    settings::{Config, HostingModel},
    site::Site,
    values,
    vars::{ProcessVars, Vars},
};
use crate::PathBase;

/// Makes a [`Config`]; see [`Config::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    config: Config,
    program: PathBuf,
}

impl Config {
    /// A configuration of the app in `content_root`, of which all but [`program`](Builder::program) has a default.
    pub fn builder(content_root: impl AsRef<Path>) -> Builder {
        Builder {
            config: Self::new(content_root.as_ref(), Path::new(""), &[]),
            program: PathBuf::new(),
        }
    }
}

impl Builder {
    /// What is started: an absolute path, a file relative to the content root, or a name to be found on `PATH`. Has no
    /// default.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Its arguments, one by one. Defaults to none.
    pub fn arguments<A: Into<String>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.config.command.arguments = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// The prefix under which the app is mounted. Defaults to the root.
    pub fn path_base(mut self, path_base: PathBase) -> Self {
        self.config.path_base = path_base;
        self
    }

    /// Adds a variable to the environment of the app's process; `%NAME%` in `value` is expanded. Defaults to what is
    /// inherited and what the module sets.
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let environment = &mut self.config.environment.0;
        environment.push((name.into(), value.into()));
        self
    }

    /// How long a process may take to listen, at most an hour. Defaults to 120 s.
    pub fn startup_time_limit(mut self, limit: Duration) -> Self {
        self.config.startup_time_limit = limit;
        self
    }

    /// How long a process may take to stop by itself, at most 600 s. Defaults to 10 s.
    pub fn shutdown_time_limit(mut self, limit: Duration) -> Self {
        self.config.shutdown_time_limit = limit;
        self
    }

    /// After how many failures within a minute no further start is tried, at most 100. Defaults to 10.
    pub fn rapid_fails_per_minute(mut self, fails: u32) -> Self {
        self.config.rapid_fails_per_minute = fails;
        self
    }

    /// How long the app may let a request stand still, at most 15 days; `None`: for ever. Defaults to 2 min.
    pub fn request_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.config.request_timeout = timeout.filter(|timeout| !timeout.is_zero());
        self
    }

    /// What the names of the log files of the app's output begin with, relative to the content root. Defaults to no such
    /// files.
    pub fn stdout_log(mut self, prefix: impl Into<PathBuf>) -> Self {
        self.config.stdout_log = Some(prefix.into());
        self
    }

    /// How many processes serve the app, from 1 to 100. Defaults to 1.
    pub fn processes_per_application(mut self, processes: u32) -> Self {
        self.config.processes_per_application = processes;
        self
    }

    /// Whether the user's token goes to the app (Windows only). Defaults to true.
    pub fn forward_windows_auth_token(mut self, forward: bool) -> Self {
        self.config.forward_windows_auth_token = forward;
        self
    }

    /// Whether a failed start is answered without the module's page. Defaults to false.
    pub fn disable_start_up_error_page(mut self, disable: bool) -> Self {
        self.config.disable_start_up_error_page = disable;
        self
    }

    /// Where the app runs. Defaults to out of process.
    pub fn hosting_model(mut self, model: HostingModel) -> Self {
        self.config.hosting_model = model;
        self
    }

    /// Adds a file, relative to the content root, whose change restarts the app. Defaults to none.
    pub fn recycle_on_file_change(mut self, file: impl Into<PathBuf>) -> Self {
        self.config.recycle_on_file_change.push(file.into());
        self
    }

    /// The largest body of a request, in bytes. Defaults to not said: 30,000,000 for an app of ASP.NET Core in process, unless it says
    /// otherwise, and else no limit.
    pub fn max_allowed_content_length(mut self, bytes: u32) -> Self {
        self.config.max_allowed_content_length = Some(bytes);
        self
    }

    /// Whether upgrades to WebSocket pass. Defaults to true.
    pub fn websockets(mut self, pass: bool) -> Self {
        self.config.websockets = pass;
        self
    }

    /// The port of the site's HTTPS endpoint, for the app's redirections. Defaults to not known.
    pub fn https_port(mut self, port: u16) -> Self {
        self.config.https_port = Some(port);
        self
    }

    /// What the front lets clients do, where it is to serve this app alone. Defaults to the front's own defaults.
    pub fn front(mut self, limits: FrontLimits) -> Self {
        self.config.front = limits;
        self
    }

    /// Where the front listens, where it is to serve this app alone. Defaults to nothing said.
    pub fn site(mut self, site: Site) -> Self {
        self.config.site = site;
        self
    }

    pub(super) const fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    pub(super) const fn forwarding(&mut self) -> &mut Forwarding {
        &mut self.config.forwarding
    }

    pub(super) const fn processes(&mut self) -> &mut Processes {
        &mut self.config.processes
    }

    /// The configuration, its program looked for with the environment of this process.
    ///
    /// # Errors
    ///
    /// Everything that is wrong: no program, a content root that is no directory, a value out of its range. A program
    /// that is not there is no error: see [`CommandLine::problem`](super::CommandLine::problem).
    pub fn build(self) -> Result<Config, Errors> {
        self.build_with(&ProcessVars)
    }

    fn build_with(self, vars: &dyn Vars) -> Result<Config, Errors> {
        let mut findings = Findings::default();
        let Self {
            mut config,
            program,
        } = self;
        config.content_root = directory(&config.content_root)?;
        check_times(&config, &mut findings);
        check_numbers(&config, &mut findings);
        check_names(&config, &mut findings);
        config.check_destinations(!program.as_os_str().is_empty(), &mut findings);
        config.processes.check(&mut findings);
        config.forwarding.check(&mut findings);
        config.front.check(&mut findings);
        make_absolute(&mut config);
        let places = Places {
            root: &config.content_root,
            vars,
            at: None,
        };
        let arguments = std::mem::take(&mut config.command.arguments);
        match program.to_str() {
            Some("") if !config.destinations.is_empty() => {}
            Some("") => findings.error(
                None,
                Kind::Missing {
                    key: "program",
                    hint: "it is what is started",
                },
            ),
            Some(program) => {
                config.command = resolve(program, arguments, &places, &mut findings);
            }
            None => {
                config.command.program = program;
                config.command.arguments = arguments;
            }
        }
        findings.finish(None, config).map(|(config, _)| config)
    }
}

fn check_times(config: &Config, findings: &mut Findings) {
    let seconds = |limit: u32| Duration::from_secs(u64::from(limit));
    for (key, value, longest) in [
        (
            "startup_time_limit",
            config.startup_time_limit,
            seconds(*values::STARTUP_TIME_LIMIT.end()),
        ),
        (
            "shutdown_time_limit",
            config.shutdown_time_limit,
            seconds(*values::SHUTDOWN_TIME_LIMIT.end()),
        ),
        (
            "request_timeout",
            config.request_timeout.unwrap_or_default(),
            values::LONGEST_REQUEST_TIMEOUT,
        ),
    ] {
        if value > longest {
            let bad = Kind::bad(key, format!("at most {longest:?}"), format!("{value:?}"));
            findings.error(None, bad);
        }
    }
}

fn check_numbers(config: &Config, findings: &mut Findings) {
    for (key, value, range) in [
        (
            "rapid_fails_per_minute",
            config.rapid_fails_per_minute,
            values::RAPID_FAILS_PER_MINUTE,
        ),
        (
            "processes_per_application",
            config.processes_per_application,
            values::PROCESSES_PER_APPLICATION,
        ),
    ] {
        if !range.contains(&value) {
            let expected = format!("a number from {} to {}", range.start(), range.end());
            findings.error(None, Kind::bad(key, expected, value.to_string()));
        }
    }
}

fn check_names(config: &Config, findings: &mut Findings) {
    for (name, value) in config.environment.iter() {
        if let Some(expected) = invalid_name(name) {
            findings.error(None, Kind::bad("environment name", expected, name));
        }
        if value.contains('\0') {
            let key = format!("environment {name}");
            findings.error(None, Kind::bad(key, "a value without NUL", "(not shown)"));
        }
    }
}

fn make_absolute(config: &mut Config) {
    let root = &config.content_root;
    config.stdout_log = config.stdout_log.take().map(|prefix| root.join(prefix));
    let users = &mut config.handler_settings.basic_users;
    *users = users.take().map(|file| root.join(file));
    for file in &mut config.recycle_on_file_change {
        *file = root.join(&*file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn no_vars() -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    #[test]
    fn what_is_not_set_has_its_default() {
        let root = tempfile::tempdir().unwrap();
        let built = Config::builder(root.path())
            .program("gone")
            .arguments(["a b", "c"])
            .build_with(&no_vars())
            .unwrap();
        let mut want = Config::new(root.path(), Path::new("gone"), &["a b", "c"]);
        want.command.problem = built.command.problem.clone();
        assert_eq!(built, want);
        assert!(built.command().problem().is_some());
    }

    #[test]
    fn paths_are_relative_to_the_content_root() {
        let root = tempfile::tempdir().unwrap();
        let built = Config::builder(root.path())
            .program("x")
            .stdout_log("logs/out")
            .recycle_on_file_change("a.json")
            .build_with(&no_vars())
            .unwrap();
        assert_eq!(built.stdout_log(), Some(&*root.path().join("logs/out")));
        assert_eq!(built.recycle_on_file_change(), [root.path().join("a.json")]);
    }

    #[test]
    fn all_errors_are_told_at_once() {
        let root = tempfile::tempdir().unwrap();
        let day = Duration::from_secs(86_400);
        let errors = Config::builder(root.path())
            .startup_time_limit(day)
            .shutdown_time_limit(day)
            .request_timeout(Some(day * 16))
            .rapid_fails_per_minute(101)
            .processes_per_application(0)
            .environment("", "x")
            .environment("A", "secret\0")
            .build_with(&no_vars())
            .unwrap_err();
        let text = errors.to_string();
        assert_eq!(errors.iter().count(), 8, "{text}");
        assert!(text.contains("startup_time_limit: expected at most 3600s, got `86400s`"));
        assert!(!text.contains("secret"));
        let gone = Config::builder(root.path().join("gone")).program("x");
        assert!(gone.build_with(&no_vars()).is_err());
    }

    #[test]
    fn the_limits_themselves_are_allowed() {
        let root = tempfile::tempdir().unwrap();
        let built = Config::builder(root.path())
            .program("x")
            .startup_time_limit(Duration::from_secs(3600))
            .shutdown_time_limit(Duration::from_secs(600))
            .request_timeout(Some(values::LONGEST_REQUEST_TIMEOUT))
            .rapid_fails_per_minute(100)
            .processes_per_application(100)
            .build_with(&no_vars());
        assert!(built.is_ok());
        let none = Config::builder(root.path()).program("x");
        let none = none
            .request_timeout(Some(Duration::ZERO))
            .build_with(&no_vars());
        assert_eq!(none.unwrap().request_timeout(), None);
    }
}
