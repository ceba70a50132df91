//! A configuration as written: text, and where it stands. Nothing is checked yet.

use super::findings::Position;

/// A value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) at: Position,
}

/// `arguments`: one line, as `web.config` has it, or already split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    Line(Text),
    List(Vec<Text>),
}

/// A configuration as written, in whichever format.
#[derive(Clone, Debug, Default)]
pub(super) struct RawConfig {
    pub(super) process_path: Option<Text>,
    pub(super) arguments: Option<Arguments>,
    pub(super) startup_time_limit: Option<Text>,
    pub(super) shutdown_time_limit: Option<Text>,
    pub(super) rapid_fails_per_minute: Option<Text>,
    pub(super) request_timeout: Option<Text>,
    pub(super) stdout_log_enabled: Option<Text>,
    pub(super) stdout_log_file: Option<Text>,
    pub(super) processes_per_application: Option<Text>,
    pub(super) forward_windows_auth_token: Option<Text>,
    pub(super) disable_start_up_error_page: Option<Text>,
    pub(super) hosting_model: Option<Text>,
    pub(super) environment: Vec<(Text, Text)>,
    pub(super) handler_settings: Vec<(Text, Text)>,
    pub(super) recycle_on_file_change: Vec<Text>,
    pub(super) windows_authentication: Option<Text>,
    pub(super) basic_authentication: Option<Text>,
    pub(super) anonymous_authentication: Option<Text>,
    pub(super) web_socket: Option<Text>,
    pub(super) path_base: Option<Text>,
    pub(super) https_port: Option<Text>,
}

/// The keys of `aspNetCore` with one value each, apart from `arguments`.
pub(super) const KEYS: [&str; 11] = [
    "processPath",
    "startupTimeLimit",
    "shutdownTimeLimit",
    "rapidFailsPerMinute",
    "requestTimeout",
    "stdoutLogEnabled",
    "stdoutLogFile",
    "processesPerApplication",
    "forwardWindowsAuthToken",
    "disableStartUpErrorPage",
    "hostingModel",
];

impl RawConfig {
    /// The place of one of [`KEYS`].
    pub(super) fn slot(&mut self, key: &str) -> Option<&mut Option<Text>> {
        Some(match key {
            "processPath" => &mut self.process_path,
            "startupTimeLimit" => &mut self.startup_time_limit,
            "shutdownTimeLimit" => &mut self.shutdown_time_limit,
            "rapidFailsPerMinute" => &mut self.rapid_fails_per_minute,
            "requestTimeout" => &mut self.request_timeout,
            "stdoutLogEnabled" => &mut self.stdout_log_enabled,
            "stdoutLogFile" => &mut self.stdout_log_file,
            "processesPerApplication" => &mut self.processes_per_application,
            "forwardWindowsAuthToken" => &mut self.forward_windows_auth_token,
            "disableStartUpErrorPage" => &mut self.disable_start_up_error_page,
            "hostingModel" => &mut self.hosting_model,
            _ => return None,
        })
    }
}

/// A hint at the name of `known` that `name` is in another case, else nothing.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .map(|known| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_place() {
        let mut raw = RawConfig::default();
        for (line, key) in (1..).zip(KEYS) {
            let at = Position::new(line, 1);
            let slot = raw.slot(key).unwrap();
            assert_eq!(*slot, None, "{key}");
            *slot = Some(Text {
                text: key.to_owned(),
                at,
            });
        }
        assert!(raw.slot("processpath").is_none());
    }
}
