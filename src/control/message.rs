//! What goes over the socket.

use serde::{Deserialize, Serialize};

use super::report::{AddressesReport, Report};

/// What somebody wants: `{"command":"status"}` and the like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// How the app is.
    Status {},
    /// Replace its processes; answered when the new ones serve, or fail to.
    Restart {},
    /// Stop its processes; the next request starts it again.
    Stop {},
    /// Take it offline, until `online`.
    Offline {},
    /// Take back `offline`.
    Online {},
    /// What its processes wrote.
    Logs {
        /// What was read already.
        #[serde(default)]
        after: Vec<Seen>,
    },
}

/// How much of a process's output was read already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Seen {
    /// The number of the process.
    pub generation: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Seen {
    /// So many bytes of that process.
    #[must_use]
    pub const fn new(generation: u64, bytes: u64) -> Self {
        Self { generation, bytes }
    }
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "reply", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Reply {
    /// How the app is.
    Status {
        /// It.
        status: Box<Report>,
    },
    /// How the addresses are of one that somebody else runs.
    #[serde(rename = "status")]
    Addresses {
        /// It.
        status: Box<AddressesReport>,
    },
    /// It is done.
    Done {
        /// What else there is to say.
        note: Option<String>,
    },
    /// What the processes wrote, in the order in which they started.
    Logs {
        /// It.
        logs: Vec<Log>,
    },
    /// It could not be done.
    Failed {
        /// Why.
        error: String,
        /// The last output of a process that failed to start.
        output: Option<String>,
    },
}

/// What a process wrote.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Log {
    /// The number of the process; none where it failed to start.
    pub generation: Option<u64>,
    /// The process, where there was one.
    pub pid: Option<u32>,
    /// How many bytes were read by now; to be said the next time.
    pub bytes: u64,
    /// Its output, with control characters escaped.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Request> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn a_request_says_what_it_wants_and_nothing_else() {
        assert_eq!(parse(r#"{"command":"status"}"#), Some(Request::Status {}));
        let after = vec![Seen::new(2, 7)];
        assert_eq!(
            parse(r#"{"command":"logs","after":[{"generation":2,"bytes":7}]}"#),
            Some(Request::Logs { after })
        );
        assert_eq!(
            parse(r#"{"command":"logs"}"#),
            Some(Request::Logs { after: vec![] })
        );
        for wrong in [
            "",
            "status",
            "{}",
            r#"{"command":"fly"}"#,
            r#"{"command":"Status"}"#,
            r#"{"command":"stop","force":true}"#,
            r#"{"command":"logs","after":[{"generation":-1,"bytes":7}]}"#,
            r#"{"command":"logs","after":7}"#,
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_asked_is_what_is_understood() {
        let after = vec![Seen::new(1, 2)];
        for request in [
            Request::Restart {},
            Request::Online {},
            Request::Logs { after },
        ] {
            let text = serde_json::to_string(&request).unwrap();
            assert_eq!(parse(&text), Some(request), "{text}");
        }
    }
}
