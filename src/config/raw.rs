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
    pub(super) basic_realm: Option<Text>,
    pub(super) anonymous_authentication: Option<Text>,
    pub(super) web_socket: Option<Text>,
    pub(super) max_allowed_content_length: Option<Text>,
    pub(super) path_base: Option<Text>,
    pub(super) https_port: Option<Text>,
    pub(super) site: RawSite,
}

/// What is said of the front as a whole, which only `ancm.toml` does.
#[derive(Clone, Debug, Default)]
pub(super) struct RawSite {
    pub(super) listen: Vec<RawBinding>,
    pub(super) certificates: Vec<RawCertificate>,
    pub(super) tls_min_version: Option<Text>,
    pub(super) client_cert: Option<Text>,
    pub(super) client_ca: Option<Text>,
    pub(super) https_redirect: Option<Text>,
    pub(super) hsts: Option<Text>,
}

/// A place to listen.
#[derive(Clone, Debug)]
pub(super) struct RawBinding {
    pub(super) at: Text,
    pub(super) client_cert: Option<Text>,
    pub(super) proxy_from: Option<Vec<Text>>,
    pub(super) mode: Option<Text>,
}

/// The files of a certificate. Without a key, that is in the same file.
#[derive(Clone, Debug)]
pub(super) struct RawCertificate {
    pub(super) cert: Text,
    pub(super) key: Option<Text>,
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

/// A hint at the name of `known` that `name` is in another spelling (`client-cert` for `clientCert`) or with a slip or
/// two, else nothing.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let typed = folded(name);
    let near = |known: &'a str| (slips(&typed, &folded(known)), known);
    let nearest = known.into_iter().map(near).min_by_key(|(slips, _)| *slips);
    nearest
        .filter(|(slips, known)| *slips <= known.len().min(10) / 5)
        .map(|(_, known)| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

/// A name without what styles of spelling differ in. Cut: nobody means a key by a whole page.
fn folded(name: &str) -> Vec<char> {
    let letters = name.chars().filter(|c| !matches!(c, '-' | '_')).take(64);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// How many letters are too many, missing or others (Levenshtein's distance).
fn slips(one: &[char], other: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, a) in one.iter().enumerate() {
        let mut corner = above;
        let mut left = above + 1;
        for (cell, b) in row.iter_mut().skip(1).zip(other) {
            let best = (corner + usize::from(a != b)).min(left + 1).min(*cell + 1);
            corner = std::mem::replace(cell, best);
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_name() {
        let known = ["clientCert", "hsts", "tls", "httpsRedirect", "basic"];
        for (name, want) in [
            ("client-cert", "clientCert"),
            ("client_cert", "clientCert"),
            ("CLIENTCERT", "clientCert"),
            ("clientCer", "clientCert"),
            ("clinetCert", "clientCert"),
            ("httpRedirect", "httpsRedirect"),
        ] {
            let hint = did_you_mean(name, known);
            assert_eq!(hint, format!("; did you mean `{want}`?"), "{name}");
        }
        for name in ["", "kerberos", "ssl", "hst", "xxxxxxxxxx"] {
            assert_eq!(did_you_mean(name, known), "", "{name}");
        }
        assert_eq!(slips(&folded("kitten"), &folded("sitting")), 3);
        assert_eq!(slips(&[], &folded("abc")), 3);
    }

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
