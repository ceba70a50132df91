//! How the app's processes are, for people and for programs.

use std::time::SystemTime;

use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::board::{Entry, Outlook};

/// How an app's processes are.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The state of each slot: `idle`, `starting`, `ready`, `replacing`, `backing-off`, `refused`,
    /// `stopping` or `stopped`.
    pub states: Vec<&'static str>,
    /// Every process that runs.
    pub processes: Vec<ProcessStatus>,
    /// The requests that wait for a process.
    pub waiting: usize,
    /// How many processes took the place of another, for whatever reason.
    pub restarts: u64,
    /// How many starts failed.
    pub failures: u64,
    /// The last start that failed.
    pub last_failure: Option<FailureStatus>,
}

/// One process.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ProcessStatus {
    /// Its slot, from 0.
    pub slot: usize,
    /// Its number among all processes of the app.
    pub generation: u64,
    /// With which attempt of its start it came.
    pub attempt: u8,
    /// The process that was started; the one that listens may be a descendant of it.
    pub pid: u32,
    /// The port that it was told to listen on; none where its place is a Unix socket.
    pub port: Option<u16>,
    /// `starting`, `ready`, or `draining` when it no longer takes requests.
    pub state: &'static str,
    /// The requests under way.
    pub in_flight: usize,
    /// When it was started, as RFC 3339 says it.
    pub started: String,
}

/// A start that failed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FailureStatus {
    /// How far it came: see [`Stage`](crate::error::Stage).
    pub stage: &'static str,
    /// What the operating system or the configuration said.
    pub reason: String,
    /// How the process ended, where it did.
    pub exit: Option<String>,
    /// When it failed, as RFC 3339 says it.
    pub at: String,
}

impl Status {
    pub(super) fn new(outlook: &Outlook, waiting: usize) -> Self {
        Self {
            states: outlook.states.clone(),
            processes: outlook.processes.iter().map(ProcessStatus::new).collect(),
            waiting,
            restarts: outlook.restarts,
            failures: outlook.failures,
            last_failure: outlook
                .last_failure
                .as_ref()
                .map(|(failure, at)| FailureStatus {
                    stage: failure.stage.as_str(),
                    reason: failure.reason.clone(),
                    exit: failure.exit.clone(),
                    at: rfc3339(*at),
                }),
        }
    }
}

impl ProcessStatus {
    fn new(entry: &Entry) -> Self {
        Self {
            slot: entry.slot,
            generation: entry.generation,
            attempt: entry.attempt,
            pid: entry.pid,
            port: entry.port,
            state: entry.state,
            in_flight: entry.in_flight(),
            started: rfc3339(entry.started),
        }
    }
}

/// A time in UTC, to the second.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at).replace_nanosecond(0);
    at.ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}
