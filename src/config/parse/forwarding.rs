//! How requests are forwarded: settings of ours, among those of `handlerSettings`.
//!
//! In `ancm.toml` they stand in the table `proxy`, under the same names.

use std::num::{NonZeroU32, NonZeroUsize};

use super::{
    Parser,
    processes::{COUNT, SPAN, SPAN_OR_ZERO, count, span},
};
use crate::config::{
    forwarding::{
        Forwarding, POLICY, PROTOCOL, PROXIES, UNDERSCORES, VIA, is_via, policy, protocol, proxies,
        underscores,
    },
    raw::RawConfig,
    values::{boolean, seconds_or_span, whole},
};

/// The names, as they are written in both files.
pub(in crate::config) const NAMES: [&str; 23] = [
    "protocol",
    "trustedProxies",
    "forwardedFor",
    "forwardedProto",
    "forwardedHost",
    "forwardedPrefix",
    "forwarded",
    "clientCert",
    "underscores",
    "via",
    "traceContext",
    "connectTimeout",
    "continueTimeout",
    "uploadTimeout",
    "minUploadRate",
    "uploadGrace",
    "headTimeout",
    "bodyTimeout",
    "totalTimeout",
    "maxBodySize",
    "appConnections",
    "connectionQueueLimit",
    "connectionQueueTime",
];

impl Parser<'_> {
    pub(super) fn forwarding(&mut self, raw: &RawConfig, into: &mut Forwarding) {
        let spoken = self.setting(raw, "protocol", PROTOCOL, protocol);
        into.protocol = spoken.unwrap_or(into.protocol);
        self.forwarded_headers(raw, into);
        self.forwarding_limits(raw, into);
    }

    fn forwarded_headers(&mut self, raw: &RawConfig, into: &mut Forwarding) {
        let trusted = self.setting(raw, "trustedProxies", PROXIES, proxies);
        into.trusted_proxies = trusted.unwrap_or_default();
        for (name, value) in [
            ("forwardedFor", &mut into.forwarded_for),
            ("forwardedProto", &mut into.forwarded_proto),
            ("forwardedHost", &mut into.forwarded_host),
            ("forwardedPrefix", &mut into.forwarded_prefix),
            ("forwarded", &mut into.forwarded),
            ("clientCert", &mut into.client_cert),
        ] {
            *value = self.setting(raw, name, POLICY, policy).unwrap_or(*value);
        }
        let names = self.setting(raw, "underscores", UNDERSCORES, underscores);
        into.underscores = names.unwrap_or(into.underscores);
        let name = |text: &str| is_via(text).then(|| text.to_owned());
        into.via = self.setting(raw, "via", VIA, name);
        let trace = self.setting(raw, "traceContext", "true or false", boolean);
        into.trace_context = trace.unwrap_or(into.trace_context);
    }

    fn forwarding_limits(&mut self, raw: &RawConfig, into: &mut Forwarding) {
        let connect = self.setting(raw, "connectTimeout", SPAN, span);
        into.connect_timeout = connect.unwrap_or(into.connect_timeout);
        let wait = self.setting(raw, "continueTimeout", SPAN_OR_ZERO, seconds_or_span);
        into.continue_timeout = wait.unwrap_or(into.continue_timeout);
        let upload = self.setting(raw, "uploadTimeout", SPAN_OR_ZERO, seconds_or_span);
        if let Some(upload) = upload {
            into.upload_timeout = Some(upload).filter(|time| !time.is_zero());
        }
        if let Some(rate) = self.setting(raw, "minUploadRate", "whole bytes a second", whole) {
            into.min_upload_rate = NonZeroU32::new(rate);
        }
        let grace = self.setting(raw, "uploadGrace", SPAN_OR_ZERO, seconds_or_span);
        into.upload_grace = grace.unwrap_or(into.upload_grace);
        into.head_timeout = self.setting(raw, "headTimeout", SPAN, span);
        into.body_timeout = self.setting(raw, "bodyTimeout", SPAN, span);
        into.total_timeout = self.setting(raw, "totalTimeout", SPAN, span);
        let connections = self.setting(raw, "appConnections", COUNT, count);
        into.app_connections = connections.and_then(|many| NonZeroUsize::new(many as usize));
        let waiting = self.setting(raw, "connectionQueueLimit", "a whole number", whole);
        into.connection_queue_limit =
            waiting.map_or(into.connection_queue_limit, |many| many as usize);
        into.connection_queue_time = self.setting(raw, "connectionQueueTime", SPAN, span);
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let bytes = |text: &str| text.parse().ok().filter(|_| digits(text));
        into.max_body_size = self.setting(raw, "maxBodySize", "whole bytes", bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{
        HeaderPolicy, Protocol, Underscores,
        written::{toml, web_config},
    };

    fn expected() -> Forwarding {
        Forwarding {
            protocol: Protocol::H2c,
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            forwarded_for: HeaderPolicy::Set,
            forwarded_proto: HeaderPolicy::Off,
            forwarded_host: HeaderPolicy::Append,
            forwarded_prefix: HeaderPolicy::Set,
            forwarded: HeaderPolicy::Append,
            client_cert: HeaderPolicy::Set,
            underscores: Underscores::Refuse,
            via: Some("front-1".to_owned()),
            trace_context: true,
            connect_timeout: Duration::from_secs(3),
            continue_timeout: Duration::ZERO,
            upload_timeout: None,
            min_upload_rate: NonZeroU32::new(1000),
            upload_grace: Duration::from_secs(9),
            head_timeout: Some(Duration::from_secs(90)),
            body_timeout: Some(Duration::from_secs(7)),
            total_timeout: Some(Duration::from_secs(3600)),
            max_body_size: Some(30_000_000_000),
            app_connections: NonZeroUsize::new(512),
            connection_queue_limit: 0,
            connection_queue_time: Some(Duration::from_secs(10)),
        }
    }

    #[test]
    fn both_files_say_all_of_it() {
        let loaded = toml(
            r#"
[proxy]
protocol = "h2c"
trustedProxies = ["10.0.0.0/8", "::1"]
forwardedFor = "set"
forwardedProto = "off"
forwardedHost = "append"
forwardedPrefix = "set"
forwarded = "append"
clientCert = "set"
underscores = "refuse"
via = "front-1"
traceContext = true
connectTimeout = 3
continueTimeout = 0
uploadTimeout = 0
minUploadRate = 1000
uploadGrace = "00:00:09"
headTimeout = "00:01:30"
bodyTimeout = 7
totalTimeout = "01:00:00"
maxBodySize = 30000000000
appConnections = 512
connectionQueueLimit = 0
connectionQueueTime = 10
"#,
        );
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(*loaded.config.forwarding(), expected());
        let loaded = web_config(&[
            ("protocol", "H2C"),
            ("trustedProxies", "10.0.0.0/8, ::1"),
            ("forwardedFor", "Set"),
            ("forwardedProto", "OFF"),
            ("forwardedHost", "append"),
            ("forwardedPrefix", "set"),
            ("forwarded", "append"),
            ("clientCert", "set"),
            ("underscores", "Refuse"),
            ("via", "front-1"),
            ("traceContext", "True"),
            ("connectTimeout", "3"),
            ("continueTimeout", "0"),
            ("uploadTimeout", "00:00:00"),
            ("minUploadRate", "1000"),
            ("uploadGrace", "9"),
            ("headTimeout", "90"),
            ("bodyTimeout", "00:00:07"),
            ("totalTimeout", "3600"),
            ("maxBodySize", "30000000000"),
            ("appConnections", "512"),
            ("connectionQueueLimit", "0"),
            ("connectionQueueTime", "00:00:10"),
        ]);
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        assert_eq!(*loaded.config.forwarding(), expected());
        let report = loaded.config.report().to_string();
        for line in [
            "protocol                  h2c",
            "trustedProxies            10.0.0.0/8, ::1/128",
            "forwarded headers         For set, Host append, Prefix set, Forwarded append, Client-Cert set",
            "via                       front-1",
            "traceContext              on",
            "maxBodySize               30000000000 bytes",
            "uploadTimeout             none",
            "minUploadRate             1000 bytes a second, after 9 s",
            "appConnections            512",
            "connectionQueueLimit      0",
            "connectionQueueTime       10 s",
            "totalTimeout              3600 s",
        ] {
            assert!(report.contains(line), "{line}: {report}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (name, value) in [
            ("protocol", "h2"),
            ("trustedProxies", "10.0.0.0/33"),
            ("trustedProxies", "localhost"),
            ("forwardedFor", "yes"),
            ("clientCert", "true"),
            ("underscores", "drop"),
            ("via", "a b"),
            ("via", ""),
            ("traceContext", "on"),
            ("connectTimeout", "0"),
            ("headTimeout", "0"),
            ("bodyTimeout", "soon"),
            ("totalTimeout", "-1"),
            ("maxBodySize", "30 MB"),
            ("minUploadRate", "-1"),
            ("uploadGrace", "soon"),
            ("appConnections", "0"),
            ("connectionQueueLimit", "many"),
            ("connectionQueueTime", "0"),
            ("maxBodySize", "+1"),
            ("maxBodySize", ""),
        ] {
            let errors = web_config(&[(name, value)]).unwrap_err();
            let text = errors.to_string();
            assert!(text.contains(&format!("{name}: expected")), "{text}");
        }
        for (text, hint) in [
            (
                "[proxy]\ntrustedproxies = []",
                "did you mean `trustedProxies`?",
            ),
            ("[proxy]\nvia = []", "via: expected one value"),
            (
                "[proxy]\ntrustedProxies = [1]",
                "trustedProxies: expected an array of strings",
            ),
            ("proxy = 5", "proxy: expected a table"),
        ] {
            let errors = toml(text).unwrap_err().to_string();
            assert!(errors.contains(hint), "{errors}");
        }
    }

    #[test]
    fn nothing_said_is_the_default() {
        let loaded = toml("").unwrap();
        assert_eq!(*loaded.config.forwarding(), Forwarding::default());
    }
}
