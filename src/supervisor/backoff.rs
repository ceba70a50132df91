//! How long to wait before an app that failed is started again. Pure.

use std::time::Duration;

/// The wait after the second failure in a row; it doubles from there.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait. Short, because `rapidFailsPerMinute` stops what goes on failing: the default
/// of 10 is used up after about 20 seconds.
const LONGEST: Duration = Duration::from_secs(5);

/// The time before the next start, after so many failures in a row: none after the first one.
///
/// Differs from ANCM: there is no restart without a request there, and no wait.
pub(super) fn delay(failures: u32) -> Duration {
    match failures.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            FIRST.saturating_mul(factor).min(LONGEST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_its_cap() {
        for (failures, millis) in [
            (0, 0),
            (1, 0),
            (2, 100),
            (3, 200),
            (4, 400),
            (7, 3_200),
            (8, 5_000),
            (9, 5_000),
            (40, 5_000),
            (u32::MAX, 5_000),
        ] {
            assert_eq!(delay(failures), Duration::from_millis(millis), "{failures}");
        }
    }
}
