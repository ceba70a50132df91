//! The words for TLS.

use std::{str::FromStr, time::Duration};

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    Off,
    /// They are, and need not have one.
    Optional,
    /// They are, and without one the handshake fails.
    Required,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// 1.2.
    #[default]
    Tls12,
    /// 1.3.
    Tls13,
}

/// Where clients that came in cleartext are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpsRedirect {
    /// Nowhere.
    Off,
    /// To the one port of all listeners that speak TLS.
    Ours,
    /// To this port.
    To(u16),
}

/// Whether clients that came by TLS are told to come by nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hsts {
    /// They are not.
    Off,
    /// They are, for so long.
    For(Duration),
}

impl Hsts {
    /// For 30 days, ASP.NET Core's own default.
    pub const MONTH: Self = Self::For(Duration::from_secs(30 * 24 * 60 * 60));
}

impl ClientCertificates {
    /// All of them, as they are written.
    pub const NAMES: [&'static str; 3] = ["off", "optional", "required"];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

impl FromStr for ClientCertificates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Off, Self::Optional, Self::Required];
        let known = all.into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| format!("expected off, optional or required, got `{text}`"))
    }
}

impl TlsVersion {
    /// All of them, as they are written.
    pub const NAMES: [&'static str; 2] = ["1.2", "1.3"];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl FromStr for TlsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Tls12, Self::Tls13];
        let known = all.into_iter().find(|one| one.as_str() == text);
        known.ok_or_else(|| format!("expected 1.2 or 1.3, got `{text}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_it_is_written() {
        for name in ClientCertificates::NAMES {
            assert_eq!(name.parse::<ClientCertificates>().unwrap().as_str(), name);
        }
        for name in TlsVersion::NAMES {
            assert_eq!(name.parse::<TlsVersion>().unwrap().as_str(), name);
        }
        assert!("Off".parse::<ClientCertificates>().is_err());
        assert!("1.1".parse::<TlsVersion>().is_err());
    }
}
