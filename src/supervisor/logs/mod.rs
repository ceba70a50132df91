//! What a process writes to stdout and stderr: kept, logged, written to files.
//!
//! Differs from ANCM: there, a process whose output is logged writes to the file itself, so nothing
//! of it is left for the report of a failed start, and the file grows for ever. Here every process
//! writes to a pipe that we always read: a flood, an endless line or a slow disk never blocks the
//! process and never grows our memory.

mod file;
mod mask;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    sync::mpsc,
    task::{AbortHandle, spawn_blocking},
    time::{Duration, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Level, debug, warn};

pub(crate) use self::file::{LogFile, LogFiles};
use self::mask::Mask;
use super::tail::{Lines, Tail, printable};
use crate::PairingToken;

/// What is read at once.
const CHUNK: usize = 16 * 1024;
/// The chunks that may wait for a slow disk, 1 MiB in all. What comes on top is left out.
const BEHIND: usize = 64;
/// How long the output may outlive its process. ANCM: 2 s.
const LINGER: Duration = Duration::from_secs(2);
/// How long the restart of a process that crashed may wait for its last words.
const CATCH_UP: Duration = Duration::from_millis(20);

/// The output of one process.
#[derive(Debug)]
pub(super) struct Capture {
    tail: Arc<Mutex<Tail>>,
    ended: CancellationToken,
    reader: Option<AbortHandle>,
}

impl Capture {
    /// Of a process whose output goes nowhere.
    pub(super) fn none() -> Self {
        let ended = CancellationToken::new();
        ended.cancel();
        Self {
            tail: Arc::default(),
            ended,
            reader: None,
        }
    }

    /// Reads `pipe` to its end, on a task of its own, and writes it to `file` too. Nobody sees `token` in it.
    pub(super) fn of<R>(
        pipe: R,
        file: Option<LogFile>,
        pid: u32,
        token: Option<PairingToken>,
    ) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
    {
        let tail = Arc::<Mutex<Tail>>::default();
        let ended = CancellationToken::new();
        let kept = Kept {
            tail: Arc::clone(&tail),
            lines: Lines::default(),
            sink: file.map(Sink::new),
            pid,
        };
        let mask = Mask::new(token);
        let reader = Reader { mask, kept };
        let guard = ended.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _guard = guard;
            reader.run(pipe).await;
        });
        Self {
            tail,
            ended,
            reader: Some(task.abort_handle()),
        }
    }

    /// Waits until everything is read and written, but not for long: a process that escaped us may
    /// hold the pipe.
    pub(super) async fn finish(&self) {
        let ended = timeout(LINGER, self.ended.cancelled()).await;
        if let (Err(_), Some(reader)) = (ended, &self.reader) {
            reader.abort();
        }
    }

    /// Lets the reader come to the end of what is in the pipe, where the pipe ends.
    pub(super) async fn catch_up(&self) {
        let _ = timeout(CATCH_UP, self.ended.cancelled()).await;
    }

    /// Where the last output is.
    pub(super) const fn tail(&self) -> &Arc<Mutex<Tail>> {
        &self.tail
    }

    /// The last output.
    pub(super) fn text(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.text()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

struct Reader {
    mask: Mask,
    kept: Kept,
}

impl Reader {
    async fn run<R: AsyncRead + Unpin>(mut self, mut pipe: R) {
        let mut buffer = vec![0; CHUNK];
        // A pipe that can't be read is one that ended.
        while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
            let chunk = buffer.get(..length).unwrap_or_default();
            self.kept.add(self.mask.apply(chunk));
        }
        self.kept.add(self.mask.rest());
        self.kept.finish().await;
    }
}

/// What is kept of an output, in all places.
struct Kept {
    tail: Arc<Mutex<Tail>>,
    lines: Lines,
    sink: Option<Sink>,
    pid: u32,
}

impl Kept {
    fn add(&mut self, chunk: &[u8]) {
        if chunk.is_empty() {
            return;
        }
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.push(chunk);
        drop(tail);
        if tracing::enabled!(target: "ancm::stdout", Level::DEBUG) {
            let pid = self.pid;
            self.lines.push(chunk, |line| show(pid, line));
        }
        if let Some(sink) = &mut self.sink {
            sink.write(chunk);
        }
    }

    async fn finish(mut self) {
        let pid = self.pid;
        self.lines.finish(|line| show(pid, line));
        if let Some(sink) = self.sink {
            sink.finish().await;
        }
    }
}

/// Shows one line of output among our own, as the data that it is.
fn show(pid: u32, line: &[u8]) {
    debug!(target: "ancm::stdout", { process.pid = pid, line = %printable(line) }, "Process output");
}

/// The way to a file, which may be slower than the process.
struct Sink {
    chunks: mpsc::Sender<Chunk>,
    writer: tokio::task::JoinHandle<()>,
    lost: u64,
}

struct Chunk {
    /// What had to be left out before it, in bytes.
    lost: u64,
    bytes: Vec<u8>,
}

impl Sink {
    fn new(file: LogFile) -> Self {
        let (chunks, receiver) = mpsc::channel(BEHIND);
        let writer = spawn_blocking(move || write(file, receiver));
        Self {
            chunks,
            writer,
            lost: 0,
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let chunk = Chunk {
            lost: self.lost,
            bytes: bytes.to_owned(),
        };
        match self.chunks.try_send(chunk) {
            Ok(()) => self.lost = 0,
            Err(_) => self.lost += bytes.len() as u64,
        }
    }

    async fn finish(self) {
        if self.lost > 0 {
            let bytes = Vec::new();
            let lost = self.lost;
            let _ = self.chunks.send(Chunk { lost, bytes }).await;
        }
        drop(self.chunks);
        let _ = self.writer.await;
    }
}

/// Writes to the file on a thread that may block. A file that can't be written is given up, once.
#[allow(clippy::needless_pass_by_value, reason = "the thread owns it")]
fn write(mut file: LogFile, mut chunks: mpsc::Receiver<Chunk>) {
    while let Some(chunk) = chunks.blocking_recv() {
        let noted = match chunk.lost {
            0 => Ok(()),
            lost => file.note_loss(lost),
        };
        if let Err(error) = noted.and_then(|()| file.write(&chunk.bytes)) {
            let path = file.path().display();
            warn!(%error, %path, "Log file can't be written");
            break;
        }
    }
    file.finish();
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn only_file(folder: &Path) -> Option<String> {
        let mut entries = fs::read_dir(folder).unwrap();
        let entry = entries.next()?.unwrap();
        assert!(entries.next().is_none());
        Some(fs::read_to_string(entry.path()).unwrap())
    }

    #[tokio::test]
    async fn keeps_the_tail_and_writes_the_file() {
        let root = tempfile::tempdir().unwrap();
        let file = LogFiles::new(root.path().join("stdout"), 1)
            .create()
            .unwrap();
        let (mut app, pipe) = tokio::io::duplex(64);
        let capture = Capture::of(pipe, Some(file), 1, None);
        app.write_all(b"one\ntwo\n").await.unwrap();
        drop(app);
        capture.finish().await;
        assert_eq!(capture.text(), "one\ntwo\n");
        assert_eq!(only_file(root.path()).unwrap(), "one\ntwo\n");
    }

    #[tokio::test]
    async fn what_an_app_says_of_its_token_is_seen_by_nobody() {
        let root = tempfile::tempdir().unwrap();
        let file = LogFiles::new(root.path().join("stdout"), 1)
            .create()
            .unwrap();
        let token = PairingToken::generate();
        let said = format!(
            "ASPNETCORE_TOKEN={}\n",
            token.header_value().to_str().unwrap()
        );
        let (mut app, pipe) = tokio::io::duplex(64);
        let capture = Capture::of(pipe, Some(file), 1, Some(token));
        app.write_all(said.as_bytes()).await.unwrap();
        drop(app);
        capture.finish().await;
        let seen = format!("ASPNETCORE_TOKEN={}\n", "*".repeat(32));
        assert_eq!(capture.text(), seen);
        assert_eq!(only_file(root.path()).unwrap(), seen);
    }

    #[tokio::test]
    async fn leaves_no_empty_file() {
        let root = tempfile::tempdir().unwrap();
        let file = LogFiles::new(root.path().join("stdout"), 1)
            .create()
            .unwrap();
        let (app, pipe) = tokio::io::duplex(64);
        let capture = Capture::of(pipe, Some(file), 1, None);
        drop(app);
        capture.finish().await;
        assert_eq!(only_file(root.path()), None);
    }

    #[tokio::test]
    async fn a_flood_without_a_line_end_is_read_to_its_end() {
        let (mut app, pipe) = tokio::io::duplex(4096);
        let capture = Capture::of(pipe, None, 1, None);
        let chunk = [b'x'; 64 * 1024];
        for _ in 0..160 {
            app.write_all(&chunk).await.unwrap();
        }
        app.write_all(b"\xff end").await.unwrap();
        drop(app);
        capture.finish().await;
        assert!(capture.text().ends_with("x\u{fffd} end"));
    }

    #[tokio::test(start_paused = true)]
    async fn does_not_wait_for_a_pipe_that_somebody_holds() {
        let (mut app, pipe) = tokio::io::duplex(64);
        let capture = Capture::of(pipe, None, 1, None);
        app.write_all(b"said").await.unwrap();
        let begin = tokio::time::Instant::now();
        capture.finish().await;
        assert_eq!(begin.elapsed(), LINGER);
        assert_eq!(capture.text(), "said");
    }
}
