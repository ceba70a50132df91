//! `handlerSettings`: a list of names and values, of which each module takes what it knows.

use std::time::Duration;

use http::HeaderName;

use super::{DESTINATIONS, FORWARDING, FRONT, Parser, processes::NAMES};
use crate::{
    config::{
        findings::{Kind, WarningKind},
        raw::{RawConfig, Text},
        settings::Config,
        values::{boolean, whole},
    },
    headers::{is_forwarded, is_reserved},
};

const CONSOLE_REDIRECTION: &str = "enableOutOfProcessConsoleRedirection";
const FORWARD_CONNECTION: &str = "forwardResponseConnectionHeader";
const DISALLOW_ROTATION: &str = "disallowRotationOnConfigChange";
/// Ours: the module has no such setting, and passes over it.
const DETAIL_TO_LOOPBACK: &str = "detailedErrorsToLoopback";
const KEEP_USER: &str = "keepUser";
const USER_HEADER: &str = "userHeader";
const SHUTDOWN_DELAY: &str = "shutdownDelay";
/// The variable that stands in for [`SHUTDOWN_DELAY`].
const SHUTDOWN_DELAY_VARIABLE: &str = "ANCM_shutdownDelay";

/// Those of the module that mean nothing here, and why.
const IGNORED: [(&str, &str); 11] = [
    (
        "handlerVersion",
        "there are no handler versions to choose from",
    ),
    ("debugFile", "logs are set up for the whole server"),
    ("debugLevel", "logs are set up for the whole server"),
    ("enableShadowCopy", "the app runs from its own directory"),
    (
        "experimentalEnableShadowCopy",
        "the app runs from its own directory",
    ),
    ("shadowCopyDirectory", "the app runs from its own directory"),
    (
        "cleanShadowCopyDirectory",
        "the app runs from its own directory",
    ),
    ("setCurrentDirectory", "for in-process hosting only"),
    ("callStartupHook", "for in-process hosting only"),
    ("stackSize", "for in-process hosting only"),
    (
        "suppressRecycleOnStartupTimeout",
        "for in-process hosting only",
    ),
];

impl Parser<'_> {
    pub(super) fn handler_settings(&mut self, raw: &RawConfig, config: &mut Config) {
        self.warn_of_others(raw);
        let settings = &mut config.handler_settings;
        for (name, setting) in [
            (CONSOLE_REDIRECTION, &mut settings.console_redirection),
            (
                FORWARD_CONNECTION,
                &mut settings.forward_response_connection_header,
            ),
            (
                DISALLOW_ROTATION,
                &mut settings.disallow_rotation_on_config_change,
            ),
            (
                DETAIL_TO_LOOPBACK,
                &mut settings.detailed_errors_to_loopback,
            ),
            (KEEP_USER, &mut settings.keep_user),
        ] {
            let text = first(raw, name);
            *setting = text.map_or(*setting, |text| self.switch(name, text, *setting));
        }
        self.user_header(raw, config);
        self.shutdown_delay(raw, config);
    }

    /// ANCM: what is neither true nor false means the default.
    fn switch(&mut self, name: &str, text: &Text, default: bool) -> bool {
        boolean(&text.text).unwrap_or_else(|| {
            self.warn(
                text.at,
                name,
                format!("neither true nor false, so it is {default}"),
            );
            default
        })
    }

    /// A name of the protocol's own would let an app that trusts the module trust a client.
    fn user_header(&mut self, raw: &RawConfig, config: &mut Config) {
        let Some(text) = first(raw, USER_HEADER) else {
            return;
        };
        match HeaderName::try_from(&*text.text) {
            Ok(name) if !is_reserved(&name) && !is_forwarded(&name) => {
                config.handler_settings.user_header = Some(name);
            }
            Ok(_) | Err(_) => {
                let expected =
                    "the name of a header that means nothing else, such as X-Remote-User";
                let bad = Kind::bad(USER_HEADER, expected, &text.text);
                self.findings.error(Some(text.at), bad);
            }
        }
    }

    /// From the setting, else from the variable of the configuration, else from that of the environment.
    fn shutdown_delay(&mut self, raw: &RawConfig, config: &mut Config) {
        let variable = raw
            .environment
            .iter()
            .rfind(|(name, _)| name.text.eq_ignore_ascii_case(SHUTDOWN_DELAY_VARIABLE))
            .map(|(_, value)| value);
        let inherited = self.lookup.get(SHUTDOWN_DELAY_VARIABLE).map(str::to_owned);
        let (key, text, at) = match (first(raw, SHUTDOWN_DELAY), variable, inherited) {
            (Some(text), _, _) => (SHUTDOWN_DELAY, text.text.clone(), Some(text.at)),
            (_, Some(text), _) => (SHUTDOWN_DELAY_VARIABLE, text.text.clone(), Some(text.at)),
            (_, _, Some(text)) => (SHUTDOWN_DELAY_VARIABLE, text, None),
            (None, None, None) => return,
        };
        match whole(&text) {
            Some(delay) => {
                config.handler_settings.shutdown_delay = Duration::from_millis(u64::from(delay));
            }
            None => {
                let bad = Kind::bad(key, "whole milliseconds", &text);
                self.findings.error(at, bad);
            }
        }
    }

    fn warn_of_others(&mut self, raw: &RawConfig) {
        let known = [
            CONSOLE_REDIRECTION,
            FORWARD_CONNECTION,
            DISALLOW_ROTATION,
            DETAIL_TO_LOOPBACK,
            KEEP_USER,
            USER_HEADER,
            SHUTDOWN_DELAY,
        ];
        for (Text { text: name, at }, _) in &raw.handler_settings {
            let same = |other: &str| name.eq_ignore_ascii_case(other);
            let subject = format!("handlerSetting {name}");
            let tables = FRONT.into_iter().chain(DESTINATIONS);
            let tables = tables.map(|(_, name)| name);
            let ours = NAMES.into_iter().chain(FORWARDING).chain(tables);
            if known.into_iter().chain(ours).any(same) {
                continue;
            } else if let Some((_, why)) = IGNORED.iter().find(|(ignored, _)| same(ignored)) {
                let message = format!("ignored: {why}");
                self.findings
                    .warn(Some(*at), WarningKind::Ignored, subject, message);
            } else {
                let message = "not a setting that is known";
                self.findings
                    .warn(Some(*at), WarningKind::Unknown, subject, message);
            }
        }
    }
}

/// ANCM: names in any case, and the first of a name counts.
pub(super) fn first<'a>(raw: &'a RawConfig, name: &str) -> Option<&'a Text> {
    raw.handler_settings
        .iter()
        .find(|(have, _)| have.text.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
