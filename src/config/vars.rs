//! The environment that we run in, as a value.

use std::{collections::BTreeMap, ffi::OsString};

/// The variables of an environment: a seam, so that a test needs no process of its own.
pub trait Vars: Send + Sync {
    /// Every variable, in no particular order.
    fn all(&self) -> Vec<(OsString, OsString)>;

    /// The value of `name`, compared as the operating system does.
    fn value(&self, name: &str) -> Option<OsString> {
        let same = |have: &OsString| match have.to_str() {
            Some(have) if cfg!(windows) => have.eq_ignore_ascii_case(name),
            Some(have) => have == name,
            None => false,
        };
        let (_, value) = self.all().into_iter().find(|(have, _)| same(have))?;
        Some(value)
    }

    /// The value of `name`, compared as the operating system does, where it is UTF-8.
    fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.into_string().ok()
    }
}

/// The environment of this very process.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ProcessVars;

impl Vars for ProcessVars {
    fn all(&self) -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }
}

/// An environment that somebody made up.
impl Vars for BTreeMap<String, String> {
    fn all(&self) -> Vec<(OsString, OsString)> {
        self.iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }
}
