//! What a process writes, for those who want to read along.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    generation::Label,
    logs::Capture,
    tail::{Tail, printable},
};

/// The last output of one process; cheap to clone.
#[derive(Clone)]
pub struct Output {
    generation: u64,
    pid: u32,
    tail: Arc<Mutex<Tail>>,
}

impl Output {
    pub(super) fn of(label: &Label, capture: &Capture) -> Self {
        Self {
            generation: label.generation,
            pid: label.pid,
            tail: Arc::clone(capture.tail()),
        }
    }

    /// The number of the process among all processes of the app.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The process.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// What came after the first `seen` bytes, and how many bytes there are now: those that the next
    /// call has seen.
    ///
    /// Only the last 120,000 bytes are kept. Control characters other than tabs and ends of lines
    /// are escaped.
    #[must_use]
    pub fn after(&self, seen: u64) -> (String, u64) {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let (bytes, written) = tail.after(seen);
        drop(tail);
        // A character that is not whole yet is left for the next time.
        let whole = bytes.len() - unfinished(&bytes);
        let text = printable(bytes.get(..whole).unwrap_or(&bytes));
        (text, written - (bytes.len() - whole) as u64)
    }
}

/// How many bytes at the end are the beginning of a character of UTF-8.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    last.map_or(0, |chunk| {
        let invalid = chunk.invalid();
        let cut = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if cut { invalid.len() } else { 0 }
    })
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("generation", &self.generation)
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_never_torn() {
        let output = Output {
            generation: 1,
            pid: 1,
            tail: Arc::default(),
        };
        let push = |bytes: &[u8]| output.tail.lock().unwrap().push(bytes);
        push(b"a\xe2\x82");
        assert_eq!(output.after(0), ("a".to_owned(), 1));
        push(b"\xacb\xff");
        assert_eq!(output.after(1), ("\u{20ac}b\u{fffd}".to_owned(), 6));
        assert_eq!(output.after(6), (String::new(), 6));
    }
}
