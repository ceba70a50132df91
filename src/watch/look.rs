//! Compares files with what they were.

use std::{
    collections::BTreeMap,
    fs, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::{
    Files,
    changes::{Change, Teller},
    lock,
};
use crate::files::{Interest, Look, Stamp};

/// What each path was when it was looked at last; `None`: not there.
type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// Looks at files, and remembers them.
#[derive(Debug)]
pub(super) struct Looker {
    wanted: Arc<Mutex<Files>>,
    teller: Teller,
    files: Files,
    stamps: Stamps,
    /// The folders they lie in.
    folders: Stamps,
}

impl Looker {
    /// What changes from now on is told of.
    pub(super) fn new(wanted: Arc<Mutex<Files>>, teller: Teller) -> Self {
        let mut looker = Self {
            wanted,
            teller,
            files: Files::default(),
            stamps: Stamps::new(),
            folders: Stamps::new(),
        };
        looker.renew();
        looker
    }

    /// Takes the files that are wanted now; true where they are others.
    fn renew(&mut self) -> bool {
        let wanted = lock(&self.wanted).clone();
        if wanted == self.files && !self.stamps.is_empty() {
            return false;
        }
        self.files = wanted;
        self.stamps = renewed(&mut self.stamps, self.files.paths());
        let folders = self.files.paths().filter_map(Path::parent);
        self.folders = renewed(&mut self.folders, folders);
        true
    }

    /// Whether a folder is another one than before; true for one that was not there.
    fn moved(&mut self) -> bool {
        let mut moved = false;
        for (path, stamp) in &mut self.folders {
            let now = stamp_of(path);
            let same = match (&stamp, &now) {
                (Some(before), Some(now)) => before.is_same_file(now),
                (_, None) => true,
                (None, Some(_)) => false,
            };
            moved |= !same;
            *stamp = now;
        }
        moved
    }

    fn compare(&mut self) {
        let Files {
            configuration,
            restart,
            recycle,
        } = &self.files;
        let changed = |stamps: &mut Stamps, path: &Path| {
            let stamp = stamps.get_mut(path)?;
            let now = stamp_of(path);
            let before = mem::replace(stamp, now.clone());
            (!is_same(before.as_ref(), now.as_ref())).then_some(now.is_some())
        };
        for path in configuration {
            if changed(&mut self.stamps, path).is_some() {
                self.teller.tell(Change::Configuration(path.clone()));
            }
        }
        for path in restart {
            // Who removes it asks for nothing.
            if changed(&mut self.stamps, path) == Some(true) {
                self.teller.tell(Change::Restart(path.clone()));
            }
        }
        for path in recycle {
            if changed(&mut self.stamps, path).is_some() {
                self.teller.tell(Change::File(path.clone()));
            }
        }
    }
}

impl Look for Looker {
    fn look(&mut self, _: bool) -> bool {
        let renewed = self.renew();
        let moved = self.moved();
        self.compare();
        renewed || moved
    }

    fn interest(&self) -> Interest {
        let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
        Interest {
            folders: self.folders.keys().cloned().collect(),
            names: self.files.paths().filter_map(name).collect(),
        }
    }
}

impl Files {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let paths = self.configuration.iter().chain(&self.restart);
        paths.chain(&self.recycle).map(PathBuf::as_path)
    }
}

/// What is known of `paths` already, and what the new ones are now.
fn renewed<'a>(known: &mut Stamps, paths: impl Iterator<Item = &'a Path>) -> Stamps {
    paths
        .map(|path| {
            let stamp = known.remove(path).unwrap_or_else(|| stamp_of(path));
            (path.to_owned(), stamp)
        })
        .collect()
}

/// Follows links: a deployment may swap them.
fn stamp_of(path: &Path) -> Option<Stamp> {
    fs::metadata(path).map(|metadata| Stamp::of(&metadata)).ok()
}

fn is_same(before: Option<&Stamp>, now: Option<&Stamp>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => before.is_same_content(now),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use tempfile::{TempDir, tempdir};

    use super::*;
    use crate::watch::{Changes, restart_files};

    struct Site {
        root: TempDir,
        looker: Looker,
        wanted: Arc<Mutex<Files>>,
        changes: Changes,
    }

    fn site() -> Site {
        let root = tempdir().unwrap();
        let wanted = Arc::new(Mutex::new(Files {
            configuration: vec![root.path().join("web.config")],
            restart: restart_files(root.path()),
            recycle: vec![root.path().join("app.dll")],
        }));
        fs::write(root.path().join("web.config"), "one").unwrap();
        let (changes, teller) = Changes::new();
        let looker = Looker::new(Arc::clone(&wanted), teller);
        Site {
            root,
            looker,
            wanted,
            changes,
        }
    }

    impl Site {
        fn write(&self, name: &str, content: &str) {
            fs::write(self.root.path().join(name), content).unwrap();
        }

        fn remove(&self, name: &str) {
            fs::remove_file(self.root.path().join(name)).unwrap();
        }

        /// Sets the time of a change, as `touch` does, in a way that no clock's granularity hides.
        fn touch(&self, name: &str, seconds: u64) {
            let file = fs::File::options()
                .append(true)
                .open(self.root.path().join(name))
                .unwrap();
            let time = SystemTime::now() + Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
        }

        async fn seen(&mut self) -> Vec<String> {
            self.looker.look(true);
            let period = Duration::ZERO;
            let seen = tokio::time::timeout(Duration::from_secs(1), self.changes.after(period));
            let told = seen.await.unwrap_or_default();
            let name = |change: &Change| {
                let path = change.path().strip_prefix(self.root.path()).unwrap();
                let kind = match change {
                    Change::Configuration(_) => "configuration",
                    Change::Restart(_) => "restart",
                    Change::File(_) => "file",
                };
                format!("{kind} {}", path.display())
            };
            told.iter().map(name).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_told_of_what_was_there_before() {
        let mut site = site();
        assert!(site.seen().await.is_empty());
        assert!(site.seen().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_configuration_is_told_of_however_it_changes() {
        let mut site = site();
        site.write("web.config", "another");
        assert_eq!(site.seen().await, ["configuration web.config"]);
        site.touch("web.config", 10);
        assert_eq!(site.seen().await, ["configuration web.config"], "touched");
        site.remove("web.config");
        assert_eq!(site.seen().await, ["configuration web.config"], "gone");
        site.write("web.config", "another");
        assert_eq!(site.seen().await, ["configuration web.config"], "back");
        assert!(site.seen().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_file_counts_when_it_is_made_or_touched() {
        let mut site = site();
        site.write("restart.txt", "");
        assert_eq!(site.seen().await, ["restart restart.txt"]);
        site.touch("restart.txt", 10);
        assert_eq!(site.seen().await, ["restart restart.txt"]);
        site.remove("restart.txt");
        assert!(site.seen().await.is_empty());

        fs::create_dir(site.root.path().join("tmp")).unwrap();
        site.write("tmp/restart.txt", "");
        assert_eq!(site.seen().await, ["restart tmp/restart.txt"]);
    }

    #[tokio::test(start_paused = true)]
    async fn files_of_the_app_count_and_others_do_not() {
        let mut site = site();
        site.write("app.dll", "");
        site.write("other.dll", "");
        assert_eq!(site.seen().await, ["file app.dll"]);
        site.remove("app.dll");
        assert_eq!(site.seen().await, ["file app.dll"]);
    }

    #[tokio::test(start_paused = true)]
    async fn other_files_may_be_wanted_and_no_change_is_missed() {
        let mut site = site();
        site.write("other.dll", "");
        site.write("web.config", "another");
        lock(&site.wanted).recycle = vec![site.root.path().join("other.dll")];
        assert_eq!(site.seen().await, ["configuration web.config"]);
        site.write("app.dll", "");
        site.write("other.dll", "longer");
        assert_eq!(site.seen().await, ["file other.dll"]);
    }

    #[test]
    fn a_folder_that_appears_is_asked_to_be_told_of() {
        let mut site = site();
        assert!(!site.looker.look(true));
        fs::create_dir(site.root.path().join("tmp")).unwrap();
        assert!(site.looker.look(true));
        assert!(!site.looker.look(true));
        let interest = site.looker.interest();
        assert!(interest.folders.contains(&site.root.path().join("tmp")));
        assert!(interest.names.contains(&"restart.txt".to_owned()));
    }

    #[cfg(unix)]
    #[tokio::test(start_paused = true)]
    async fn another_name_or_other_rights_are_no_change() {
        use std::os::unix::fs::PermissionsExt as _;

        let mut site = site();
        let path = site.root.path().join("web.config");
        fs::hard_link(&path, site.root.path().join("backup")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(site.seen().await.is_empty());
    }
}
