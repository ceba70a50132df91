//! How often a password may be tried: settings of ours, among those of `handlerSettings`.
//!
//! In `ancm.toml` they stand in the table `authentication`, under the same names.

use std::time::Duration;

use super::{Parser, processes::SPAN_OR_ZERO};
use crate::config::{
    attempts::Attempts,
    raw::RawConfig,
    values::{seconds_or_span, whole},
};

/// The names, as they are written in both files.
pub(in crate::config) const NAMES: [&str; 4] = [
    "basicAttempts",
    "basicAttemptsTime",
    "basicWait",
    "basicRemember",
];

const COUNT: &str = "a whole number from 0 to 1000";
const TIME: &str = "whole seconds or [d.]hh:mm:ss, from a second to a day";

impl Parser<'_> {
    pub(super) fn attempts(&mut self, raw: &RawConfig, into: &mut Attempts) {
        let count = |text: &str| whole(text).filter(|count| *count <= Attempts::MOST);
        let wrong = self.setting(raw, "basicAttempts", COUNT, count);
        into.wrong = wrong.unwrap_or(into.wrong);
        let within = |text: &str| seconds_or_span(text).filter(|time| *time <= Attempts::LONGEST);
        let time = |text: &str| within(text).filter(|time| *time >= Duration::from_secs(1));
        let time = self.setting(raw, "basicAttemptsTime", TIME, time);
        into.time = time.unwrap_or(into.time);
        for (name, value) in [
            ("basicWait", &mut into.wait),
            ("basicRemember", &mut into.remember),
        ] {
            let expected = format!("{SPAN_OR_ZERO}, at most a day");
            *value = self.setting(raw, name, &expected, within).unwrap_or(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::written::{toml, web_config};

    const USED: &str = "[authentication]\nbasic = true\n";

    #[test]
    fn both_files_say_the_same() {
        let text = format!(
            "{USED}basicAttempts = 3\nbasicAttemptsTime = 60\nbasicWait = '00:00:02'\nbasicRemember = 0"
        );
        let settings = [
            ("basicAttempts", "3"),
            ("basicAttemptsTime", "00:01:00"),
            ("basicwait", "2"),
            ("basicRemember", "0"),
        ];
        let want = Attempts::new()
            .wrong(3)
            .time(Duration::from_secs(60))
            .wait(Duration::from_secs(2))
            .remember(Duration::ZERO);
        for loaded in [toml(&text), web_config(&settings)] {
            let loaded = loaded.unwrap();
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            assert_eq!(*loaded.config.handler_settings().basic_attempts(), want);
        }
        let report = toml(&text).unwrap().config.report().to_string();
        for line in [
            "basicAttempts             3 wrong ones in 60 s",
            "basicWait                 2 s",
            "basicRemember             0 s",
        ] {
            assert!(report.lines().any(|have| have == line), "{report}");
        }
        let unlimited = toml(&format!("{USED}basicAttempts = 0")).unwrap();
        let report = unlimited.config.report().to_string();
        assert!(
            report.contains("basicAttempts             not limited\n"),
            "{report}"
        );
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for (name, value) in [
            ("basicAttempts", "-1"),
            ("basicAttempts", "1001"),
            ("basicAttempts", "many"),
            ("basicAttemptsTime", "0"),
            ("basicAttemptsTime", "86401"),
            ("basicWait", "1.00:00:01"),
            ("basicRemember", "a while"),
        ] {
            let errors = web_config(&[(name, value)]).unwrap_err().to_string();
            assert!(errors.contains(&format!("{name}: expected ")), "{errors}");
        }
    }
}
