//! Where each process of the demo's app leaves its id, so that the next one knows how many came before.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The file's name in the demo's folder.
const FILE: &str = "processes";

/// A folder of the demo's own, which is the app's content root; removed when this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A new folder that only this user can open.
    pub(super) fn create() -> io::Result<Self> {
        // Not the process id: it comes again, and so may a folder that nobody could remove.
        let number = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let path = std::env::temp_dir().join(format!("ancm-demo-{number:016x}"));
        // Fails where it exists: what lies in a folder that somebody else prepared is not ours.
        create_private(&path)?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join(FILE)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is a few bytes in the folder for temporary files.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Elsewhere the folder for temporary files is the user's own already.
#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// Writes `pid` down and returns who came before, the oldest first.
pub(super) fn enter(journal: &Path, pid: u32) -> io::Result<Vec<u32>> {
    let before = match fs::read_to_string(journal) {
        Ok(text) => text.lines().filter_map(|line| line.parse().ok()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut file = OpenOptions::new().append(true).create(true).open(journal)?;
    writeln!(file, "{pid}")?;
    Ok(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_finds_those_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join(FILE);
        assert!(enter(&journal, 7).unwrap().is_empty());
        assert_eq!(enter(&journal, 9).unwrap(), [7]);
        assert_eq!(enter(&journal, 8).unwrap(), [7, 9]);
    }

    #[test]
    fn the_folder_goes_with_its_owner() {
        let folder = Folder::create().unwrap();
        let path = folder.path().to_owned();
        assert_ne!(Folder::create().unwrap().path(), path);
        enter(&folder.journal(), 1).unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
