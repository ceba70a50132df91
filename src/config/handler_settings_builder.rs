//! What stands in `handlerSettings` and in the sections of authentication, said in Rust.

use std::{path::PathBuf, time::Duration};

use http::HeaderName;

use super::{
    attempts::Attempts, authentication::Authentication, builder::Builder,
    handler_settings::HandlerSettings,
};

/// What [`HandlerSettings`] and [`Authentication`] explain.
impl Builder {
    /// Whether the app's output is captured. Defaults to true.
    pub fn console_redirection(mut self, capture: bool) -> Self {
        self.settings().console_redirection = capture;
        self
    }

    /// Whether the app's `Connection: close` reaches the client. Defaults to false.
    pub fn forward_response_connection_header(mut self, forward: bool) -> Self {
        self.settings().forward_response_connection_header = forward;
        self
    }

    /// Whether a changed configuration leaves the app running. Defaults to false.
    pub fn disallow_rotation_on_config_change(mut self, disallow: bool) -> Self {
        self.settings().disallow_rotation_on_config_change = disallow;
        self
    }

    /// Whether a client of this machine sees why a start failed, in production too. Defaults to false.
    pub fn detailed_errors_to_loopback(mut self, detailed: bool) -> Self {
        self.settings().detailed_errors_to_loopback = detailed;
        self
    }

    /// The time from the order to stop to the beginning of the stop. Defaults to 1 s.
    pub fn shutdown_delay(mut self, delay: Duration) -> Self {
        self.settings().shutdown_delay = delay;
        self
    }

    /// The stack of each thread of an app that is hosted in process, in bytes. Defaults to 8 MiB for `Main`, and to the
    /// system's own for all others.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings().stack_size = Some(bytes);
        self
    }

    /// Whether an app that is hosted in process runs in its own folder. Defaults to true.
    pub fn set_current_directory(mut self, set: bool) -> Self {
        self.settings().set_current_directory = set;
        self
    }

    /// Whether what an app that is hosted in process throws while it starts may be shown. Defaults to true.
    pub fn call_startup_hook(mut self, call: bool) -> Self {
        self.settings().call_startup_hook = call;
        self
    }

    /// Whether the front offers Windows authentication. Defaults to false.
    pub fn windows_authentication(mut self, offer: bool) -> Self {
        self.authentication().windows = offer;
        self
    }

    /// Whether the front offers basic authentication. Defaults to false.
    pub fn basic_authentication(mut self, offer: bool) -> Self {
        self.authentication().basic = offer;
        self
    }

    /// Whether the user whom Windows authentication found is that of all later requests of its connection. Defaults to
    /// false.
    pub fn keep_user(mut self, keep: bool) -> Self {
        self.settings().keep_user = keep;
        self
    }

    /// The header that tells the app the user who was authenticated. Defaults to none.
    pub fn user_header(mut self, name: HeaderName) -> Self {
        self.settings().user_header = Some(name);
        self
    }

    /// What clients are told that their password is for. Defaults to nothing in particular.
    pub fn basic_realm(mut self, realm: impl Into<String>) -> Self {
        self.settings().basic_realm = Some(realm.into());
        self
    }

    /// The file of the users of basic authentication, relative to the content root, for who serves by it. Defaults to none.
    pub fn basic_users(mut self, file: impl Into<PathBuf>) -> Self {
        self.settings().basic_users = Some(file.into());
        self
    }

    /// Whether passwords are asked for without TLS. Defaults to false.
    pub fn basic_over_cleartext(mut self, offer: bool) -> Self {
        self.settings().basic_over_cleartext = offer;
        self
    }

    /// How often a password of basic authentication may be tried. Defaults to 10 wrong ones from one address in 5 minutes.
    pub fn basic_attempts(mut self, attempts: Attempts) -> Self {
        self.settings().basic_attempts = attempts;
        self
    }

    /// Whether the front lets anonymous users in. Defaults to true.
    pub fn anonymous_authentication(mut self, offer: bool) -> Self {
        self.authentication().anonymous = offer;
        self
    }

    const fn settings(&mut self) -> &mut HandlerSettings {
        &mut self.config().handler_settings
    }

    const fn authentication(&mut self) -> &mut Authentication {
        &mut self.config().authentication
    }
}
