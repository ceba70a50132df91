//! The table `front` of `ancm.toml`: where it listens and how TLS is spoken there, beside its limits.

use toml::de::{DeTable, DeValue};

use super::{
    findings::Kind,
    parse::FRONT,
    raw::{RawBinding, RawCertificate, RawConfig, Text},
    toml_values::{Key, Reader, Value},
};

/// The keys of the table that are no limits.
const KEYS: [&str; 7] = [
    "clientCa",
    "clientCert",
    "hsts",
    "httpsRedirect",
    "listen",
    "tls",
    "tlsMinVersion",
];

/// Those of a table in `listen`.
const BINDING: [&str; 4] = ["address", "clientCert", "mode", "proxyFrom"];

/// Those of a table in `tls`.
const CERTIFICATE: [&str; 2] = ["cert", "key"];

impl Reader<'_> {
    pub(super) fn front(&mut self, value: &Value<'_>, raw: &mut RawConfig) {
        let Some(table) = value.get_ref().as_table() else {
            return self.mistyped("front", "a table", value);
        };
        for (key, value) in table {
            match &**key.get_ref() {
                "clientCa" => raw.site.client_ca = self.string(key, value),
                "clientCert" => raw.site.client_cert = self.string(key, value),
                "hsts" => raw.site.hsts = self.scalar(key, value),
                "httpsRedirect" => raw.site.https_redirect = self.scalar(key, value),
                "listen" => self.bindings(value, raw),
                "tls" => self.certificates(value, raw),
                "tlsMinVersion" => raw.site.tls_min_version = self.version(key, value),
                name => match FRONT.iter().find(|(limit, _)| *limit == name) {
                    Some((_, setting)) => {
                        let text = self.scalar(key, value);
                        self.setting(key, setting, text, raw);
                    }
                    None => {
                        let limits = FRONT.iter().map(|(limit, _)| *limit);
                        self.unknown(key, KEYS.into_iter().chain(limits));
                    }
                },
            }
        }
    }

    /// Places to listen: one, or several, each in one line or as a table.
    fn bindings(&mut self, value: &Value<'_>, raw: &mut RawConfig) {
        let expected = "an address, or an array of addresses and tables";
        match value.get_ref() {
            DeValue::String(_) => raw.site.listen.extend(self.binding(value)),
            DeValue::Array(items) => {
                for item in items {
                    raw.site.listen.extend(self.binding(item));
                }
            }
            DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_) => self.mistyped("front.listen", expected, value),
        }
    }

    fn binding(&mut self, value: &Value<'_>) -> Option<RawBinding> {
        if let Some(line) = value.get_ref().as_str() {
            return Some(RawBinding {
                at: self.text(line, value),
                client_cert: None,
                proxy_from: None,
                mode: None,
            });
        }
        let table = self.table_of("front.listen", "an address or a table", &BINDING, value)?;
        let mut text = |name| self.optional(table, name);
        let (at, client_cert, mode) = (text("address"), text("clientCert"), text("mode"));
        let proxy_from = table.get("proxyFrom");
        let proxy_from = proxy_from.map(|value| self.list("front.listen.proxyFrom", value));
        Some(RawBinding {
            at: self.required("front.listen.address", at, value)?,
            client_cert,
            proxy_from,
            mode,
        })
    }

    fn certificates(&mut self, value: &Value<'_>, raw: &mut RawConfig) {
        let items = match value.get_ref().as_array() {
            Some(items) => items.iter().collect(),
            None => vec![value],
        };
        for item in items {
            let expected = "a table with `cert` and `key`, or an array of them";
            let Some(table) = self.table_of("front.tls", expected, &CERTIFICATE, item) else {
                continue;
            };
            let (cert, key) = (self.optional(table, "cert"), self.optional(table, "key"));
            let cert = self.required("front.tls.cert", cert, item);
            let files = cert.map(|cert| RawCertificate { cert, key });
            raw.site.certificates.extend(files);
        }
    }

    /// A table that has none but `known` keys.
    fn table_of<'t, 'i>(
        &mut self,
        name: &str,
        expected: &str,
        known: &[&'static str],
        value: &'t Value<'i>,
    ) -> Option<&'t DeTable<'i>> {
        let Some(table) = value.get_ref().as_table() else {
            self.mistyped(name, expected, value);
            return None;
        };
        for (key, _) in table {
            if !known.contains(&&**key.get_ref()) {
                self.unknown(key, known.iter().copied());
            }
        }
        Some(table)
    }

    fn optional(&mut self, table: &DeTable<'_>, name: &str) -> Option<Text> {
        let (key, value) = table.get_key_value(name)?;
        self.scalar(key, value)
    }

    fn required(
        &mut self,
        key: &'static str,
        text: Option<Text>,
        value: &Value<'_>,
    ) -> Option<Text> {
        if text.is_none() {
            let at = self.lines.position(value.span().start);
            let hint = "it says which";
            self.error(at, Kind::Missing { key, hint });
        }
        text
    }

    /// `1.3` without its quotes is a number in TOML, and means the same here.
    fn version(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<Text> {
        if let DeValue::Float(number) = value.get_ref() {
            return Some(self.text(number.as_str(), value));
        }
        self.scalar(key, value)
    }
}
