//! Finds the program that `processPath` means.

use std::{
    fs::File,
    io::Read,
    path::{Component, Path, PathBuf},
};

use super::{Places, Unresolved, os};
use crate::config::findings::{Findings, WarningKind};

/// A program, and the library it must be given first where it is `dotnet` in the place of an app's own program.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) program: PathBuf,
    pub(super) library: Option<String>,
}

impl From<PathBuf> for Found {
    fn from(program: PathBuf) -> Self {
        let library = None;
        Self { program, library }
    }
}

/// ANCM: a relative path that names a file in the content root is that file; anything else is left to the operating
/// system's search. The rest of this is for commands that were written for another operating system.
pub(super) fn resolve(
    written: &str,
    places: &Places<'_>,
    findings: &mut Findings,
) -> Result<Found, Unresolved> {
    let path = os::native(written);
    let mut search = Search {
        places,
        findings,
        looked_for: Vec::new(),
    };
    if let Some(found) = search.of_the_app(&path)? {
        return Ok(found);
    }
    let name = base_name(&path);
    let bare = name == path;
    if is_dotnet(name) && (bare || os::is_foreign(&path)) {
        if !bare {
            search.translated(written, "`dotnet` of this system");
        }
        return search.dotnet().map(Found::from);
    }
    if bare && let Some(program) = search.on_path(&path) {
        return Ok(program.into());
    }
    if let Some(program) = search.in_another_case(&path)? {
        return Ok(program.into());
    }
    Err(Unresolved::nowhere(
        &format!("`{written}`"),
        &search.looked_for,
    ))
}

/// The last part of a path that is [`os::native`].
fn base_name(path: &str) -> &str {
    let separator = |c: char| std::path::is_separator(c);
    path.rsplit(separator).next().unwrap_or(path)
}

/// Whether this is the name of the .NET host.
pub(super) fn is_dotnet(name: &str) -> bool {
    name.eq_ignore_ascii_case("dotnet") || name.eq_ignore_ascii_case("dotnet.exe")
}

struct Search<'a, 'b> {
    places: &'a Places<'b>,
    findings: &'a mut Findings,
    looked_for: Vec<String>,
}

impl Search<'_, '_> {
    /// The program that `path` names by its place, or what stands for it where it is one of Windows.
    fn of_the_app(&mut self, path: &str) -> Result<Option<Found>, Unresolved> {
        let file = self.file(path)?;
        let Some(stem) = os::without_exe(path) else {
            return Ok(file.map(Found::from));
        };
        let foreign = file.as_deref().is_none_or(is_windows_program);
        let instead = match foreign {
            true => self.without_ending(stem)?,
            false => None,
        };
        Ok(instead.or(file.map(Found::from)))
    }

    /// The file that `path` names, absolute or in the content root.
    fn file(&mut self, path: &str) -> Result<Option<PathBuf>, Unresolved> {
        if os::is_foreign(path) {
            self.looked_for.push(format!("`{path}`, a path of Windows"));
            return Ok(None);
        }
        for suffix in os::SUFFIXES {
            let file = lexical(&self.places.root.join(format!("{path}{suffix}")));
            if !file.is_file() {
                let folder = if file.is_dir() { ", a folder" } else { "" };
                self.looked_for
                    .push(format!("`{}`{folder}", file.display()));
            } else if os::is_executable(&file) {
                return Ok(Some(file));
            } else if os::without_exe(path).is_none() {
                return Err(not_executable(&file));
            }
        }
        Ok(None)
    }

    /// What stands for the program `stem`.exe where programs have no such ending: the app's own program, or its library
    /// run by `dotnet`, or a program on `PATH`.
    fn without_ending(&mut self, stem: &str) -> Result<Option<Found>, Unresolved> {
        if os::is_foreign(stem) || is_dotnet(base_name(stem)) {
            return Ok(None);
        }
        let program = lexical(&self.places.root.join(stem));
        if os::is_executable(&program) {
            return Ok(Some(program.into()));
        }
        self.looked_for.push(format!("`{}`", program.display()));
        let library = lexical(&self.places.root.join(format!("{stem}.dll")));
        if library.is_file() {
            self.translated(&format!("{stem}.exe"), "its library, run by `dotnet`");
            let library = library.to_string_lossy().into_owned();
            return Ok(Some(Found {
                program: self.dotnet()?,
                library: Some(library),
            }));
        }
        self.looked_for.push(format!("`{}`", library.display()));
        if program.is_file() {
            return Err(not_executable(&program));
        }
        let bare = base_name(stem) == stem;
        Ok(bare.then(|| self.on_path(stem)).flatten().map(Found::from))
    }

    /// The .NET host: on `PATH`, else where `DOTNET_ROOT` says.
    fn dotnet(&mut self) -> Result<PathBuf, Unresolved> {
        if let Some(program) = self.on_path("dotnet") {
            return Ok(program);
        }
        let root = self.places.vars.value("DOTNET_ROOT");
        for suffix in os::SUFFIXES {
            let Some(root) = &root else { break };
            let program = Path::new(root).join(format!("dotnet{suffix}"));
            if os::is_executable(&program) {
                return Ok(program);
            }
            self.looked_for.push(format!("`{}`", program.display()));
        }
        if root.is_none() {
            self.looked_for
                .push("DOTNET_ROOT, which is not set".to_owned());
        }
        Err(Unresolved::nowhere("`dotnet`", &self.looked_for))
    }

    /// The program `name` in the first absolute directory of `PATH` that has it.
    fn on_path(&mut self, name: &str) -> Option<PathBuf> {
        let path = self.places.vars.value("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .filter(|directory| directory.is_absolute())
            .flat_map(|directory| os::SUFFIXES.map(|end| directory.join(format!("{name}{end}"))))
            .find(|program| os::is_executable(program));
        if found.is_none() {
            self.looked_for.push(format!("`{name}` on PATH"));
        }
        found
    }

    /// The file of the content root that `path` names if upper and lower case are the same.
    fn in_another_case(&mut self, path: &str) -> Result<Option<PathBuf>, Unresolved> {
        let Some(file) = find_in_another_case(self.places.root, path) else {
            return Ok(None);
        };
        self.translated(path, &format!("`{}`", file.display()));
        match os::is_executable(&file) {
            true => Ok(Some(file)),
            false => Err(not_executable(&file)),
        }
    }

    fn translated(&mut self, written: &str, to: &str) {
        let message = format!("`{written}` is taken as {to}");
        self.findings.warn(
            self.places.at,
            WarningKind::Translated,
            "processPath",
            message,
        );
    }
}

fn not_executable(file: &Path) -> Unresolved {
    let file = file.display();
    let library = Path::new(&file.to_string())
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("dll"));
    Unresolved::new(match library {
        true => {
            format!("`{file}` is a library: set processPath to `dotnet` and name it in arguments")
        }
        false => format!("`{file}` is not executable: run `chmod +x '{file}'`"),
    })
}

/// Whether the file begins as programs of Windows do, which are the second choice where they may not run.
fn is_windows_program(file: &Path) -> bool {
    let mut magic = [0; 2];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == b"MZ"
}

/// `path` without `.`, which only makes it longer to read. `..` stays: what it means, links decide.
pub(super) fn lexical(path: &Path) -> PathBuf {
    path.components().collect()
}

/// The file `relative` of `root`, where names may be in another case than written.
pub(super) fn find_in_another_case(root: &Path, relative: &str) -> Option<PathBuf> {
    let mut found = root.to_owned();
    for part in Path::new(relative).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => found.push(".."),
            Component::Normal(name) => found = entry_in_another_case(&found, name.to_str()?)?,
            Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    found.is_file().then_some(found)
}

/// The entry of `directory` whose name is `name` in any case: as written if there is one, else the first by name.
pub(in crate::config) fn entry_in_another_case(directory: &Path, name: &str) -> Option<PathBuf> {
    let exact = directory.join(name);
    if exact.exists() {
        return Some(exact);
    }
    let entries = directory.read_dir().ok()?.filter_map(Result::ok);
    let same = |have: &std::fs::DirEntry| {
        let have = have.file_name();
        have.to_str()
            .is_some_and(|have| have.eq_ignore_ascii_case(name))
    };
    entries.filter(same).map(|entry| entry.path()).min()
}
