//! Where a configuration comes from.

use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::{findings::Errors, forwarding::Protocol, load::Loaded, settings::Config, vars::Vars};
use crate::PathBase;

/// The names of a configuration, of which the first that is there counts.
pub(super) const NAMES: [&str; 2] = ["web.config", "ancm.toml"];

/// Where a configuration comes from, so that it can be read again when it changes.
///
/// ```
/// use ancm::config::{ProcessVars, Source};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let root = tempfile::tempdir()?;
/// # let root = root.path();
/// std::fs::write(root.join("ancm.toml"), "processPath = 'app'")?;
/// let loaded = Source::new(root).path_base("/shop".parse()?).load(&ProcessVars::default())?;
/// assert_eq!(loaded.config.path_base().as_str(), "/shop");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Source {
    root: PathBuf,
    file: Option<PathBuf>,
    path_base: Option<PathBase>,
    trusted_proxies: Vec<IpNet>,
    https_port: Option<u16>,
    protocol: Option<Protocol>,
}

impl Source {
    /// The `web.config`, or else the `ancm.toml`, of this content root.
    pub fn new(content_root: impl Into<PathBuf>) -> Self {
        Self {
            root: content_root.into(),
            file: None,
            path_base: None,
            trusted_proxies: Vec::new(),
            https_port: None,
            protocol: None,
        }
    }

    /// Another file instead. Defaults to none.
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The prefix under which the app is mounted, whatever the file says. Defaults to that.
    pub fn path_base(mut self, path_base: PathBase) -> Self {
        self.path_base = Some(path_base);
        self
    }

    /// The proxies that are trusted besides those of the file. Defaults to none.
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        self.trusted_proxies = proxies.into_iter().collect();
        self
    }

    /// The HTTPS port of the front, for where the file says none. Defaults to not known.
    pub fn https_port(mut self, port: Option<u16>) -> Self {
        self.https_port = port;
        self
    }

    /// What is spoken with the app, whatever the file says. Defaults to that.
    pub fn protocol(mut self, protocol: Option<Protocol>) -> Self {
        self.protocol = protocol;
        self
    }

    /// The content root.
    #[must_use]
    pub fn content_root(&self) -> &Path {
        &self.root
    }

    /// Reads the configuration, as [`Config::load`] does.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file, or that there is none.
    pub fn load(&self, vars: &dyn Vars) -> Result<Loaded, Errors> {
        let mut loaded = Config::load(&self.root, self.file.as_deref(), vars)?;
        if let Some(path_base) = &self.path_base {
            loaded.config = loaded.config.with_path_base(path_base.clone());
        }
        let trusted = &mut loaded.config.forwarding.trusted_proxies;
        trusted.extend(&self.trusted_proxies);
        let said = loaded.config.forwarding.protocol;
        loaded.config.forwarding.protocol = self.protocol.unwrap_or(said);
        loaded.config = loaded.config.or_https_port(self.https_port);
        Ok(loaded)
    }

    /// The files of which one is or will be the configuration.
    pub(crate) fn candidates(&self) -> Vec<PathBuf> {
        match &self.file {
            Some(file) => vec![file.clone()],
            None => NAMES.map(|name| self.root.join(name)).to_vec(),
        }
    }
}
