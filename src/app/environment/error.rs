//! What is wrong with a variable.

use std::fmt;

/// A variable of the module that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentError {
    name: &'static str,
    expected: &'static str,
    /// `None` for a secret, which is never shown.
    value: Option<String>,
}

impl EnvironmentError {
    pub(super) fn new(name: &'static str, expected: &'static str, value: Option<&str>) -> Self {
        let value = value.map(str::to_owned);
        Self {
            name,
            expected,
            value,
        }
    }

    /// The variable's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name
    }

    /// What it holds, unless that is a secret.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}", self.name, self.expected)?;
        match &self.value {
            Some(value) => write!(f, ", got `{}`", value.escape_debug()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for EnvironmentError {}
