//! Why an app could not be hosted in process, in the module's own numbers.

/// The sub-status of a failed in-process start: the 30 of 500.30.
///
/// ANCM: the same numbers, titles and causes. Some can't happen here, and are there for who looks the number up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubStatus {
    /// 500.0: whatever has no number of its own.
    Other,
    /// 500.30: the app started and failed: its `Main` threw or returned, or its process ended, before its server started.
    Start,
    /// 500.31: the runtime or a shared framework was not found.
    NativeDependencies,
    /// 500.32: the library that loads the runtime could not be loaded.
    Load,
    /// 500.33: the app has no ASP.NET Core to be hosted by.
    RequestHandler,
    /// 500.34: apps of both hosting models in one process.
    MixedHosting,
    /// 500.35: a second app in one process.
    SecondApp,
    /// 500.36: what hosts out of process was not found.
    OutOfProcessHandler,
    /// 500.37: the app did not start within `startupTimeLimit`.
    StartTimeout,
    /// 500.38: the app's dll was not found.
    AppNotFound,
}

impl SubStatus {
    const ALL: [Self; 10] = [
        Self::Other,
        Self::Start,
        Self::NativeDependencies,
        Self::Load,
        Self::RequestHandler,
        Self::MixedHosting,
        Self::SecondApp,
        Self::OutOfProcessHandler,
        Self::StartTimeout,
        Self::AppNotFound,
    ];

    /// The number behind the point.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Other => 0,
            Self::Start => 30,
            Self::NativeDependencies => 31,
            Self::Load => 32,
            Self::RequestHandler => 33,
            Self::MixedHosting => 34,
            Self::SecondApp => 35,
            Self::OutOfProcessHandler => 36,
            Self::StartTimeout => 37,
            Self::AppNotFound => 38,
        }
    }

    /// That of a number; [`Other`](Self::Other), where there is no such one.
    #[must_use]
    pub fn of(code: u16) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|one| one.code() == code).unwrap_or(Self::Other)
    }

    /// What the page is called.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Other | Self::RequestHandler => "ANCM Request Handler Load Failure",
            Self::Start => "ANCM In-Process Start Failure",
            Self::NativeDependencies => "ANCM Failed to Find Native Dependencies",
            Self::Load => "ANCM Failed to Load dll",
            Self::MixedHosting => "ANCM Mixed Hosting Models Not Supported",
            Self::SecondApp => "ANCM Multiple In-Process Applications in same Process",
            Self::OutOfProcessHandler => "ANCM Out-Of-Process Handler Load Failure",
            Self::StartTimeout => "ANCM Failed to Start Within Startup Time Limit",
            Self::AppNotFound => "ANCM Application DLL Not Found",
        }
    }

    /// What usually is the reason, a sentence each.
    pub(super) const fn causes(self) -> &'static [&'static str] {
        match self {
            Self::Start => &[
                "The application failed to start: its <code>Main</code> threw or returned.",
                "The application started and then ended.",
                "The application uses another server than the one that hosts it here.",
            ],
            Self::NativeDependencies => &[
                "The version of .NET that the application needs is not installed.",
                "It is installed where it is not looked for: <code>DOTNET_ROOT</code> says where.",
            ],
            Self::Load => &[
                "The installed .NET is one for another architecture.",
                "A library that .NET needs is missing.",
            ],
            Self::StartTimeout => &[
                "The application takes longer than <code>startupTimeLimit</code> to start.",
                "It is not hosted here, but by a server of its own: hosting startups are prevented, perhaps.",
            ],
            Self::AppNotFound => &[
                "The application's dll is missing beside its program.",
                "It was published as a single file, which can't be hosted in process.",
            ],
            Self::Other
            | Self::RequestHandler
            | Self::MixedHosting
            | Self::SecondApp
            | Self::OutOfProcessHandler => &[
                "What hosts the application is missing, or does not fit to it.",
                "The application does not use ASP.NET Core.",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_that_of_one() {
        for one in SubStatus::ALL {
            assert_eq!(SubStatus::of(one.code()), one);
        }
        assert_eq!(SubStatus::of(39), SubStatus::Other);
    }
}
