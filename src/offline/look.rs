//! Looks whether the file is there, and reads it.

use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::Page;
use crate::files::{self, Stamp};

/// The file's name.
pub(super) const NAME: &str = "app_offline.htm";

/// The longest page. More is a mistake, and would be held in memory.
const MAX_SIZE: u64 = 1024 * 1024;

/// How many looks list the folder after it changed. Its time has a granularity, of two seconds in
/// the worst case, within which another change can't be seen by it.
const FRESH_LOOKS: u8 = 10;

/// After how many looks the folder is listed in any case.
const RARE_LOOKS: u8 = 25;

/// Whether `name` takes the app offline.
///
/// Differs from ANCM: the whole name counts, there any prefix of it in a notification.
fn is_the_name(name: &OsStr) -> bool {
    name.as_encoded_bytes()
        .eq_ignore_ascii_case(NAME.as_bytes())
}

/// Who looks, and what it remembers so that most looks cost one or two `stat`s.
#[derive(Debug)]
pub(super) struct Looker {
    root: PathBuf,
    /// The content root, if it was there at the last look.
    folder: Option<Stamp>,
    /// How many more looks list it.
    fresh: u8,
    /// How many looks in a row did not.
    unlisted: u8,
    /// The file's name, if it is there.
    name: Option<OsString>,
    /// The file when it was read last.
    read: Option<Stamp>,
    page: Option<Page>,
}

/// What a look found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The content root is another folder than before, so that a watch on it has to be renewed.
    pub(super) moved: bool,
}

impl Looker {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            folder: None,
            fresh: 0,
            unlisted: 0,
            name: None,
            read: None,
            page: None,
        }
    }

    /// Where it looks.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// What to show, as of the last look.
    pub(super) fn page(&self) -> Option<&Page> {
        self.page.as_ref()
    }

    /// Looks again. With `thorough` it lists the folder even if that seems unchanged.
    ///
    /// A content root that is not there changes nothing: it is being replaced.
    pub(super) fn look(&mut self, thorough: bool) -> Seen {
        let Ok(folder) = fs::metadata(&self.root).map(|metadata| Stamp::of(&metadata)) else {
            self.folder = None;
            return Seen { moved: false };
        };
        let before = self.folder.replace(folder.clone());
        if before.as_ref() != Some(&folder) {
            self.fresh = FRESH_LOOKS;
        }
        if self.is_to_list() || thorough {
            self.list();
        }
        self.refresh();
        Seen {
            moved: before.is_none_or(|before| !before.is_same_file(&folder)),
        }
    }

    fn is_to_list(&mut self) -> bool {
        if self.fresh > 0 {
            self.fresh -= 1;
            return true;
        }
        self.unlisted = (self.unlisted + 1) % RARE_LOOKS;
        self.unlisted == 0
    }

    fn list(&mut self) {
        match find(&self.root) {
            Ok(name) => self.name = name,
            // The folder can't be listed, but perhaps be looked into.
            Err(_) if self.name.is_none() => {
                let plain = self.root.join(NAME).symlink_metadata();
                self.name = plain.is_ok().then(|| NAME.into());
            }
            Err(_) => {}
        }
    }

    /// Reads the file again if it changed.
    fn refresh(&mut self) {
        let Some(path) = self.name.as_ref().map(|name| self.root.join(name)) else {
            self.read = None;
            self.page = None;
            return;
        };
        match fs::symlink_metadata(&path).map(|metadata| Stamp::of(&metadata)) {
            Ok(stamp) if self.page.is_some() && self.read.as_ref() == Some(&stamp) => {}
            Ok(stamp) => {
                self.read = Some(stamp);
                self.show(read(&path));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.read = None;
                self.page = None;
                // There may be another, in another case.
                self.name = find(&self.root).unwrap_or_default();
                if let Some(name) = &self.name {
                    self.show(read(&self.root.join(name)));
                }
            }
            // It is there, or the look failed: not shown, but not gone either.
            Err(error) => self.show(Err(error)),
        }
    }

    /// ANCM: while the file is there, a content that was shown stays until there is another.
    fn show(&mut self, content: io::Result<Vec<u8>>) {
        match content {
            Ok(content) if !content.is_empty() => self.page = Some(Page::new(content)),
            Ok(_) | Err(_) => {
                self.page.get_or_insert_with(Page::built_in);
            }
        }
    }
}

/// The name of the file in this folder, whatever its case. Of several, always the same.
fn find(root: &Path) -> io::Result<Option<OsString>> {
    let mut found = None;
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name();
        if is_the_name(&name) && found.as_ref().is_none_or(|found| *found < name) {
            found = Some(name);
        }
    }
    Ok(found)
}

/// The file's content.
///
/// # Errors
///
/// When it is no regular file, too long, or can't be read now.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = files::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MAX_SIZE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut content = Vec::new();
    // It may grow meanwhile.
    file.take(MAX_SIZE + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_SIZE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tempfile::{TempDir, tempdir};

    use super::*;

    fn root() -> (TempDir, Looker) {
        let root = tempdir().unwrap();
        let looker = Looker::new(root.path());
        (root, looker)
    }

    fn shown(looker: &mut Looker, thorough: bool) -> Option<String> {
        looker.look(thorough);
        let page = looker.page()?;
        if page.is_built_in() {
            return Some("built in".to_owned());
        }
        Some(String::from_utf8(page.content().to_vec()).unwrap())
    }

    #[test]
    fn the_name_counts_in_any_case_and_as_a_whole() {
        for (name, counts) in [
            ("app_offline.htm", true),
            ("App_Offline.htm", true),
            ("APP_OFFLINE.HTM", true),
            ("app_offline.html", false),
            ("app_offline.ht", false),
            ("app", false),
            ("a", false),
            ("app_offline.htm.bak", false),
            (".app_offline.htm", false),
            ("app-offline.htm", false),
        ] {
            let (root, mut looker) = root();
            fs::write(root.path().join(name), "page").unwrap();
            let want = counts.then(|| "page".to_owned());
            assert_eq!(shown(&mut looker, false), want, "{name}");
        }
    }

    #[test]
    fn only_the_content_root_counts() {
        let (root, mut looker) = root();
        fs::create_dir(root.path().join("wwwroot")).unwrap();
        fs::write(root.path().join("wwwroot").join(NAME), "page").unwrap();
        assert_eq!(shown(&mut looker, true), None);
    }

    #[test]
    fn what_is_no_readable_file_takes_the_app_offline_all_the_same() {
        let built_in = Some("built in".to_owned());
        let (root, mut looker) = root();
        let path = root.path().join(NAME);

        fs::create_dir(&path).unwrap();
        assert_eq!(shown(&mut looker, true), built_in, "folder");
        fs::remove_dir(&path).unwrap();
        assert_eq!(shown(&mut looker, true), None);

        fs::write(&path, "").unwrap();
        assert_eq!(shown(&mut looker, true), built_in, "empty");

        let file = File::create(&path).unwrap();
        file.set_len(MAX_SIZE + 1).unwrap();
        assert_eq!(shown(&mut looker, true), built_in, "too long");
        file.set_len(1 << 40).unwrap();
        assert_eq!(shown(&mut looker, true), built_in, "sparse and huge");
        file.set_len(MAX_SIZE).unwrap();
        looker.look(true);
        assert_eq!(looker.page().unwrap().content().len() as u64, MAX_SIZE);
    }

    #[cfg(unix)]
    #[test]
    fn neither_follows_a_link_nor_waits_for_a_pipe() {
        use std::os::unix::fs::symlink;

        let built_in = Some("built in".to_owned());
        let (root, mut looker) = root();
        let path = root.path().join(NAME);
        fs::write(root.path().join("secret"), "secret").unwrap();
        for target in ["secret", "/etc/passwd", "nowhere", NAME, "/dev/zero"] {
            symlink(target, &path).unwrap();
            assert_eq!(shown(&mut looker, true), built_in, "{target}");
            fs::remove_file(&path).unwrap();
            assert_eq!(shown(&mut looker, true), None, "{target}");
        }
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        assert_eq!(shown(&mut looker, true), built_in, "pipe");
    }

    #[test]
    fn shows_what_changed_and_keeps_what_was_shown() {
        let (root, mut looker) = root();
        let path = root.path().join(NAME);
        fs::write(&path, "one").unwrap();
        assert_eq!(shown(&mut looker, false).unwrap(), "one");
        fs::write(&path, "another").unwrap();
        assert_eq!(shown(&mut looker, false).unwrap(), "another");
        fs::write(&path, "").unwrap();
        assert_eq!(
            shown(&mut looker, false).unwrap(),
            "another",
            "while it is written anew"
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(shown(&mut looker, false), None);
        fs::write(&path, "").unwrap();
        assert_eq!(shown(&mut looker, true).unwrap(), "built in");
    }

    #[test]
    fn of_two_cases_one_takes_the_others_place() {
        let (root, mut looker) = root();
        let (lower, upper) = (root.path().join(NAME), root.path().join("APP_OFFLINE.HTM"));
        fs::write(&lower, "lower").unwrap();
        if upper.exists() {
            return; // The file system folds case by itself.
        }
        fs::write(&upper, "upper").unwrap();
        assert_eq!(shown(&mut looker, true).unwrap(), "lower");
        fs::remove_file(&lower).unwrap();
        assert_eq!(shown(&mut looker, false).unwrap(), "upper");
        fs::remove_file(&upper).unwrap();
        assert_eq!(shown(&mut looker, false), None);
    }

    #[test]
    fn a_root_that_is_gone_changes_nothing_until_it_is_back() {
        let base = tempdir().unwrap();
        let (root, old) = (base.path().join("app"), base.path().join("old"));
        let mut looker = Looker::new(&root);
        assert_eq!(shown(&mut looker, true), None, "not there yet");
        fs::create_dir(&root).unwrap();
        assert!(looker.look(false).moved);
        assert!(!looker.look(false).moved);
        fs::write(root.join(NAME), "page").unwrap();
        assert_eq!(shown(&mut looker, false).unwrap(), "page");

        fs::rename(&root, &old).unwrap();
        assert_eq!(shown(&mut looker, true).unwrap(), "page", "still offline");
        fs::create_dir(&root).unwrap();
        assert!(looker.look(false).moved);
        assert_eq!(looker.page(), None);
    }

    /// So that listing a large folder is not what an idle app does all day.
    #[test]
    fn an_unchanged_folder_is_listed_rarely() {
        let (_root, mut looker) = root();
        looker.look(true);
        let listed = (1..260).filter(|_| looker.is_to_list()).count();
        assert_eq!(
            listed,
            usize::from(FRESH_LOOKS - 1) + 250 / usize::from(RARE_LOOKS)
        );
    }
}
