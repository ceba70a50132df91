//! How an app is, for people and for programs.

use std::time::SystemTime;

use serde::Serialize;

use super::configured::Configured;
use crate::{
    config::CommandLine,
    offline::{Gate, Switch},
    proxy::BackendStatus,
    supervisor::{Status, rfc3339},
};

/// How an app is.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// In one word: `offline`, `ready` where any process serves, or else the state of a slot.
    pub state: &'static str,
    /// What the app is.
    pub app: AppReport,
    /// How it is configured.
    pub config: ConfigReport,
    /// Whether it is offline.
    pub offline: OfflineReport,
    /// Its processes.
    #[serde(flatten)]
    pub processes: Status,
    /// Who keeps it.
    pub module: ModuleReport,
}

/// What an app is.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AppReport {
    /// Its folder.
    pub content_root: String,
    /// The prefix under which it is mounted.
    pub path_base: String,
    /// What is started.
    pub command: String,
}

/// How an app is configured.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ConfigReport {
    /// The file; none where the configuration was made in a program.
    pub file: Option<String>,
    /// Since when it is in force, as RFC 3339 says it.
    pub since: String,
    /// Whether the file is newer than what is in force.
    pub pending: bool,
    /// What is wrong with the file as it is now, one line for each mistake.
    pub errors: Vec<String>,
}

/// Whether an app is offline, and why.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct OfflineReport {
    /// An `app_offline.htm` is there.
    pub by_file: bool,
    /// Somebody said so.
    pub by_command: bool,
}

/// The program that keeps the app.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ModuleReport {
    /// Its version.
    pub version: &'static str,
    /// Its process.
    pub pid: u32,
    /// Since when it keeps the app, as RFC 3339 says it.
    pub started: String,
}

/// How the addresses of an app are.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AddressesReport {
    /// `ready` where any address is up, or else `unreachable`.
    pub state: &'static str,
    /// Each of them, and each name that has none.
    pub backends: Vec<BackendStatus>,
    /// The configuration; none where it is not read from a file.
    pub config: Option<ConfigReport>,
    /// Who forwards to them.
    pub module: ModuleReport,
}

/// What never changes.
#[derive(Debug)]
pub(super) struct Facts {
    started: SystemTime,
}

impl Report {
    pub(super) fn new(
        facts: &Facts,
        configured: &Configured,
        (gate, switch): (&Gate, &Switch),
        processes: Status,
    ) -> Self {
        let config = &configured.config;
        let offline = OfflineReport {
            by_file: gate.is_closed_by_file(),
            by_command: switch.is_closed(),
        };
        Self {
            state: state(offline, &processes.states),
            app: AppReport {
                content_root: config.content_root().display().to_string(),
                path_base: config.path_base().to_string(),
                command: CommandLine::to_string(config.command()),
            },
            config: ConfigReport::new(configured),
            offline,
            processes,
            module: ModuleReport::new(facts),
        }
    }
}

impl ConfigReport {
    pub(super) fn new(configured: &Configured) -> Self {
        let file = configured.file.as_ref();
        Self {
            file: file.map(|file| file.display().to_string()),
            since: rfc3339(configured.since),
            pending: configured.pending,
            errors: configured.errors.clone(),
        }
    }
}

impl ModuleReport {
    pub(super) fn new(facts: &Facts) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            started: rfc3339(facts.started),
        }
    }
}

impl Facts {
    pub(super) fn now() -> Self {
        Self {
            started: SystemTime::now(),
        }
    }
}

fn state(offline: OfflineReport, states: &[&'static str]) -> &'static str {
    const SERVING: [&str; 2] = ["ready", "replacing"];
    if offline.by_file || offline.by_command {
        return "offline";
    }
    let serving = states.iter().find(|state| SERVING.contains(state));
    serving.or(states.first()).copied().unwrap_or("idle")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_says_how_the_app_is() {
        for (by_file, by_command, states, want) in [
            (false, false, &["ready"][..], "ready"),
            (false, false, &["backing-off", "ready"], "ready"),
            (false, false, &["starting", "replacing"], "replacing"),
            (false, false, &["refused", "starting"], "refused"),
            (false, false, &[], "idle"),
            (true, false, &["ready"], "offline"),
            (false, true, &["idle"], "offline"),
        ] {
            let offline = OfflineReport {
                by_file,
                by_command,
            };
            assert_eq!(state(offline, states), want, "{states:?}");
        }
    }
}
