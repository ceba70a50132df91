//! The settings, once they are known to be valid.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    authentication::Authentication,
    command::CommandLine,
    destinations::{Destination, HealthCheck},
    forwarding::Forwarding,
    front::FrontLimits,
    handler_settings::HandlerSettings,
    processes::Processes,
    site::Site,
};
use crate::PathBase;

/// An app's configuration: only valid values.
///
/// Made by [`load`](Self::load) from a file or by [`builder`](Self::builder) in Rust. Its `Debug` shows the names of
/// the environment variables, not their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(crate) content_root: PathBuf,
    pub(crate) path_base: PathBase,
    pub(crate) command: CommandLine,
    pub(crate) startup_time_limit: Duration,
    pub(crate) shutdown_time_limit: Duration,
    pub(crate) rapid_fails_per_minute: u32,
    /// `None`: no limit.
    pub(crate) request_timeout: Option<Duration>,
    /// The prefix of the log files' names, absolute. `None`: not enabled.
    pub(crate) stdout_log: Option<PathBuf>,
    pub(crate) processes_per_application: u32,
    pub(crate) forward_windows_auth_token: bool,
    pub(crate) disable_start_up_error_page: bool,
    pub(crate) hosting_model: HostingModel,
    /// As written: not yet expanded, duplicates included.
    pub(crate) environment: Variables,
    pub(crate) recycle_on_file_change: Vec<PathBuf>,
    pub(crate) handler_settings: HandlerSettings,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) health_check: HealthCheck,
    pub(crate) processes: Processes,
    pub(crate) forwarding: Forwarding,
    pub(crate) front: FrontLimits,
    pub(crate) site: Site,
    pub(crate) authentication: Authentication,
    pub(crate) websockets: bool,
    pub(crate) max_allowed_content_length: Option<u32>,
    pub(crate) https_port: Option<u16>,
}

/// Where the app runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostingModel {
    /// In a process of its own, behind the proxy.
    #[default]
    OutOfProcess,
    /// In a worker's process, which calls the app instead of forwarding to it.
    InProcess,
}

/// Environment variables in the order in which they are written. `Debug` shows only their names.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Variables(pub(super) Vec<(String, String)>);

impl Variables {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Config {
    /// An app of `content_root` started by `program` with `arguments`, everything else at its default.
    ///
    /// Nothing is looked up or checked: [`builder`](Self::builder) does that.
    #[must_use]
    pub fn new(content_root: &Path, program: &Path, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        Self {
            content_root: content_root.to_owned(),
            path_base: PathBase::root(),
            command: CommandLine::new(program.to_owned(), arguments),
            startup_time_limit: Duration::from_secs(120),
            shutdown_time_limit: Duration::from_secs(10),
            rapid_fails_per_minute: 10,
            request_timeout: Some(Duration::from_secs(120)),
            stdout_log: None,
            processes_per_application: 1,
            forward_windows_auth_token: true,
            disable_start_up_error_page: false,
            hosting_model: HostingModel::OutOfProcess,
            environment: Variables::default(),
            recycle_on_file_change: Vec::new(),
            handler_settings: HandlerSettings::default(),
            destinations: Vec::new(),
            health_check: HealthCheck::new(),
            processes: Processes::default(),
            forwarding: Forwarding::default(),
            front: FrontLimits::default(),
            site: Site::default(),
            authentication: Authentication::default(),
            websockets: true,
            max_allowed_content_length: None,
            https_port: None,
        }
    }

    /// The same app, mounted under another prefix than its configuration says.
    #[must_use]
    pub fn with_path_base(mut self, path_base: PathBase) -> Self {
        self.path_base = path_base;
        self
    }

    /// The same app behind a front whose HTTPS port this is, unless its configuration says another.
    #[must_use]
    pub fn or_https_port(mut self, port: Option<u16>) -> Self {
        self.https_port = self.https_port.or(port);
        self
    }

    /// The app's directory: absolute, and the working directory of its process.
    #[must_use]
    pub fn content_root(&self) -> &Path {
        &self.content_root
    }

    /// The prefix under which the app is mounted. Default: the root.
    #[must_use]
    pub fn path_base(&self) -> &PathBase {
        &self.path_base
    }

    /// What is started: `processPath` and `arguments`.
    #[must_use]
    pub fn command(&self) -> &CommandLine {
        &self.command
    }

    /// `startupTimeLimit`: how long a process may take to listen. Default 120 s, at most an hour.
    #[must_use]
    pub fn startup_time_limit(&self) -> Duration {
        self.startup_time_limit
    }

    /// `shutdownTimeLimit`: how long a process may take to stop by itself. Default 10 s, at most 600 s.
    #[must_use]
    pub fn shutdown_time_limit(&self) -> Duration {
        self.shutdown_time_limit
    }

    /// `rapidFailsPerMinute`: after how many failures within a minute no further start is tried. Default 10, at most 100.
    #[must_use]
    pub fn rapid_fails_per_minute(&self) -> u32 {
        self.rapid_fails_per_minute
    }

    /// `requestTimeout`: how long the app may let a request stand still, out of process. Default 2 min, at most 15 days;
    /// `None`: no limit.
    #[must_use]
    pub fn request_timeout(&self) -> Option<Duration> {
        self.request_timeout
    }

    /// `stdoutLogFile`, if `stdoutLogEnabled`: the absolute path that every log file's name begins with.
    /// Default: not enabled.
    #[must_use]
    pub fn stdout_log(&self) -> Option<&Path> {
        self.stdout_log.as_deref()
    }

    /// `processesPerApplication`: how many processes serve the app. Default 1, at most 100.
    #[must_use]
    pub fn processes_per_application(&self) -> u32 {
        self.processes_per_application
    }

    /// `forwardWindowsAuthToken`: whether the user's token goes to the app (Windows only). Default true.
    #[must_use]
    pub fn forward_windows_auth_token(&self) -> bool {
        self.forward_windows_auth_token
    }

    /// `disableStartUpErrorPage`: whether a failed start is answered without the module's page. Default false.
    #[must_use]
    pub fn disable_start_up_error_page(&self) -> bool {
        self.disable_start_up_error_page
    }

    /// `hostingModel`. Default: out of process.
    #[must_use]
    pub fn hosting_model(&self) -> HostingModel {
        self.hosting_model
    }

    /// `environmentVariables` as written: in their order, not expanded, duplicates included. The last of a name counts,
    /// in any ASCII case.
    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter()
    }

    /// `recycleOnFileChange`: files, absolute, whose change restarts the app. Default: none.
    #[must_use]
    pub fn recycle_on_file_change(&self) -> &[PathBuf] {
        &self.recycle_on_file_change
    }

    /// `handlerSettings`.
    #[must_use]
    pub fn handler_settings(&self) -> &HandlerSettings {
        &self.handler_settings
    }

    /// How the app's processes are kept, beyond what the module knows.
    #[must_use]
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// How requests are forwarded, beyond what the module knows.
    #[must_use]
    pub fn forwarding(&self) -> &Forwarding {
        &self.forwarding
    }

    /// What the front lets clients do, as far as the file says so.
    #[must_use]
    pub fn front(&self) -> &FrontLimits {
        &self.front
    }

    /// Where the front listens and how TLS is spoken there, as far as the file says so.
    #[must_use]
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Which authentication the front offers for the app.
    #[must_use]
    pub fn authentication(&self) -> Authentication {
        self.authentication
    }

    /// `webSocket enabled`: whether upgrades to WebSocket pass. Default true.
    #[must_use]
    pub fn websockets(&self) -> bool {
        self.websockets
    }

    /// `requestLimits maxAllowedContentLength`: the largest body of a request, in bytes. For an app of ASP.NET Core in process it
    /// is what the app may read unless it says otherwise, 30,000,000 where nothing is said, as in IIS. Out of process, and
    /// for a Rust app in this process, a larger one gets 413 before the app is asked, if
    /// [`maxBodySize`](Forwarding::max_body_size) says nothing else; where neither is said there is no limit of ours.
    /// Default: not said.
    #[must_use]
    pub fn max_allowed_content_length(&self) -> Option<u32> {
        self.max_allowed_content_length
    }

    /// The port of the site's HTTPS endpoint, for the app's redirections. Default: not known.
    #[must_use]
    pub fn https_port(&self) -> Option<u16> {
        self.https_port
    }
}
