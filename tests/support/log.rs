//! What a process writes to stderr, line by line, as it comes.

use std::{
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use serde_json::Value;

/// The lines of a process's stderr so far; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Lines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Lines {
    written: Vec<String>,
    ended: bool,
}

impl Log {
    /// Reads `stderr` on a thread of its own, to its end.
    pub(crate) fn read(stderr: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let writer = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                writer.change(|lines| lines.written.push(line));
            }
            writer.change(|lines| lines.ended = true);
        });
        log
    }

    /// The first line, written already or yet to come, of which `find` makes something.
    ///
    /// # Panics
    ///
    /// When there is none within `limit`, or the process ends without it: with all that it wrote.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        limit: Duration,
        find: impl Fn(&str) -> Option<T>,
    ) -> T {
        let (mut found, mut seen) = (None, 0);
        let (lines, _) = self
            .shared
            .changed
            .wait_timeout_while(self.lines(), limit, |lines| {
                found = lines.written.iter().skip(seen).find_map(|line| find(line));
                seen = lines.written.len();
                found.is_none() && !lines.ended
            })
            .unwrap_or_else(PoisonError::into_inner);
        found.unwrap_or_else(|| {
            panic!("no {what} on stderr:\n{}", lines.written.join("\n"));
        })
    }

    /// Everything written so far.
    pub(crate) fn text(&self) -> String {
        self.lines().written.join("\n")
    }

    fn change(&self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.lines());
        self.shared.changed.notify_all();
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        let lines = self.shared.lines.lock();
        lines.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields of a JSON log line whose message is `message`.
pub(crate) fn event(line: &str, message: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    (fields.get("message")? == message).then(|| fields.clone())
}
