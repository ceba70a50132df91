//! What was understood of who is let in, and how.

use std::fmt;

use super::{
    attempts::Attempts,
    findings::shown,
    report::{Report, Span, list, on, row},
};

impl Report<'_> {
    /// What is offered, and what of it is not at its default.
    pub(super) fn authentication(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
        let kinds = config.authentication;
        let offered: Vec<&str> = [
            (kinds.windows, "windows"),
            (kinds.basic, "basic"),
            (kinds.anonymous, "anonymous"),
        ]
        .into_iter()
        .filter_map(|(offered, name)| offered.then_some(name))
        .collect();
        row(f, "authentication", list(&offered))?;
        if let Some(name) = &config.handler_settings.user_header {
            row(f, "userHeader", name)?;
        }
        if config.handler_settings.keep_user {
            row(f, "keepUser", on(true))?;
        }
        if let Some(realm) = &config.handler_settings.basic_realm {
            row(f, "basicRealm", shown(realm))?;
        }
        if let Some(file) = &config.handler_settings.basic_users {
            row(f, "basicUsers", file.display())?;
        }
        if config.handler_settings.basic_over_cleartext {
            row(f, "basicOverCleartext", on(true))?;
        }
        if kinds.basic {
            attempts(f, &config.handler_settings.basic_attempts)?;
        }
        Ok(())
    }
}

fn attempts(f: &mut fmt::Formatter<'_>, attempts: &Attempts) -> fmt::Result {
    match attempts.wrong_in_time() {
        Some((wrong, time)) => {
            let limit = format_args!("{wrong} wrong ones in {}", Span(time)).to_string();
            row(f, "basicAttempts", limit)?;
        }
        None => row(f, "basicAttempts", "not limited")?,
    }
    row(f, "basicWait", Span(attempts.wait))?;
    row(f, "basicRemember", Span(attempts.remember))
}
