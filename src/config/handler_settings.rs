//! `handlerSettings`, once they are known to be valid.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::HeaderName;

use super::attempts::Attempts;

/// The `handlerSettings` that this module knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerSettings {
    pub(crate) console_redirection: bool,
    pub(crate) forward_response_connection_header: bool,
    pub(crate) disallow_rotation_on_config_change: bool,
    pub(crate) detailed_errors_to_loopback: bool,
    pub(crate) shutdown_delay: Duration,
    pub(crate) keep_user: bool,
    pub(crate) user_header: Option<HeaderName>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) set_current_directory: bool,
    pub(crate) call_startup_hook: bool,
    /// Absolute.
    pub(crate) basic_users: Option<PathBuf>,
    pub(crate) basic_realm: Option<String>,
    pub(crate) basic_over_cleartext: bool,
    pub(crate) basic_attempts: Attempts,
}

impl HandlerSettings {
    /// `enableOutOfProcessConsoleRedirection`: whether the app's output is captured. Default true.
    #[must_use]
    pub fn console_redirection(&self) -> bool {
        self.console_redirection
    }

    /// `forwardResponseConnectionHeader`: whether the app's `Connection: close` reaches the client. Default false.
    #[must_use]
    pub fn forward_response_connection_header(&self) -> bool {
        self.forward_response_connection_header
    }

    /// `disallowRotationOnConfigChange`: whether a changed configuration leaves the app running. Default false.
    #[must_use]
    pub fn disallow_rotation_on_config_change(&self) -> bool {
        self.disallow_rotation_on_config_change
    }

    /// `detailedErrorsToLoopback`: whether a client of this machine sees why a start failed, in production too. Default
    /// false: behind another proxy on this machine every client is one of this machine.
    #[must_use]
    pub fn detailed_errors_to_loopback(&self) -> bool {
        self.detailed_errors_to_loopback
    }

    /// `shutdownDelay`: the time from the order to stop to the beginning of the stop. Default 1 s.
    #[must_use]
    pub fn shutdown_delay(&self) -> Duration {
        self.shutdown_delay
    }

    /// `keepUser`: whether the user whom Windows authentication found is that of all later requests of its connection, as
    /// in IIS. Default false: a proxy in front may send several users' requests through one connection.
    #[must_use]
    pub fn keep_user(&self) -> bool {
        self.keep_user
    }

    /// `userHeader`: the header that tells the app the user who was authenticated, for apps without our app half.
    /// Default: none.
    #[must_use]
    pub fn user_header(&self) -> Option<&HeaderName> {
        self.user_header.as_ref()
    }

    /// `stackSize`: the stack of each thread of an app that is hosted in process, in bytes, `Main`'s included. Default: 8 MiB
    /// for `Main`, as of a main thread, and the system's own for all others.
    #[must_use]
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// `setCurrentDirectory`: whether an app that is hosted in process runs in its own folder. Default true.
    #[must_use]
    pub fn set_current_directory(&self) -> bool {
        self.set_current_directory
    }

    /// `callStartupHook`: whether what an app that is hosted in process throws while it starts may be shown. Default true.
    #[must_use]
    pub fn call_startup_hook(&self) -> bool {
        self.call_startup_hook
    }

    /// `basicUsers`: the file of the users of Basic authentication, absolute. Default: none.
    #[must_use]
    pub fn basic_users(&self) -> Option<&Path> {
        self.basic_users.as_deref()
    }

    /// `basicRealm`, or `realm` of `basicAuthentication`: what clients are told that the password is for. Default: not
    /// said.
    #[must_use]
    pub fn basic_realm(&self) -> Option<&str> {
        self.basic_realm.as_deref()
    }

    /// `basicOverCleartext`: whether passwords are asked for without TLS, where everybody on the way can read them.
    /// Default false.
    #[must_use]
    pub fn basic_over_cleartext(&self) -> bool {
        self.basic_over_cleartext
    }

    /// `basicAttempts`, `basicAttemptsTime`, `basicWait`, `basicRemember`: how often a password may be tried. Default: 10 wrong
    /// ones from one address in 5 minutes.
    pub fn basic_attempts(&self) -> &Attempts {
        &self.basic_attempts
    }
}

impl Default for HandlerSettings {
    fn default() -> Self {
        Self {
            console_redirection: true,
            forward_response_connection_header: false,
            disallow_rotation_on_config_change: false,
            detailed_errors_to_loopback: false,
            shutdown_delay: Duration::from_secs(1),
            keep_user: false,
            user_header: None,
            stack_size: None,
            set_current_directory: true,
            call_startup_hook: true,
            basic_users: None,
            basic_realm: None,
            basic_over_cleartext: false,
            basic_attempts: Attempts::new(),
        }
    }
}
