//! Where an app is that nobody here starts: settings of ours, among those of `handlerSettings`.
//!
//! In `ancm.toml` they stand in the table `backends`, under names without what keeps them apart from those of the app.

use super::{
    Parser,
    handler_settings::first,
    processes::{COUNT, SPAN, count, span},
};
use crate::config::{
    destinations::{DESTINATION, Destination, HealthCheck},
    findings::Kind,
    processes::{PATH, is_path},
    raw::RawConfig,
    settings::Config,
};

/// The names in `ancm.toml`, and in `handlerSettings`.
pub(in crate::config) const NAMES: [(&str, &str); 7] = [
    ("to", "forwardTo"),
    ("path", "healthPath"),
    ("interval", "healthInterval"),
    ("timeout", "healthTimeout"),
    ("rise", "healthRise"),
    ("fall", "healthFall"),
    ("resolveInterval", "resolveInterval"),
];

impl Parser<'_> {
    /// Whether the app is somewhere, so that nothing has to be started.
    pub(super) fn is_elsewhere(raw: &RawConfig) -> bool {
        raw.process_path.is_none() && first(raw, "forwardTo").is_some()
    }

    pub(super) fn destinations(&mut self, raw: &RawConfig, into: &mut Config) {
        let to = self.setting(raw, "forwardTo", DESTINATION, destinations);
        into.destinations = to.unwrap_or_default();
        if let (Some(program), Some(to)) = (&raw.process_path, first(raw, "forwardTo")) {
            let expected = "no `processPath` beside it: nothing is started";
            let both = Kind::bad("forwardTo", expected, &program.text);
            self.findings.error(Some(to.at), both);
        }
        let mut check = HealthCheck::new();
        let path = |text: &str| is_path(text).then(|| text.to_owned());
        if let Some(path) = self.setting(raw, "healthPath", PATH, path) {
            check = check.path(path);
        }
        let interval = self.setting(raw, "healthInterval", SPAN, span);
        check.interval = interval.or(check.interval);
        let timeout = self.setting(raw, "healthTimeout", SPAN, span);
        check.timeout = timeout.unwrap_or(check.timeout);
        let rise = self.setting(raw, "healthRise", COUNT, count);
        check.rise = rise.unwrap_or(check.rise);
        let fall = self.setting(raw, "healthFall", COUNT, count);
        check.fall = fall.unwrap_or(check.fall);
        let resolve = self.setting(raw, "resolveInterval", SPAN, span);
        check.resolve_interval = resolve.unwrap_or(check.resolve_interval);
        into.health_check = check;
    }
}

/// Destinations with spaces or commas between them; at least one.
fn destinations(text: &str) -> Option<Vec<Destination>> {
    let parts = text.split([' ', ',', '\t']).filter(|part| !part.is_empty());
    let all: Option<Vec<_>> = parts.map(|part| part.parse().ok()).collect();
    all.filter(|all| !all.is_empty())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::config::{Errors, Loaded};

    fn toml(text: &str) -> Result<Loaded, Errors> {
        let root = tempfile::tempdir().unwrap();
        let vars = BTreeMap::<String, String>::new();
        Config::from_toml(root.path(), text.as_bytes(), &vars)
    }

    #[test]
    fn an_app_that_is_elsewhere_needs_no_program() {
        let loaded = toml(
            r#"
[backends]
to = ["10.0.0.1:5000", "[::1]:5001", "app.internal:80"]
path = "/health"
timeout = 1
rise = 1
fall = 2
resolveInterval = "00:01:00"
"#,
        );
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let to: Vec<_> = loaded.config.destinations().iter().collect();
        let to: Vec<_> = to.iter().map(ToString::to_string).collect();
        assert_eq!(to, ["10.0.0.1:5000", "[::1]:5001", "app.internal:80"]);
        let want = HealthCheck::new()
            .path("/health")
            .interval(Duration::from_secs(5))
            .timeout(Duration::from_secs(1))
            .rise(1)
            .fall(2)
            .resolve_interval(Duration::from_secs(60));
        assert_eq!(*loaded.config.health_check(), want);
        let report = loaded.config.report().to_string();
        assert!(
            report.contains("forwards to               10.0.0.1:5000, [::1]:5001, app.internal:80"),
            "{report}"
        );
        assert!(
            report.contains("health check              /health, every 5 s"),
            "{report}"
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, told) in [
            ("[backends]\nto = []", "forwardTo: expected IP:PORT"),
            ("[backends]\nto = ['a']", "forwardTo: expected IP:PORT"),
            ("[backends]\nto = 'a:1'", "forwardTo: expected an array"),
            ("[backends]\nTo = ['a:1']", "did you mean `to`?"),
            (
                "processPath = 'x'\n[backends]\nto = ['a:1']",
                "forwardTo: expected no `processPath` beside it",
            ),
            ("[backends]\nto = ['a:1']\nrise = 0", "healthRise: expected"),
            (
                "[backends]\nto = ['a:1']\npath = 'health'",
                "healthPath: expected",
            ),
            ("[backends]\nrise = 1", "processPath: missing"),
        ] {
            let errors = toml(text).unwrap_err().to_string();
            assert!(errors.contains(told), "{text}: {errors}");
        }
    }
}
