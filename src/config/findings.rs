//! What was found to be wrong or noteworthy, and where.

use std::{
    error::Error as StdError,
    fmt, io,
    path::{Path, PathBuf},
};

use tracing::{info, warn};

/// A place in a file; both numbers count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character within the line.
    pub column: u32,
}

impl Position {
    pub(super) const fn new(line: u32, column: u32) -> Self {
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Everything that is wrong with a configuration: at least one error, one line each.
#[derive(Debug)]
pub struct Errors {
    file: Option<PathBuf>,
    errors: Vec<Error>,
}

impl Errors {
    /// A configuration with this one error.
    pub(super) fn one(file: Option<&Path>, kind: Kind) -> Self {
        Self {
            file: file.map(Path::to_owned),
            errors: vec![Error { at: None, kind }],
        }
    }

    /// The file they are in. `None`: the configuration was made in Rust.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The errors, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.errors.iter()
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            place(f, self.file.as_deref(), error.at)?;
            write!(f, "{}", error.kind)?;
        }
        Ok(())
    }
}

impl StdError for Errors {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.errors.first().and_then(|error| error.kind.source())
    }
}

/// Writes `file:line:column: `, as far as it is known.
fn place(f: &mut fmt::Formatter<'_>, file: Option<&Path>, at: Option<Position>) -> fmt::Result {
    match (file, at) {
        (Some(file), Some(at)) => write!(f, "{}:{at}: ", file.display()),
        (Some(file), None) => write!(f, "{}: ", file.display()),
        (None, Some(at)) => write!(f, "{at}: "),
        (None, None) => Ok(()),
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct Error {
    at: Option<Position>,
    kind: Kind,
}

impl Error {
    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.at
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    #[error("can't be read: {0}")]
    Read(#[source] io::Error),
    #[error("longer than {0} bytes, which no configuration is")]
    TooLong(u64),
    #[error("expected text in {0}")]
    NotText(&'static str),
    #[error("{0}")]
    Syntax(String),
    #[error("elements nested deeper than {0}")]
    TooDeep(usize),
    #[error("expected the element <configuration>, got <{0}>")]
    WrongRoot(String),
    #[error("{key}: missing; {hint}")]
    Missing {
        key: &'static str,
        hint: &'static str,
    },
    #[error("{key}: {why}")]
    Wrong { key: &'static str, why: String },
    #[error("{key}: expected {expected}, got `{value}`")]
    BadValue {
        key: String,
        expected: String,
        value: String,
    },
    #[error("aspNetCore: expected in system.webServer of the whole app")]
    Misplaced,
    #[error("{key}: given twice, first at {first}")]
    Twice { key: String, first: Position },
    #[error("{0}: not a key that is known{1}")]
    UnknownKey(String, String),
    #[error("content root `{}`: not a directory", .0.display())]
    NoDirectory(PathBuf),
    #[error(
        "no web.config and no ancm.toml in `{}`: publish the app there, name a file, or say what to run after `--`",
        .0.display()
    )]
    NoFile(PathBuf),
}

impl Kind {
    pub(super) fn bad(
        key: impl Into<String>,
        expected: impl Into<String>,
        value: impl AsRef<str>,
    ) -> Self {
        Self::BadValue {
            key: key.into(),
            expected: expected.into(),
            value: shown(value.as_ref()),
        }
    }
}

/// `text` as a message may hold it: one line, not endless.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut shown = String::new();
    for next in text.chars().take(LONGEST) {
        match next {
            '\'' | '"' | '\\' => shown.push(next),
            _ => shown.extend(next.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// Something in a configuration that is not an error, but that its author may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    at: Option<Position>,
    kind: WarningKind,
    subject: String,
    message: String,
}

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// A name that means nothing to the module.
    Unknown,
    /// Understood, but this module does not act on it.
    Ignored,
    /// Taken in another way than written, so that it works on this operating system.
    Translated,
    /// Will most likely not do what is wanted.
    Suspicious,
}

impl Warning {
    pub(super) fn new(
        at: Option<Position>,
        kind: WarningKind,
        subject: impl AsRef<str>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            at,
            kind,
            subject: shown(subject.as_ref()),
            message: message.into(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.at
    }

    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> WarningKind {
        self.kind
    }

    /// The key or section it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Says it in the log: what is taken in another way so that it works here is the normal case, the rest deserves a look.
    pub fn log(&self) {
        match self.kind {
            WarningKind::Translated => info!(warning = %self, "Configuration translated"),
            WarningKind::Unknown | WarningKind::Ignored | WarningKind::Suspicious => {
                warn!(warning = %self, "Configuration not taken as written");
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, None, self.at)?;
        write!(f, "{}: {}", self.subject, self.message)
    }
}

/// Collects everything, so that a configuration is mended in one go.
#[derive(Debug, Default)]
pub(super) struct Findings {
    errors: Vec<Error>,
    warnings: Vec<Warning>,
}

impl Findings {
    pub(super) fn error(&mut self, at: Option<Position>, kind: Kind) {
        self.errors.push(Error { at, kind });
    }

    pub(super) fn warn(
        &mut self,
        at: Option<Position>,
        kind: WarningKind,
        subject: impl AsRef<str>,
        message: impl Into<String>,
    ) {
        self.warnings.push(Warning::new(at, kind, subject, message));
    }

    /// Whether the file could not even be taken apart, so that nothing can be said of its values.
    pub(super) fn is_unreadable(&self) -> bool {
        self.errors.iter().any(|error| {
            matches!(
                error.kind,
                Kind::Syntax(_) | Kind::TooDeep(_) | Kind::WrongRoot(_)
            )
        })
    }

    /// The errors, in the order of the file.
    pub(super) fn into_errors(mut self, file: Option<&Path>) -> Errors {
        self.errors.sort_by_key(Error::position);
        Errors {
            file: file.map(Path::to_owned),
            errors: self.errors,
        }
    }

    /// `value` and the warnings, if nothing was wrong.
    pub(super) fn finish<T>(
        mut self,
        file: Option<&Path>,
        value: T,
    ) -> Result<(T, Vec<Warning>), Errors> {
        if !self.errors.is_empty() {
            return Err(self.into_errors(file));
        }
        self.warnings.sort_by_key(Warning::position);
        Ok((value, self.warnings))
    }
}

#[cfg(test)]
impl Findings {
    /// The errors and the warnings as lines of text.
    pub(super) fn lines(&self) -> (Vec<String>, Vec<String>) {
        let error = |error: &Error| match error.at {
            Some(at) => format!("{at}: {error}"),
            None => error.to_string(),
        };
        let errors = self.errors.iter().map(error).collect();
        (
            errors,
            self.warnings.iter().map(ToString::to_string).collect(),
        )
    }
}
