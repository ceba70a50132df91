//! What is offered to clients that are to prove who they are.

/// Which authentication the front offers for the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authentication {
    pub(crate) windows: bool,
    pub(crate) basic: bool,
    pub(crate) anonymous: bool,
}

impl Authentication {
    /// `windowsAuthentication`. Default false.
    #[must_use]
    pub fn windows(&self) -> bool {
        self.windows
    }

    /// `basicAuthentication`. Default false.
    #[must_use]
    pub fn basic(&self) -> bool {
        self.basic
    }

    /// `anonymousAuthentication`. Default true.
    #[must_use]
    pub fn anonymous(&self) -> bool {
        self.anonymous
    }
}

impl Default for Authentication {
    /// As IIS has it: anonymous only.
    ///
    /// Differs from ANCM: a missing section counts as disabled there, but in IIS the one for anonymous users never is
    /// missing, because `applicationHost.config` holds it.
    fn default() -> Self {
        Self {
            windows: false,
            basic: false,
            anonymous: true,
        }
    }
}
