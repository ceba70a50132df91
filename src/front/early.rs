//! What was said before an answer, and was not written yet.

use super::pulse::Pulse;
use crate::informational::Door;

/// What may be said before one answer, and what of it may wait for the client: it is only a hint, and a client that does not
/// read is not to make us keep more.
const MOST: usize = 32;
const LONGEST: usize = 32 * 1024;

/// Heads for one request.
#[derive(Debug, Default)]
pub(super) struct Early {
    turn: u32,
    count: usize,
    heads: Vec<u8>,
}

impl Early {
    fn put(&mut self, turn: u32, head: &[u8]) -> bool {
        if self.turn != turn {
            *self = Self {
                turn,
                ..Self::default()
            };
        }
        let fits = self.count < MOST && self.heads.len() + head.len() <= LONGEST;
        if fits {
            self.count += 1;
            self.heads.extend_from_slice(head);
        }
        fits
    }

    fn take(&mut self, turn: Option<u32>) -> Vec<u8> {
        let heads = std::mem::take(&mut self.heads);
        if turn == Some(self.turn) {
            heads
        } else {
            Vec::new()
        }
    }
}

impl Door for Pulse {
    fn turn(&self) -> Option<u32> {
        let waits = self.is_busy() && !self.has_answered() && !self.is_http2();
        waits.then(|| self.turns())
    }

    /// From whatever thread; what is too late is left out when it would be written, by the connection's own.
    fn put(&self, turn: u32, head: &[u8]) -> bool {
        {
            let mut early = self.early();
            let fits = self.turn() == Some(turn) && early.get_or_insert_default().put(turn, head);
            if !fits {
                return false;
            }
            self.set_early(true);
        }
        self.wake();
        true
    }
}

impl Pulse {
    /// What is to be written now, while nothing of hyper's waits to be. After the last, [`has_early`](Self::has_early) is over.
    pub(super) fn take_early(&self) -> Vec<u8> {
        let mut early = self.early();
        let turn = self.turn();
        let heads = early
            .as_mut()
            .map_or_else(Vec::new, |early| early.take(turn));
        if heads.is_empty() {
            self.set_early(false);
        }
        heads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_request_that_waits_is_hinted_at() {
        let pulse = Pulse::default();
        assert_eq!(pulse.turn(), None, "nobody asked");
        pulse.request_began();
        let first = pulse.turn().unwrap();
        assert!(!pulse.has_early() && pulse.put(first, b"a") && pulse.put(first, b"b"));
        assert!(pulse.has_early());
        assert_eq!(pulse.take_early(), b"ab");
        assert!(pulse.has_early(), "until there is nothing more");
        assert_eq!(pulse.take_early(), b"");
        assert!(!pulse.has_early());
        assert!(pulse.put(first, b"late"));
        pulse.set_answered();
        assert!(!pulse.put(first, b"later"));
        assert_eq!(pulse.take_early(), b"", "the answer has begun");
        pulse.request_ended();
        pulse.request_began();
        let second = pulse.turn().unwrap();
        assert!(!pulse.put(first, b"of the one before"));
        assert!(pulse.put(second, b"c"));
        assert_eq!(pulse.take_early(), b"c");
        pulse.set_http2();
        assert_eq!(pulse.turn(), None);
    }

    #[test]
    fn no_more_is_kept_than_a_client_may_be_told() {
        let pulse = Pulse::default();
        pulse.request_began();
        let turn = pulse.turn().unwrap();
        assert!(!pulse.put(turn, &[b'x'; LONGEST + 1]));
        assert!(pulse.put(turn, &[b'x'; LONGEST]));
        assert!(!pulse.put(turn, b"x"));
        assert_eq!(pulse.take_early().len(), LONGEST);
        for _ in 1..MOST {
            assert!(pulse.put(turn, b"x"));
        }
        assert!(!pulse.put(turn, b"x"), "however slowly they come");
    }
}
