//! What the front lets clients do: settings of ours, among those of `handlerSettings`.
//!
//! In `ancm.toml` they stand in the table `front`, without the prefix that keeps them apart from those of the app.

use super::{Parser, processes::COUNT, processes::SPAN, processes::count, processes::span};
use crate::config::{
    front::{FrontLimits, LEAST_HEAD_SIZE},
    raw::RawConfig,
    values::{boolean, whole},
};

/// The names in `ancm.toml`, and in `handlerSettings`.
pub(in crate::config) const NAMES: [(&str, &str); 13] = [
    ("maxConnections", "frontMaxConnections"),
    ("maxHeadSize", "frontMaxHeadSize"),
    ("maxHeaders", "frontMaxHeaders"),
    ("headerTimeout", "frontHeaderTimeout"),
    ("idleTimeout", "frontIdleTimeout"),
    ("writeTimeout", "frontWriteTimeout"),
    ("drainTimeout", "frontDrainTimeout"),
    ("maxStreams", "frontMaxStreams"),
    ("maxPendingResets", "frontMaxPendingResets"),
    ("maxErrorResets", "frontMaxErrorResets"),
    ("pingInterval", "frontPingInterval"),
    ("pingTimeout", "frontPingTimeout"),
    ("halfClose", "frontHalfClose"),
];

impl Parser<'_> {
    pub(super) fn front(&mut self, raw: &RawConfig, into: &mut FrontLimits) {
        for (name, value) in [
            ("frontMaxConnections", &mut into.max_connections),
            ("frontMaxHeaders", &mut into.max_headers),
            ("frontMaxStreams", &mut into.max_streams),
        ] {
            *value = self.setting(raw, name, COUNT, count);
        }
        for (name, value) in [
            ("frontMaxPendingResets", &mut into.max_pending_resets),
            ("frontMaxErrorResets", &mut into.max_error_resets),
        ] {
            *value = self.setting(raw, name, "a whole number", whole);
        }
        for (name, value) in [
            ("frontHeaderTimeout", &mut into.header_timeout),
            ("frontIdleTimeout", &mut into.idle_timeout),
            ("frontWriteTimeout", &mut into.write_timeout),
            ("frontDrainTimeout", &mut into.drain_timeout),
            ("frontPingInterval", &mut into.ping_interval),
            ("frontPingTimeout", &mut into.ping_timeout),
        ] {
            *value = self.setting(raw, name, SPAN, span);
        }
        let size = |text: &str| whole(text).filter(|size| *size >= LEAST_HEAD_SIZE);
        let expected = format!("whole bytes, at least {LEAST_HEAD_SIZE}");
        into.max_head_size = self.setting(raw, "frontMaxHeadSize", &expected, size);
        into.half_close = self.setting(raw, "frontHalfClose", "true or false", boolean);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::written::toml;

    #[test]
    fn the_table_says_all_of_it() {
        let loaded = toml(
            r#"
[front]
maxConnections = 500
maxHeadSize = 16384
maxHeaders = 200
headerTimeout = 5
idleTimeout = "00:01:00"
writeTimeout = 20
drainTimeout = 15
maxStreams = 50
maxPendingResets = 0
maxErrorResets = 10
pingInterval = 10
pingTimeout = 4
halfClose = true
"#,
        );
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let want = FrontLimits {
            max_connections: Some(500),
            max_head_size: Some(16_384),
            max_headers: Some(200),
            header_timeout: seconds(5),
            idle_timeout: seconds(60),
            write_timeout: seconds(20),
            drain_timeout: seconds(15),
            max_streams: Some(50),
            max_pending_resets: Some(0),
            max_error_resets: Some(10),
            ping_interval: seconds(10),
            ping_timeout: seconds(4),
            half_close: Some(true),
        };
        assert_eq!(*loaded.config.front(), want);
        let half = FrontLimits {
            max_connections: Some(7),
            ..FrontLimits::default()
        };
        let both = half.or(&want);
        assert_eq!(
            (both.max_connections, both.max_streams),
            (Some(7), Some(50))
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (key, value) in [
            ("maxConnections", "0"),
            ("maxHeadSize", "100"),
            ("maxHeaders", "0"),
            ("maxStreams", "0"),
            ("headerTimeout", "0"),
            ("idleTimeout", "'a while'"),
            ("maxPendingResets", "-1"),
            ("halfClose", "1"),
        ] {
            let errors = toml(&format!("[front]\n{key} = {value}")).unwrap_err();
            let name = NAMES.iter().find(|(have, _)| *have == key).unwrap().1;
            assert!(
                errors.to_string().contains(&format!("{name}: expected")),
                "{errors}"
            );
        }
        let errors = toml("[front]\nmaxconnections = 1").unwrap_err().to_string();
        assert!(
            errors.contains("did you mean `maxConnections`?"),
            "{errors}"
        );
        assert_eq!(*toml("").unwrap().config.front(), FrontLimits::default());
    }
}
