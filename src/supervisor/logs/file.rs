//! The log files of a process's output: named, capped, rolled, pruned.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use time::OffsetDateTime;

/// A file that grew to this size is followed by another one: 64 MiB still opens in an editor.
const SIZE: u64 = 64 * 1024 * 1024;
/// The files of one app that are kept, those of earlier runs included: 640 MiB at most.
///
/// Differs from ANCM: its files are neither capped nor deleted, and fill disks.
const FILES: usize = 10;
/// Files made within one second by one process get a number from 2 on.
const SAME_SECOND: u32 = 100;

/// What a log file is called and how much of it is kept.
#[derive(Clone, Debug)]
pub(crate) struct LogFiles {
    prefix: PathBuf,
    size: u64,
    keep: usize,
}

impl LogFiles {
    /// `prefix` is the absolute path that each name begins with; `slots` is how many processes
    /// write at once.
    pub(crate) fn new(prefix: PathBuf, slots: usize) -> Self {
        let keep = FILES.saturating_mul(slots.max(1));
        let size = SIZE;
        Self { prefix, size, keep }
    }

    #[cfg(test)]
    pub(super) fn with_limits(prefix: PathBuf, size: u64, keep: usize) -> Self {
        Self { prefix, size, keep }
    }

    /// Makes the next file, and the folders that lead to it.
    ///
    /// Nobody else may read them, and an existing file, a link included, is never written to.
    pub(crate) fn create(&self) -> io::Result<LogFile> {
        let (path, file) = self.open()?;
        self.prune(&path);
        Ok(LogFile {
            files: self.clone(),
            path,
            file,
            written: 0,
            empty: true,
        })
    }

    fn open(&self) -> io::Result<(PathBuf, File)> {
        if let Some(folder) = self.prefix.parent() {
            private_folders(folder)?;
        }
        let now = OffsetDateTime::now_utc();
        for number in 1..=SAME_SECOND {
            let path = self.path(now, std::process::id(), number);
            match private_file(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// ANCM: the prefix, the time in UTC, the process that writes the file: ours, not the app's.
    ///
    /// Differs from ANCM: a second file of the same second gets a number; there it replaces the
    /// first one.
    fn path(&self, at: OffsetDateTime, pid: u32, number: u32) -> PathBuf {
        let (date, time) = (at.date(), at.time());
        let stamp = format!(
            "_{:04}{:02}{:02}{:02}{:02}{:02}_{pid}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
        );
        let mut name = self.prefix.clone().into_os_string();
        name.push(stamp);
        if number > 1 {
            name.push(format!("_{number}"));
        }
        name.push(".log");
        name.into()
    }

    /// Deletes the oldest files with this prefix, so that as many are left as may be.
    ///
    /// Files that can't be deleted are in use, or somebody else's: they stay.
    fn prune(&self, newest: &Path) {
        let (Some(folder), Some(prefix)) = (self.prefix.parent(), self.prefix.file_name()) else {
            return;
        };
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        let prefix = prefix.to_string_lossy();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| is_ours(name, &prefix) && folder.join(name) != newest)
            .collect();
        // The stamps have one length, so names sort by time.
        names.sort_unstable();
        let excess = (names.len() + 1).saturating_sub(self.keep);
        for name in names.iter().take(excess) {
            let _ = fs::remove_file(folder.join(name));
        }
    }
}

/// Whether `name` is one that [`LogFiles::path`] makes.
fn is_ours(name: &str, prefix: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(rest) = name.strip_prefix(prefix).and_then(|r| r.strip_prefix('_')) else {
        return false;
    };
    let Some(rest) = rest.strip_suffix(".log") else {
        return false;
    };
    let mut parts = rest.split('_');
    parts
        .next()
        .is_some_and(|stamp| stamp.len() == 14 && number(stamp))
        && parts.next().is_some_and(number)
        && parts.next().is_none_or(number)
        && parts.next().is_none()
}

/// A log file that is being written. All of it blocks.
#[derive(Debug)]
pub(crate) struct LogFile {
    files: LogFiles,
    path: PathBuf,
    file: File,
    written: u64,
    empty: bool,
}

impl LogFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `chunk`, to the next file if this one is full.
    pub(super) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        if self.written >= self.files.size {
            *self = self.files.create()?;
        }
        self.file.write_all(chunk)?;
        self.written += chunk.len() as u64;
        self.empty &= chunk.is_empty();
        Ok(())
    }

    /// Says in the file that output was lost.
    pub(super) fn note_loss(&mut self, bytes: u64) -> io::Result<()> {
        let note = format!("\n[{bytes} bytes of output are missing here: the disk was too slow]\n");
        self.write(note.as_bytes())
    }

    /// Deletes the file if nothing was written to it.
    ///
    /// Differs from ANCM: it keeps empty files.
    pub(super) fn finish(self) {
        if self.empty {
            drop(self.file);
            let _ = fs::remove_file(self.path);
        }
    }
}

/// Makes a folder and those above it, for ourselves alone where the system knows of that.
fn private_folders(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes a file that was not there. `O_EXCL` does not follow a link either (POSIX, `open`).
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn is_named_as_the_module_names_it() {
        let at = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
        let files = LogFiles::new("/var/log/app/stdout".into(), 1);
        for (number, want) in [
            (1, "/var/log/app/stdout_20231114221320_42.log"),
            (2, "/var/log/app/stdout_20231114221320_42_2.log"),
        ] {
            assert_eq!(files.path(at, 42, number), Path::new(want));
        }
    }

    #[test]
    fn knows_its_own_names() {
        for (name, want) in [
            ("stdout_20231114221320_42.log", true),
            ("stdout_20231114221320_42_2.log", true),
            ("stdout_20231114221320_42_2_3.log", false),
            ("stdout_2023111422132_42.log", false),
            ("stdout_2023111422132x_42.log", false),
            ("stdout_20231114221320_.log", false),
            ("stdout_20231114221320.log", false),
            ("stdout_20231114221320_42.txt", false),
            ("stdout_x_20231114221320_42.log", false),
            ("other_20231114221320_42.log", false),
            ("stdout", false),
        ] {
            assert_eq!(is_ours(name, "stdout"), want, "{name}");
        }
    }

    #[test]
    fn makes_folders_and_never_replaces_a_file() {
        let root = tempfile::tempdir().unwrap();
        let files = LogFiles::new(root.path().join("a/b/stdout"), 1);
        let (one, other) = (files.create().unwrap(), files.create().unwrap());
        assert_ne!(one.path(), other.path());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(one.path()), 0o600);
            assert_eq!(mode(&root.path().join("a/b")), 0o700);
        }
    }

    #[cfg(unix)]
    #[test]
    fn does_not_follow_a_link() {
        let root = tempfile::tempdir().unwrap();
        let (link, target) = (root.path().join("link"), root.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(private_file(&link).is_err());
        assert!(!target.exists());
    }

    #[test]
    fn deletes_an_empty_file_only() {
        let root = tempfile::tempdir().unwrap();
        let files = LogFiles::new(root.path().join("stdout"), 1);
        let (empty, mut full) = (files.create().unwrap(), files.create().unwrap());
        full.write(b"x").unwrap();
        let path = full.path().to_owned();
        empty.finish();
        full.finish();
        assert_eq!(
            names(root.path()),
            [path.file_name().unwrap().to_str().unwrap()]
        );
    }

    #[test]
    fn rolls_and_keeps_the_newest() {
        let root = tempfile::tempdir().unwrap();
        let old = "stdout_20010101000000_1.log";
        fs::write(root.path().join(old), "old").unwrap();
        fs::write(root.path().join("stdout.txt"), "not ours").unwrap();
        let files = LogFiles::with_limits(root.path().join("stdout"), 10, 3);
        let mut file = files.create().unwrap();
        for _ in 0..6 {
            file.write(b"0123456789").unwrap();
        }
        let left = names(root.path());
        assert_eq!(left.len(), 4, "{left:?}");
        assert!(!left.iter().any(|name| name == old), "{left:?}");
        assert!(left.iter().any(|name| name == "stdout.txt"), "{left:?}");
    }
}
