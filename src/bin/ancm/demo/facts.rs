//! What the app sees of a request and of itself, as names and values.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION},
};

/// Headers in which a browser may carry what belongs to another site of the same host name.
const PRIVATE: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

/// A name and a value, both as they are: whoever shows them escapes them.
pub(super) type Fact = (String, String);

/// What the app sees of one request.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    /// Path and query as they came, path base included.
    pub(super) target: String,
    pub(super) scheme: String,
    pub(super) host: String,
    /// `None`: the app was not told, or runs by itself.
    pub(super) remote: Option<SocketAddr>,
    /// `/` or `/app`.
    pub(super) path_base: String,
    pub(super) headers: Vec<Fact>,
    pub(super) process: Process,
}

/// What the app knows of itself.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// The processes before this one, the oldest first. `None`: nobody counts.
    pub(super) before: Option<Vec<u32>>,
    /// The content root, where it is the demo's own.
    pub(super) folder: Option<PathBuf>,
    /// What `ASPNETCORE_PORT` says.
    pub(super) port: Option<String>,
    pub(super) uptime: Duration,
    /// Requests answered, this one included.
    pub(super) requests: u64,
}

impl Seen {
    /// What the module and the client said.
    pub(super) fn request(&self) -> Vec<Fact> {
        facts([
            ("scheme", self.scheme.clone()),
            ("host", self.host.clone()),
            ("remote address", or_dash(self.remote)),
            ("path base", self.path_base.clone()),
            ("method", self.method.clone()),
            ("target", self.target.clone()),
        ])
    }
}

impl Process {
    /// The first process of an app is generation 1.
    pub(super) fn generation(&self) -> Option<usize> {
        self.before.as_ref().map(|before| before.len() + 1)
    }

    pub(super) fn facts(&self) -> Vec<Fact> {
        facts([
            ("process id", self.pid.to_string()),
            ("generation", or_dash(self.generation())),
            ("port", or_dash(self.port.as_ref())),
            ("uptime", duration(self.uptime)),
            ("requests", self.requests.to_string()),
        ])
    }

    /// What a shell is told to kill it.
    pub(super) fn kill_command(&self) -> String {
        if cfg!(windows) {
            format!("taskkill /F /PID {}", self.pid)
        } else {
            format!("kill {}", self.pid)
        }
    }

    /// What a shell is told to take the app offline.
    pub(super) fn offline_command(&self) -> Option<String> {
        let file = self.folder.as_ref()?.join("app_offline.htm");
        Some(format!("echo Back soon > \"{}\"", file.display()))
    }
}

/// The headers in their order; what is private or marked as sensitive is named and not shown.
pub(super) fn headers(headers: &HeaderMap) -> Vec<Fact> {
    let show = |name: &HeaderName, value: &http::HeaderValue| {
        if value.is_sensitive() || PRIVATE.contains(name) {
            "(not shown)".to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        }
    };
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), show(name, value)))
        .collect()
}

fn facts<const N: usize>(facts: [(&str, String); N]) -> Vec<Fact> {
    facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn durations_read_well() {
        for (milliseconds, want) in [
            (0, "0.0 s"),
            (1_240, "1.2 s"),
            (61_000, "1 min 1 s"),
            (3_599_000, "59 min 59 s"),
            (7_380_000, "2 h 3 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), want);
        }
    }

    #[test]
    fn secrets_are_named_and_not_shown() {
        let mut map = HeaderMap::new();
        map.insert(COOKIE, HeaderValue::from_static("session=1"));
        map.insert("x-plain", HeaderValue::from_static("seen"));
        let mut token = HeaderValue::from_static("hidden");
        token.set_sensitive(true);
        map.insert("x-token", token);
        let shown = headers(&map);
        assert!(shown.contains(&("x-plain".to_owned(), "seen".to_owned())));
        assert_eq!(
            shown
                .iter()
                .filter(|(_, value)| value == "(not shown)")
                .count(),
            2
        );
    }
}
