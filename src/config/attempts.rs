//! How often a password may be tried.

use std::time::Duration;

/// How often somebody may try a password of Basic authentication.
///
/// ```
/// use ancm::config::Attempts;
/// use std::time::Duration;
///
/// let attempts = Attempts::new().wrong(3).time(Duration::from_secs(60));
/// assert_eq!(attempts.remember(Duration::ZERO).wait(Duration::ZERO).wrong_in_time(), Some((3, Duration::from_secs(60))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Attempts {
    pub(crate) wrong: u32,
    pub(crate) time: Duration,
    pub(crate) wait: Duration,
    pub(crate) remember: Duration,
}

impl Attempts {
    /// The most that [`wrong`](Self::wrong) can be set to.
    pub(crate) const MOST: u32 = 1_000;
    /// The longest of the times.
    pub(crate) const LONGEST: Duration = Duration::from_secs(86_400);

    /// 10 wrong ones in 5 minutes; what was right is remembered for 10 minutes.
    pub const fn new() -> Self {
        Self {
            wrong: 10,
            time: Duration::from_secs(300),
            wait: Duration::from_secs(5),
            remember: Duration::from_secs(600),
        }
    }

    /// Sets how many wrong passwords may come from one address (of IPv6, one /64) within [`time`](Self::time), at most
    /// 1000; after them one more in each part of it: in every half minute, of 10 in 5 minutes. So many of an address are checked
    /// at the same time, for all may be wrong. 0: as many as there are. Default 10.
    pub fn wrong(mut self, wrong: u32) -> Self {
        self.wrong = wrong.min(Self::MOST);
        self
    }

    /// Sets the time for [`wrong`](Self::wrong), from a second to a day. Default 5 min.
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time.clamp(Duration::from_secs(1), Self::LONGEST);
        self
    }

    /// Sets how long a request waits for its turn to be checked before it is told to come again, at most a day. Default 5 s.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait.min(Self::LONGEST);
        self
    }

    /// Sets for how long what was right is right without another check, at most a day; 0: never. Default 10 min.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = time.min(Self::LONGEST);
        self
    }

    /// How many may be wrong within what time; `None`: as many as there are.
    #[must_use]
    pub fn wrong_in_time(&self) -> Option<(u32, Duration)> {
        (self.wrong > 0).then_some((self.wrong, self.time))
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new()
    }
}
