//! Lets a forked process forget the memory of the one it was forked from.
//!
//! Otherwise the [guardian](super::guardian) would keep a copy of each page that we write to afterwards, up to all the memory we had at
//! the fork, with every secret in it.
#![allow(unsafe_code, reason = "gives mapped memory back by its address")]

use std::ops::Range;

use rustix::{
    fs::{Mode, OFlags, open},
    io::read,
};

/// Smaller mappings may belong to the dynamic linker or be the zeroed data of a library, and do not matter.
const WORTH_IT: usize = 256 * 1024;
/// A line of `/proc/self/maps` without its path is shorter than this.
const LINE: usize = 128;

/// Gives back what was allocated: the heap, large anonymous mappings, the stacks of other threads. Not the stack and the
/// thread-local data of the calling thread, and no code and no static data.
///
/// Neither allocates nor takes a lock.
///
/// # Safety
///
/// The caller is the only thread, and neither it nor what it calls later uses anything allocated before.
pub(super) unsafe fn forget() {
    let (stack, local) = (0_u8, errno_address());
    let kept = [(&raw const stack).addr(), local];
    for_each_mapping(|range| {
        if !kept.iter().any(|address| range.contains(address)) {
            // SAFETY: nobody uses it any more, by the caller's word; the address is one of ours.
            unsafe { libc::madvise(range.start as *mut _, range.len(), libc::MADV_DONTNEED) };
        }
    });
}

fn errno_address() -> usize {
    // SAFETY: only its address is used.
    unsafe { libc::__errno_location() }.addr()
}

fn for_each_mapping(mut see: impl FnMut(Range<usize>)) {
    let Ok(maps) = open(
        c"/proc/self/maps",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    ) else {
        return;
    };
    let (mut line, mut length) = ([0; LINE], 0);
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = read(&maps, &mut buffer) {
        for &byte in buffer.iter().take(count) {
            if byte == b'\n' {
                if let Some(range) = line.get(..length).and_then(private_memory) {
                    see(range);
                }
                length = 0;
            } else if let Some(place) = line.get_mut(length) {
                *place = byte;
                length += 1;
            }
        }
    }
}

/// The addresses of a mapping that only allocations live in: `START-END rw-p OFFSET DEVICE 0 [heap]`, or with no name.
fn private_memory(line: &[u8]) -> Option<Range<usize>> {
    let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    let end = usize::from_str_radix(end, 16).ok()?;
    let private = fields.next()? == "rw-p";
    let anonymous = fields.nth(2)? == "0";
    let size = end.checked_sub(start)?;
    let named = match fields.next() {
        None => size >= WORTH_IT,
        Some(name) => name == "[heap]" || name.starts_with("[anon:") && size >= WORTH_IT,
    };
    (private && anonymous && named).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_allocations_are_forgotten() {
        let cases = [
            (
                "1000-2000 rw-p 00000000 00:00 0          [heap]",
                Some(0x1000..0x2000),
            ),
            (
                "100000-200000 rw-p 00000000 00:00 0 ",
                Some(0x10_0000..0x20_0000),
            ),
            (
                "100000-200000 rw-p 00000000 00:00 0  [anon: glibc: malloc arena]",
                Some(0x10_0000..0x20_0000),
            ),
            ("1000-2000 rw-p 00000000 00:00 0 ", None),
            ("100000-200000 rw-p 00000000 00:00 0  [stack]", None),
            ("100000-200000 rw-s 00000000 00:00 0 ", None),
            ("100000-200000 r--p 00000000 00:00 0 ", None),
            (
                "100000-200000 rw-p 00000000 fe:00 77  /usr/lib/libc.so.6",
                None,
            ),
            ("200000-100000 rw-p 00000000 00:00 0 ", None),
            (
                "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0  [vsyscall]",
                None,
            ),
            ("", None),
        ];
        for (line, want) in cases {
            assert_eq!(private_memory(line.as_bytes()), want, "{line}");
        }
    }

    #[test]
    fn finds_a_large_allocation_and_not_our_stack_alone() {
        let large = vec![1_u8; 64 << 20];
        let address = large.as_ptr().addr() + (32 << 20);
        let mut found = false;
        for_each_mapping(|range| found |= range.contains(&address));
        assert!(found);
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line: Vec<u8>, text: String) {
            let _ = private_memory(&line);
            let _ = private_memory(text.as_bytes());
        }
    }
}
