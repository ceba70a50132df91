//! A configuration from a file.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    command::entry_in_another_case,
    findings::{Errors, Findings, Kind, Warning},
    parse::parse,
    raw::RawConfig,
    report::Report,
    settings::Config,
    source::NAMES,
    text, toml_file,
    vars::Vars,
    web_config,
};

/// A configuration, and what its author may want to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is not honoured, not known, or taken differently than written, in the order of the file.
    pub warnings: Vec<Warning>,
    /// The file it was read from.
    pub source: Option<PathBuf>,
}

impl Loaded {
    /// What was understood, for a person to read.
    #[must_use]
    pub fn report(&self) -> Report<'_> {
        Report::new(&self.config, &self.warnings, self.source.as_deref())
    }
}

type Reader = fn(&str, &mut Findings) -> RawConfig;

impl Config {
    /// The configuration of the app in `content_root`.
    ///
    /// It is read from `file`, which is TOML if its name ends in `.toml` and `web.config` otherwise. Without a `file` it is
    /// `web.config` in the content root, in any case of its name, or else `ancm.toml` there. `vars` is the environment that
    /// `%NAME%` is expanded from and programs are looked for with.
    ///
    /// A program that is not there is no error: see [`CommandLine::problem`](super::CommandLine::problem).
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file, or that there is none.
    pub fn load(
        content_root: &Path,
        file: Option<&Path>,
        vars: &dyn Vars,
    ) -> Result<Loaded, Errors> {
        let root = directory(content_root)?;
        let file = match file {
            Some(file) => file.to_owned(),
            None => {
                default_file(&root).ok_or_else(|| Errors::one(None, Kind::NoFile(root.clone())))?
            }
        };
        let toml = file
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        let reader = if toml {
            toml_file::read
        } else {
            web_config::read
        };
        let bytes = contents(&file).map_err(|error| Errors::one(Some(&file), Kind::Read(error)))?;
        read(reader, &root, Some(&file), &bytes, vars)
    }

    /// The configuration that `bytes` are, as `web.config` of the app in `content_root`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_web_config(
        content_root: &Path,
        bytes: &[u8],
        vars: &dyn Vars,
    ) -> Result<Loaded, Errors> {
        read(
            web_config::read,
            &directory(content_root)?,
            None,
            bytes,
            vars,
        )
    }

    /// The configuration that `bytes` are, as `ancm.toml` of the app in `content_root`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_toml(content_root: &Path, bytes: &[u8], vars: &dyn Vars) -> Result<Loaded, Errors> {
        read(
            toml_file::read,
            &directory(content_root)?,
            None,
            bytes,
            vars,
        )
    }
}

/// `path`, absolute, if it is a directory.
pub(super) fn directory(path: &Path) -> Result<PathBuf, Errors> {
    let absolute = std::path::absolute(path).ok().filter(|path| path.is_dir());
    absolute.ok_or_else(|| Errors::one(None, Kind::NoDirectory(path.to_owned())))
}

fn default_file(root: &Path) -> Option<PathBuf> {
    NAMES
        .into_iter()
        .find_map(|name| entry_in_another_case(root, name))
}

/// The bytes of `file`, but not many more than are taken.
fn contents(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?
        .take(text::LONGEST + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read(
    reader: Reader,
    root: &Path,
    file: Option<&Path>,
    bytes: &[u8],
    vars: &dyn Vars,
) -> Result<Loaded, Errors> {
    let mut findings = Findings::default();
    let text = text::decode(bytes).map_err(|kind| Errors::one(file, kind))?;
    let raw = reader(&text, &mut findings);
    // What could not be read has no values to complain about.
    if findings.is_unreadable() {
        return Err(findings.into_errors(file));
    }
    let config = parse(&raw, root, vars, &mut findings);
    let (config, warnings) = findings.finish(file, config)?;
    Ok(Loaded {
        config,
        warnings,
        source: file.map(Path::to_owned),
    })
}

#[cfg(test)]
mod tests;
