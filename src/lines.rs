//! Where a line ends.

/// The place of the first LF.
///
/// For short lines: without the choice of the best instructions at run time, and the call that comes with it.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn line_end(bytes: &[u8]) -> Option<usize> {
    use memchr::arch::x86_64::sse2::memchr::One;

    // Every x86-64 processor has these instructions.
    match One::new(b'\n') {
        Some(finder) => finder.find(bytes),
        None => memchr::memchr(b'\n', bytes),
    }
}

/// The place of the first LF.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_feed_is_found_wherever_it_stands() {
        for length in 0..100 {
            let mut bytes = vec![b'x'; length];
            assert_eq!(line_end(&bytes), None);
            for place in (0..length).rev() {
                bytes[place] = b'\n';
                assert_eq!(line_end(&bytes), Some(place), "{length}");
            }
        }
    }
}
