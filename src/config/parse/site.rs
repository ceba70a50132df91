//! Where the front listens and how TLS is spoken there.

use std::{path::PathBuf, time::Duration};

use super::{Parser, under};
use crate::config::{
    findings::Kind,
    raw::{RawBinding, RawCertificate, RawSite, Text},
    site::{Binding, CertificateFiles, Hsts, HttpsRedirect, Site},
    values::{boolean, seconds_or_span, whole},
};

impl Parser<'_> {
    pub(super) fn site(&mut self, raw: &RawSite, into: &mut Site) {
        for binding in &raw.listen {
            into.bindings.extend(self.binding(binding));
        }
        for files in &raw.certificates {
            into.certificates.extend(self.certificate(files));
        }
        into.tls_min_version = self.said("front.tlsMinVersion", raw.tls_min_version.as_ref());
        into.client_cert = self.said("front.clientCert", raw.client_cert.as_ref());
        let ca = raw.client_ca.as_ref();
        into.client_ca = ca.and_then(|text| self.file("front.clientCa", text));
        let expected = "true, false or the port that speaks TLS";
        into.https_redirect = self.value(
            "front.httpsRedirect",
            &raw.https_redirect,
            expected,
            redirect,
        );
        let expected = "true, false or a time in seconds or [d.]hh:mm:ss";
        into.hsts = self.value("front.hsts", &raw.hsts, expected, hsts);
    }

    fn binding(&mut self, raw: &RawBinding) -> Option<Binding> {
        let mut binding: Binding = match self.lookup.expand(&raw.at.text).parse() {
            Ok(binding) => binding,
            Err(why) => {
                self.wrong("front.listen", &raw.at, &why);
                return None;
            }
        };
        if let Some(text) = &raw.client_cert {
            let set = binding.set_client_cert(&text.text);
            self.take("front.listen.clientCert", text, set);
        }
        if let Some(networks) = &raw.proxy_from {
            binding.proxy_from.get_or_insert_default();
            for text in networks {
                let added = binding.add_proxy(&text.text);
                self.take("front.listen.proxyFrom", text, added);
            }
        }
        if let Some(text) = &raw.mode {
            let set = binding.set_mode(&text.text);
            self.take("front.listen.mode", text, set);
        }
        Some(binding)
    }

    fn certificate(&mut self, raw: &RawCertificate) -> Option<CertificateFiles> {
        let chain = self.file("front.tls.cert", &raw.cert)?;
        let key = match &raw.key {
            Some(text) => self.file("front.tls.key", text)?,
            None => chain.clone(),
        };
        Some(CertificateFiles { chain, key })
    }

    /// A path, relative to the content root. Whether the file is there shows when it is read.
    pub(super) fn file(&mut self, key: &'static str, text: &Text) -> Option<PathBuf> {
        self.warn_of_unknown_names(key, text);
        let path = under(self.root, &self.lookup.expand(&text.text));
        let path = path.filter(|_| !text.text.is_empty());
        if path.is_none() {
            let bad = Kind::bad(key, "a path of this system", &text.text);
            self.findings.error(Some(text.at), bad);
        }
        path
    }

    /// A value that says by itself what it expects.
    fn said<T>(&mut self, key: &'static str, text: Option<&Text>) -> Option<T>
    where
        T: std::str::FromStr<Err = String>,
    {
        let text = text?;
        let read = text.text.parse();
        read.map_err(|why| self.wrong(key, text, &why)).ok()
    }

    fn take(&mut self, key: &'static str, text: &Text, taken: Result<(), String>) {
        if let Err(why) = taken {
            self.wrong(key, text, &why);
        }
    }

    fn wrong(&mut self, key: &'static str, text: &Text, why: &impl ToString) {
        let why = why.to_string();
        self.findings.error(Some(text.at), Kind::Wrong { key, why });
    }
}

fn redirect(text: &str) -> Option<HttpsRedirect> {
    match boolean(text) {
        Some(true) => Some(HttpsRedirect::Ours),
        Some(false) => Some(HttpsRedirect::Off),
        None => {
            let port = whole(text).and_then(|port| u16::try_from(port).ok());
            port.filter(|port| *port != 0).map(HttpsRedirect::To)
        }
    }
}

fn hsts(text: &str) -> Option<Hsts> {
    match boolean(text) {
        Some(true) => Some(Hsts::MONTH),
        Some(false) => Some(Hsts::Off),
        // Zero has clients forget it (RFC 6797, 6.1.1).
        None => seconds_or_span(text).map(|time: Duration| Hsts::For(time)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{ClientCertificates, TlsVersion, written::toml};

    #[cfg_attr(windows, ignore = "its paths are those of Unix")]
    #[test]
    fn the_table_says_all_of_it() {
        let loaded = toml(
            r#"
[front]
listen = ["127.0.0.1:80", "https://[::1]:443,client-cert=optional"]
tlsMinVersion = 1.3
clientCert = "required"
clientCa = "clients.pem"
httpsRedirect = 8443
hsts = "1.00:00:00"
maxHeaders = 7

[[front.tls]]
cert = "site.pem"
key = "/etc/site.key"

[[front.tls]]
cert = "both.pem"
"#,
        );
        let loaded = loaded.unwrap();
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let (site, root) = (loaded.config.site(), loaded.config.content_root());
        let bindings: Vec<_> = site.bindings.iter().map(ToString::to_string).collect();
        assert_eq!(bindings, ["127.0.0.1:80", "https://[::1]:443"]);
        let asks: Vec<_> = site.bindings.iter().map(|one| site.asks(one)).collect();
        assert_eq!(
            asks,
            [ClientCertificates::Required, ClientCertificates::Optional]
        );
        assert_eq!(site.certificates[0].chain, root.join("site.pem"));
        assert_eq!(site.certificates[0].key, PathBuf::from("/etc/site.key"));
        assert_eq!(site.certificates[1].key, root.join("both.pem"));
        assert_eq!(site.tls_min_version, Some(TlsVersion::Tls13));
        assert_eq!(site.client_ca, Some(root.join("clients.pem")));
        assert_eq!(site.https_redirect, Some(HttpsRedirect::To(8443)));
        assert_eq!(site.hsts, Some(Hsts::For(Duration::from_secs(86_400))));
        assert_eq!(site.check(), Ok(()));
        assert_eq!(loaded.config.front().max_headers, Some(7));
    }

    #[cfg(unix)]
    #[test]
    fn a_place_to_listen_may_be_a_table() {
        let loaded = toml(
            r#"
[front]
httpsRedirect = true
hsts = false
[[front.listen]]
address = "unix:/run/shop"
mode = 600
proxyFrom = []
[[front.listen]]
address = "https://inherited:web"
clientCert = "optional"
proxyFrom = ["10.0.0.0/8", "::1"]
"#,
        );
        let loaded = loaded.unwrap();
        let site = loaded.config.site();
        let want = [
            "unix:/run/shop,mode=600,proxy-from=",
            "https://inherited:web,client-cert=optional,proxy-from=10.0.0.0/8,proxy-from=::1",
        ];
        assert_eq!(site.bindings, want.map(|text| text.parse().unwrap()));
        assert_eq!(site.https_redirect, Some(HttpsRedirect::Ours));
        assert_eq!(site.hsts, Some(Hsts::Off));
        assert!(site.check().is_err(), "no certificate");
    }

    #[test]
    fn one_place_needs_no_array() {
        let loaded = toml("[front]\nlisten = ':80'\ntls = { cert = 'a' }\n").unwrap();
        assert_eq!(loaded.config.site().bindings.len(), 1);
        assert_eq!(loaded.config.site().certificates.len(), 1);
        assert_eq!(*toml("").unwrap().config.site(), Site::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_key() {
        for (text, want) in [
            ("listen = 80", "3:10: front.listen: expected an address"),
            ("listen = ['80']", "3:11: front.listen: expected IP:PORT"),
            ("listen = [{}]", "front.listen.address: missing"),
            (
                "listen = [{ address = ':80', adress = 'x' }]",
                "adress: not a key that is known; did you mean `address`?",
            ),
            (
                "listen = [{ address = ':80', clientCert = 'off' }]",
                "front.listen.clientCert: only an https:// listener",
            ),
            (
                "listen = [{ address = ':80', proxyFrom = ['me'] }]",
                "front.listen.proxyFrom: expected a network",
            ),
            (
                "listen = [{ address = ':80', mode = 660 }]",
                "front.listen.mode: only a socket",
            ),
            ("tls = 'a.pem'", "front.tls: expected a table"),
            ("tls = { key = 'a' }", "front.tls.cert: missing"),
            ("tls = { cert = '' }", "front.tls.cert: expected a path"),
            (
                "tlsMinVersion = 1.1",
                "front.tlsMinVersion: expected 1.2 or 1.3",
            ),
            ("clientCert = 'maybe'", "front.clientCert: expected off"),
            ("httpsRedirect = 0", "front.httpsRedirect: expected true"),
            ("hsts = 'long'", "front.hsts: expected true"),
            (
                "client-cert = 'off'",
                "3:1: client-cert: not a key that is known; did you mean `clientCert`?",
            ),
        ] {
            let errors = toml(&format!("[front]\n{text}")).unwrap_err().to_string();
            assert!(errors.contains(want), "{text}: {errors}");
        }
    }
}
