//! Values from their text, and the ranges of IIS's schema. Pure.

use std::{ops::RangeInclusive, time::Duration};

/// Whole seconds.
pub(super) const STARTUP_TIME_LIMIT: RangeInclusive<u32> = 0..=3600;
/// Whole seconds.
pub(super) const SHUTDOWN_TIME_LIMIT: RangeInclusive<u32> = 0..=600;
pub(super) const RAPID_FAILS_PER_MINUTE: RangeInclusive<u32> = 0..=100;
pub(super) const PROCESSES_PER_APPLICATION: RangeInclusive<u32> = 1..=100;
/// 15 days.
pub(super) const LONGEST_REQUEST_TIMEOUT: Duration = Duration::from_secs(1_296_000);

/// `true` or `false` in any case, as IIS takes it.
pub(super) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Decimal digits only: no sign, no spaces.
pub(super) fn whole(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// `[d.]hh:mm:ss`, whole seconds, each part in its range.
pub(super) fn time_span(text: &str) -> Option<Duration> {
    let (days, time) = match text.split_once('.') {
        Some((days, time)) => (whole(days)?, time),
        None => (0, text),
    };
    let mut parts = time.split(':');
    let mut part = |limit| parts.next().and_then(whole).filter(|&value| value < limit);
    let (hours, minutes, seconds) = (part(24)?, part(60)?, part(60)?);
    if parts.next().is_some() {
        return None;
    }
    let hours = u64::from(days) * 24 + u64::from(hours);
    let minutes = hours * 60 + u64::from(minutes);
    Some(Duration::from_secs(minutes * 60 + u64::from(seconds)))
}

/// Whole seconds, or a [`time_span`].
pub(super) fn seconds_or_span(text: &str) -> Option<Duration> {
    let seconds = |seconds| Duration::from_secs(u64::from(seconds));
    whole(text).map(seconds).or_else(|| time_span(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn booleans_are_true_and_false_in_any_case() {
        for (text, want) in [("true", true), ("TRUE", true), ("False", false)] {
            assert_eq!(boolean(text), Some(want), "{text}");
        }
        for text in ["", "1", "yes", " true", "truе"] {
            assert_eq!(boolean(text), None, "{text}");
        }
    }

    #[test]
    fn whole_numbers_are_digits() {
        assert_eq!(whole("0"), Some(0));
        assert_eq!(whole("0120"), Some(120));
        for text in ["", "+1", "-1", "1 ", "1.0", "0x1", "4294967296", "١"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }

    #[test]
    fn time_spans_are_checked_part_by_part() {
        for (text, seconds) in [
            ("00:02:00", 120),
            ("0:0:1", 1),
            ("23:59:59", 86_399),
            ("15.00:00:00", 1_296_000),
        ] {
            assert_eq!(
                time_span(text),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "120",
            "00:02",
            "00:60:00",
            "00:00:60",
            "24:00:00",
            "1:2:3:4",
            "00:00:01.5",
            ".00:00:01",
            "-00:00:01",
        ] {
            assert_eq!(time_span(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", days in "[0-9]{0,12}", time in "[0-9:.]{0,20}") {
            let _ = (time_span(&text), whole(&text), boolean(&text));
            let _ = time_span(&format!("{days}.{time}"));
        }
    }
}
