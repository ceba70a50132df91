//! What an app is and how it is run: only valid values.

mod vars;

pub use self::vars::{ProcessVars, Vars};

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::PathBase;

/// An app's configuration: only valid values.
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
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) recycle_on_file_change: Vec<PathBuf>,
    pub(crate) handler_settings: HandlerSettings,
    pub(crate) authentication: Authentication,
    pub(crate) websockets: bool,
    pub(crate) https_port: Option<u16>,
}

/// A program and its arguments, already split and translated for this operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// An absolute path, or a bare name to be found on `PATH`.
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
}

/// Where the app runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostingModel {
    /// In a process of its own, behind the proxy.
    #[default]
    OutOfProcess,
    /// In the front's process.
    InProcess,
}

/// The `handlerSettings` that this module knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerSettings {
    /// `enableOutOfProcessConsoleRedirection`, default true.
    pub(crate) console_redirection: bool,
    /// `forwardResponseConnectionHeader`, default false.
    pub(crate) forward_response_connection_header: bool,
    /// `disallowRotationOnConfigChange`, default false.
    pub(crate) disallow_rotation_on_config_change: bool,
    /// `shutdownDelay`, default 1 s.
    pub(crate) shutdown_delay: Duration,
}

/// Which authentication the front offers for the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication {
    pub(crate) windows: bool,
    pub(crate) basic: bool,
    pub(crate) anonymous: bool,
}

impl Config {
    /// An app of `content_root` started by `program` with `arguments`, everything else at its default.
    pub fn new(content_root: &Path, program: &Path, arguments: &[&str]) -> Self {
        Self {
            content_root: content_root.to_owned(),
            path_base: PathBase::root(),
            command: CommandLine {
                program: program.to_owned(),
                arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            },
            startup_time_limit: Duration::from_secs(120),
            shutdown_time_limit: Duration::from_secs(10),
            rapid_fails_per_minute: 10,
            request_timeout: Some(Duration::from_secs(120)),
            stdout_log: None,
            processes_per_application: 1,
            forward_windows_auth_token: true,
            disable_start_up_error_page: false,
            hosting_model: HostingModel::OutOfProcess,
            environment: Vec::new(),
            recycle_on_file_change: Vec::new(),
            handler_settings: HandlerSettings {
                console_redirection: true,
                forward_response_connection_header: false,
                disallow_rotation_on_config_change: false,
                shutdown_delay: Duration::from_secs(1),
            },
            authentication: Authentication {
                windows: false,
                basic: false,
                anonymous: true,
            },
            websockets: true,
            https_port: None,
        }
    }
}
