//! What a worker is told, and what it says: one JSON object in each line.

use std::{fmt, io, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version of all below. A program that was replaced under a running one may speak another.
pub(crate) const VERSION: u32 = 3;
/// The longest line, in bytes: an exception's text is cut before.
pub(crate) const LONGEST: u64 = 1024 * 1024;

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Order {
    /// The first line: what to host, and how.
    Host(Box<Assignment>),
    /// Take connections of the front's sockets.
    Accept,
    /// Take no more of them, and let those that there are go.
    Drain,
    /// Stop the app.
    #[serde(rename_all = "camelCase")]
    Stop {
        /// Who is not gone then, is killed.
        limit_ms: u64,
    },
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Report {
    /// The app takes requests.
    Ready {
        /// What the worker speaks.
        version: u32,
    },
    /// The app could not be hosted; the worker ends.
    Failed(Failed),
    /// What is under way on the front's sockets.
    Load(Load),
    /// Nothing is under way there any more, and nothing will be.
    Drained,
    /// The app ended; the worker follows.
    Exiting {
        /// What `Main` returned.
        code: i32,
    },
}

/// Why an app could not be hosted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failed {
    /// The 30 of 500.30.
    pub(crate) sub_status: u16,
    /// In a sentence without a full stop.
    pub(crate) reason: String,
    /// The app's exception.
    pub(crate) detail: Option<String>,
}

/// What is under way in a worker that did not come by its parent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Load {
    /// Requests whose answer has not ended.
    pub(crate) in_flight: usize,
    /// All requests that there were, modulo 2^32.
    pub(crate) requests: u32,
}

/// What to host, and how. Holds the pairing token: its `Debug` leaves it out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assignment {
    pub(crate) version: u32,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) content_root: PathBuf,
    pub(crate) path_base: String,
    pub(crate) token: String,
    pub(crate) startup_limit_ms: u64,
    pub(crate) shutdown_limit_ms: u64,
    pub(crate) detailed_errors: bool,
    pub(crate) websockets: bool,
    /// In bytes.
    pub(crate) stack_size: Option<usize>,
    pub(crate) call_startup_hook: bool,
    /// In bytes, where it is said.
    pub(crate) max_request_body: Option<u32>,
    /// The Unix socket on which the parent forwards.
    pub(crate) listener: i32,
    /// Where the worker's own log goes; its standard streams are the app's.
    pub(crate) log: Option<i32>,
    /// The front's sockets: for each of its threads, one of each address.
    pub(crate) front: Vec<Vec<i32>>,
}

impl fmt::Debug for Assignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assignment")
            .field("version", &self.version)
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("content_root", &self.content_root)
            .finish_non_exhaustive()
    }
}

/// A message as a line.
pub(crate) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

/// The message of a line.
pub(crate) fn parse<T: DeserializeOwned>(line: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(line)?)
}

/// Whole milliseconds, as far as they go.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
