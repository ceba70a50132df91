//! `handlerSettings`: a list of names and values, of which each module takes what it knows.

use std::{ops::RangeInclusive, time::Duration};

use http::HeaderName;

use super::{ATTEMPTS, DESTINATIONS, FORWARDING, FRONT, Parser, processes::NAMES};
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
const SET_CURRENT_DIRECTORY: &str = "setCurrentDirectory";
const CALL_STARTUP_HOOK: &str = "callStartupHook";
const STACK_SIZE: &str = "stackSize";
/// What a stack may be, in bytes: no less than CoreCLR gets along with, and no more than is meant.
const STACK_SIZES: RangeInclusive<usize> = 0x1_0000..=0x4000_0000;
const BASIC_USERS: &str = "basicUsers";
const BASIC_REALM: &str = "basicRealm";
const BASIC_OVER_CLEARTEXT: &str = "basicOverCleartext";
const SHUTDOWN_DELAY: &str = "shutdownDelay";
/// The variable that stands in for [`SHUTDOWN_DELAY`].
const SHUTDOWN_DELAY_VARIABLE: &str = "ANCM_shutdownDelay";

/// Those of the module that mean nothing here, and why.
const IGNORED: [(&str, &str); 8] = [
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
    (
        "suppressRecycleOnStartupTimeout",
        "an app that did not start in time ends with its process",
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
            (SET_CURRENT_DIRECTORY, &mut settings.set_current_directory),
            (CALL_STARTUP_HOOK, &mut settings.call_startup_hook),
            (BASIC_OVER_CLEARTEXT, &mut settings.basic_over_cleartext),
        ] {
            let text = first(raw, name);
            *setting = text.map_or(*setting, |text| self.switch(name, text, *setting));
        }
        self.user_header(raw, config);
        self.stack_size(raw, config);
        self.basic(raw, config);
        self.attempts(raw, &mut config.handler_settings.basic_attempts);
        self.shutdown_delay(raw, config);
    }

    /// ANCM: hexadecimal, with or without `0x`.
    fn stack_size(&mut self, raw: &RawConfig, config: &mut Config) {
        let Some(text) = first(raw, STACK_SIZE) else {
            return;
        };
        let digits = text.text.strip_prefix("0x").unwrap_or(&text.text);
        let bytes = usize::from_str_radix(digits, 16).ok();
        let is_number = !digits.starts_with('+');
        match bytes.filter(|bytes| is_number && STACK_SIZES.contains(bytes)) {
            Some(bytes) => config.handler_settings.stack_size = Some(bytes),
            None => {
                let expected = "bytes in hexadecimal, from 10000 to 40000000";
                let bad = Kind::bad(STACK_SIZE, expected, &text.text);
                self.findings.error(Some(text.at), bad);
            }
        }
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

    /// The realm is that of the setting, else that of `web.config`'s own section.
    fn basic(&mut self, raw: &RawConfig, config: &mut Config) {
        let realm = first(raw, BASIC_REALM).or(raw.basic_realm.as_ref());
        if let Some(Text { text, at }) = realm.filter(|realm| !realm.text.is_empty()) {
            if text.chars().any(char::is_control) {
                let bad = Kind::bad(BASIC_REALM, "a name without control characters", text);
                self.findings.error(Some(*at), bad);
            }
            config.handler_settings.basic_realm = Some(text.clone());
        }
        if let Some(text) = first(raw, BASIC_USERS) {
            config.handler_settings.basic_users = self.file(BASIC_USERS, text);
            if !config.authentication.basic {
                let message =
                    "basic authentication is not offered, so nobody is asked for a password";
                self.warn(text.at, BASIC_USERS, message.to_owned());
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
            BASIC_USERS,
            BASIC_REALM,
            BASIC_OVER_CLEARTEXT,
            SHUTDOWN_DELAY,
            SET_CURRENT_DIRECTORY,
            CALL_STARTUP_HOOK,
            STACK_SIZE,
        ];
        for (Text { text: name, at }, _) in &raw.handler_settings {
            let same = |other: &str| name.eq_ignore_ascii_case(other);
            let subject = format!("handlerSetting {name}");
            let tables = FRONT.into_iter().chain(DESTINATIONS);
            let tables = tables.map(|(_, name)| name);
            let ours = NAMES.into_iter().chain(FORWARDING);
            let ours = ours.chain(ATTEMPTS).chain(tables);
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
