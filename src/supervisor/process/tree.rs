//! Who is in a process tree, and who of it holds a socket: from `/proc`.
//!
//! Nothing here allocates or takes a lock, because the [guardian](super::guardian) calls it too; but for [`members`] and
//! [`private_memory`].

use std::{ffi::CStr, io, mem::MaybeUninit, os::fd::AsFd};

use rustix::{
    fs::{Mode, OFlags, RawDir, open, openat, readlinkat_raw},
    io::{Errno, read},
};

/// The deepest tree that is believed: a chain of parents can't be a circle, but it can change while it is read.
const DEEPEST: usize = 128;
/// Enough for `/proc/PID/stat` up to the parent's number, which stands behind a name of at most 64 bytes.
const STAT: usize = 256;

/// One line of the process table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: i32,
    pub(super) parent: i32,
}

/// Calls `see` for each process of the system, zombies included. Who comes or goes meanwhile may be missed.
pub(super) fn for_each_process(mut see: impl FnMut(Entry)) -> io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let proc = open_directory(c"/proc")?;
    let mut entries = RawDir::new(proc.as_fd(), &mut buffer);
    while let Some(entry) = entries.next() {
        if let Some(id) = number(entry?.file_name().to_bytes())
            && let Some(parent) = parent_of(id)
        {
            see(Entry { id, parent });
        }
    }
    Ok(())
}

/// Whether the chain of parents leads from `id` to `ancestor`.
pub(super) fn descends(id: i32, ancestor: i32) -> bool {
    let mut current = id;
    for _ in 0..DEEPEST {
        match parent_of(current) {
            Some(parent) if parent == ancestor => return true,
            Some(parent @ 2..) => current = parent,
            Some(_) | None => return false,
        }
    }
    false
}

/// Whether process `id` holds the socket `inode`. Not, where we may not look.
pub(super) fn holds(id: i32, inode: u64) -> bool {
    let mut path = Path::new();
    path.push(b"/proc/").push_number(id).push(b"/fd");
    let mut wanted = Path::new();
    wanted.push(b"socket:[").push_number(inode).push(b"]");
    let Ok(directory) = open_directory(path.as_c_str()) else {
        return false;
    };
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut entries = RawDir::new(directory.as_fd(), &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let mut target = [MaybeUninit::uninit(); 32];
        let link = readlinkat_raw(&directory, entry.file_name(), &mut target);
        if link.is_ok_and(|(target, _)| *target == *wanted.as_bytes()) {
            return true;
        }
    }
    false
}

/// Everybody whose chain of parents leads to `root`, as of now, in no order; `root` is not among them.
pub(super) fn members(root: i32) -> Vec<i32> {
    let mut strangers = Vec::new();
    let _ = for_each_process(|process| strangers.push(process));
    let (mut members, mut next) = (Vec::new(), Some(root));
    for index in 0.. {
        let Some(parent) = next else { break };
        // Taken out, nobody is found twice, even where numbers were reused while the table was read.
        let children = strangers.extract_if(.., |process| process.parent == parent);
        members.extend(children.map(|process| process.id));
        next = members.get(index).copied();
    }
    members
}

/// The bytes that a process holds for itself alone, in memory or swapped out. None, once it has ended.
pub(super) fn private_memory(id: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    private_memory_in(&status)
}

fn private_memory_in(status: &str) -> Option<u64> {
    let kibibytes = |name: &str| -> Option<u64> {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse().ok()
    };
    let swapped = kibibytes("VmSwap:").unwrap_or(0);
    kibibytes("RssAnon:")?
        .checked_add(swapped)?
        .checked_mul(1024)
}

fn open_directory(path: &CStr) -> Result<rustix::fd::OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

fn parent_of(id: i32) -> Option<i32> {
    let mut path = Path::new();
    path.push(b"/proc/").push_number(id).push(b"/stat");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let stat = openat(rustix::fs::CWD, path.as_c_str(), flags, Mode::empty()).ok()?;
    let mut text = [0; STAT];
    let length = read(&stat, &mut text).ok()?;
    parent_in(text.get(..length)?)
}

/// The parent's number in the text of `/proc/PID/stat`: `PID (name) state PARENT …`. The name is the process's own choice and may
/// hold spaces and parentheses, but nothing behind it does.
fn parent_in(stat: &[u8]) -> Option<i32> {
    let name_ends = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = stat.get(name_ends + 1..)?.split(|&byte| byte == b' ');
    fields.find(|field| !field.is_empty())?;
    number(fields.next()?)
}

fn number(digits: &[u8]) -> Option<i32> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A short path on the stack.
struct Path {
    bytes: [u8; 48],
    length: usize,
}

impl Path {
    const fn new() -> Self {
        let (bytes, length) = ([0; 48], 0);
        Self { bytes, length }
    }

    /// Appends what fits; the last byte stays zero.
    fn push(&mut self, text: &[u8]) -> &mut Self {
        let end = self.bytes.len() - 1;
        let room = self.bytes.get_mut(self.length..end).unwrap_or_default();
        for (place, &byte) in room.iter_mut().zip(text) {
            *place = byte;
            self.length += 1;
        }
        self
    }

    fn push_number<N: TryInto<u64>>(&mut self, number: N) -> &mut Self {
        let mut rest = number.try_into().unwrap_or(0);
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        for (index, digit) in digits.iter_mut().enumerate().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            first = index;
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(first..).unwrap_or_default())
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_parent_stands_behind_the_last_parenthesis() {
        let cases: &[(&[u8], Option<i32>)] = &[
            (b"7 (sh) S 3 7 7 0 -1", Some(3)),
            (b"7 (a) R 9) S 3 7 7", Some(3)),
            (b"7 (\xff ) () Z 12 7", Some(12)),
            (b"7 (sh) S", None),
            (b"7 (sh) S x 7", None),
            (b"7 sh S 3", None),
            (b"", None),
        ];
        for (stat, want) in cases {
            assert_eq!(parent_in(stat), *want, "{}", stat.escape_ascii());
        }
    }

    #[test]
    fn finds_us_and_our_parent() {
        let (me, parent) = (
            i32::try_from(std::process::id()).unwrap(),
            rustix::process::getppid().unwrap().as_raw_pid(),
        );
        let mut seen = Vec::new();
        for_each_process(|entry| seen.push(entry)).unwrap();
        assert!(seen.contains(&Entry { id: me, parent }), "{seen:?}");
        assert!(descends(me, parent));
        assert!(!descends(parent, me));
        assert!(!descends(me, me));
    }

    #[test]
    fn members_are_those_below() {
        let me = i32::try_from(std::process::id()).unwrap();
        let parent = rustix::process::getppid().unwrap().as_raw_pid();
        let below = members(parent);
        assert!(below.contains(&me) && !below.contains(&parent), "{below:?}");
        assert!(!members(me).contains(&parent));
    }

    #[test]
    fn private_memory_is_what_is_not_shared() {
        let status = "Name:\tx\nVmRSS:\t 900 kB\nRssAnon:\t     300 kB\nRssFile:\t 600 kB\nVmSwap:\t  4 kB\n";
        assert_eq!(private_memory_in(status), Some(304 * 1024));
        assert_eq!(
            private_memory_in(&status.replace("VmSwap", "Other")),
            Some(300 * 1024)
        );
        for wrong in [
            "",
            "RssAnon:\t1 MB",
            "RssAnon: x kB",
            "RssAnon: 18446744073709551615 kB",
        ] {
            assert_eq!(private_memory_in(wrong), None, "{wrong}");
        }
        assert!(private_memory(i32::try_from(std::process::id()).unwrap()).unwrap() > 0);
    }

    #[test]
    fn tells_who_holds_a_socket() {
        use std::os::linux::fs::MetadataExt;

        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let inode = std::fs::File::from(std::os::fd::OwnedFd::from(socket))
            .metadata()
            .map(|metadata| metadata.st_ino());
        // The file was a temporary: the socket is closed by now.
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(!holds(me, inode.unwrap()));

        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let file = std::fs::File::from(std::os::fd::OwnedFd::from(socket));
        let inode = file.metadata().unwrap().st_ino();
        assert!(holds(me, inode));
        assert!(!holds(1, inode));
    }

    proptest! {
        #[test]
        fn numbers_are_written_in_decimal(number: u64) {
            let mut path = Path::new();
            path.push(b"/").push_number(number);
            let want = format!("/{number}");
            prop_assert_eq!(path.as_bytes(), want.as_bytes());
        }

        #[test]
        fn any_name_and_any_text_are_survived(name: Vec<u8>, parent in 0..i32::MAX, junk: Vec<u8>) {
            let stat = [b"1 (", &*name, b") S ", parent.to_string().as_bytes(), b" 1 2"].concat();
            prop_assert_eq!(parent_in(&stat), Some(parent));
            let _ = parent_in(&junk);
        }
    }
}
