//! Finds hostfxr, as the module and `dotnet` do: beside a self-contained app, else in the installation of .NET.

use std::{
    env::consts,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use super::version::Version;
use crate::config::Vars;

/// Where installers write down the folder of .NET.
const INSTALL_LOCATION: &str = "/etc/dotnet/install_location";
/// Where .NET is if nobody says where.
const DEFAULTS: [&str; 3] = [
    "/usr/share/dotnet",
    "/usr/lib/dotnet",
    "/usr/local/share/dotnet",
];

/// The name of the library.
const LIBRARY: &str = if cfg!(target_os = "macos") {
    "libhostfxr.dylib"
} else {
    "libhostfxr.so"
};

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Command<'a> {
    /// `processPath`, as it was found.
    pub(in super::super) program: &'a Path,
    pub(in super::super) arguments: &'a [String],
    /// The content root.
    pub(in super::super) root: &'a Path,
}

/// What is to be loaded, and what it is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Found {
    pub(in super::super) library: PathBuf,
    /// The folder of .NET, or of the self-contained app.
    pub(in super::super) root: PathBuf,
    /// What .NET takes for the program that was started.
    pub(in super::super) program: PathBuf,
    /// The app's library first.
    pub(in super::super) arguments: Vec<OsString>,
}

/// Why there is nothing to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum NotFound {
    /// The app's own library is not there: published into a single file, maybe.
    App(String),
    /// No .NET: what was looked for.
    Hostfxr(String),
}

/// What `command` is to be run by, in the environment of `vars`.
pub(in super::super) fn find(command: &Command<'_>, vars: &dyn Vars) -> Result<Found, NotFound> {
    let Command {
        program,
        arguments: written,
        root,
    } = *command;
    if is_dotnet(program) {
        return with_dotnet(command, vars);
    }
    let launcher = root.join(program);
    // ANCM: `App.dll` beside `App.exe`, else 500.38.
    let app = library_of(&launcher).ok_or_else(|| {
        NotFound::App(format!(
            "`{}` has no library of the same name beside it; an app in a single file can only be hosted out of process",
            launcher.display()
        ))
    })?;
    let arguments = || with_app(&app, written);
    let folder = app.parent().unwrap_or(root).to_owned();
    let own = folder.join(LIBRARY);
    if own.is_file() {
        return Ok(Found {
            library: own,
            root: folder,
            program: launcher,
            arguments: arguments(),
        });
    }
    let (library, root) = Search::new(vars).anywhere(None)?;
    Ok(Found {
        program: root.join("dotnet"),
        library,
        root,
        arguments: arguments(),
    })
}

fn with_dotnet(command: &Command<'_>, vars: &dyn Vars) -> Result<Found, NotFound> {
    let Command {
        program,
        arguments: written,
        root,
    } = *command;
    let named = program
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let arguments: Vec<OsString> = written.iter().map(|text| absolute(root, text)).collect();
    let app = arguments
        .iter()
        .find(|argument| is_library(Path::new(argument)))
        .ok_or_else(|| NotFound::App("the arguments of `dotnet` name no .dll".to_owned()))?;
    if !Path::new(app).is_file() {
        let app = app.to_string_lossy();
        return Err(NotFound::App(format!("`{app}` was not found")));
    }
    let (library, root) =
        Search::new(vars).anywhere(named.map(|_| root.join(program)).as_deref())?;
    Ok(Found {
        program: root.join("dotnet"),
        library,
        root,
        arguments,
    })
}

fn is_dotnet(program: &Path) -> bool {
    program
        .file_stem()
        .is_some_and(|name| name.eq_ignore_ascii_case("dotnet"))
}

fn is_library(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("dll"))
}

/// ANCM: a library among the arguments is looked for in the app's folder.
fn absolute(root: &Path, argument: &str) -> OsString {
    if is_library(Path::new(argument)) {
        let path: PathBuf = root.join(argument).components().collect();
        return path.into();
    }
    argument.into()
}

/// The library of an app that has a launcher of its own.
fn library_of(launcher: &Path) -> Option<PathBuf> {
    let mut name = launcher.file_name()?.to_owned();
    if launcher
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("exe"))
    {
        name = launcher.file_stem()?.to_owned();
    }
    name.push(".dll");
    let library: PathBuf = launcher.with_file_name(name).components().collect();
    library.is_file().then_some(library)
}

fn with_app(app: &Path, arguments: &[String]) -> Vec<OsString> {
    let others = arguments.iter().map(OsString::from);
    std::iter::once(app.into()).chain(others).collect()
}

/// A search that remembers where it looked.
struct Search<'a> {
    vars: &'a dyn Vars,
    looked_in: Vec<PathBuf>,
}

impl<'a> Search<'a> {
    const fn new(vars: &'a dyn Vars) -> Self {
        Self {
            vars,
            looked_in: Vec::new(),
        }
    }

    /// In the folder of the program that was named, else of the one on `PATH`, else where .NET says it is installed,
    /// else where it is by default.
    fn anywhere(mut self, named: Option<&Path>) -> Result<(PathBuf, PathBuf), NotFound> {
        let candidates = named
            .map(Path::to_owned)
            .or_else(|| self.on_path())
            .and_then(|program| Some(fs::canonicalize(program).ok()?.parent()?.to_owned()))
            .into_iter()
            .chain(self.installed());
        for root in candidates {
            if let Some(library) = newest(&root) {
                return Ok((library, root));
            }
            if !self.looked_in.contains(&root) {
                self.looked_in.push(root);
            }
        }
        Err(self.nowhere())
    }

    fn on_path(&self) -> Option<PathBuf> {
        let path = self.vars.value("PATH")?;
        std::env::split_paths(&path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join("dotnet"))
            .find(|program| program.is_file())
    }

    fn installed(&self) -> Vec<PathBuf> {
        let architecture = match consts::ARCH {
            "x86_64" => "X64",
            "aarch64" => "ARM64",
            other => other,
        };
        let named = [
            format!("DOTNET_ROOT_{architecture}"),
            "DOTNET_ROOT".to_owned(),
        ];
        let named = named.iter().filter_map(|name| self.vars.value(name));
        let written = [
            format!("{INSTALL_LOCATION}_{}", architecture.to_ascii_lowercase()),
            INSTALL_LOCATION.to_owned(),
        ];
        let written = written
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok())
            .filter_map(|text| Some(PathBuf::from(text.lines().next()?.trim())));
        let home = self
            .vars
            .value("HOME")
            .map(|home| Path::new(&home).join(".dotnet"));
        named
            .map(PathBuf::from)
            .chain(written)
            .chain(DEFAULTS.map(PathBuf::from))
            .chain(home)
            .filter(|root| root.is_absolute())
            .collect()
    }

    fn nowhere(&self) -> NotFound {
        let places: Vec<_> = self
            .looked_in
            .iter()
            .map(|place| format!("`{}`", place.display()))
            .collect();
        NotFound::Hostfxr(format!(
            "no .NET was found; looked for host/fxr/*/{LIBRARY} in {}. Put `dotnet` on PATH, or set DOTNET_ROOT",
            places.join(", ")
        ))
    }
}

/// The library of the highest version in an installation of .NET.
fn newest(root: &Path) -> Option<PathBuf> {
    fs::read_dir(root.join("host/fxr"))
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = Version::parse(entry.file_name().to_str()?)?;
            let library = entry.path().join(LIBRARY);
            library.is_file().then_some((version, library))
        })
        .max_by(|(one, _), (other, _)| one.cmp(other))
        .map(|(_, library)| library)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A folder with an installation in `net` and an app in `app`.
    fn place() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for version in ["3.1.9", "3.1.10", "8.0.0-rc.1", "nonsense"] {
            touch(
                &place
                    .path()
                    .join("net/host/fxr")
                    .join(version)
                    .join(LIBRARY),
            );
        }
        fs::create_dir_all(place.path().join("net/host/fxr/9.9.9")).unwrap();
        touch(&place.path().join("net/dotnet"));
        touch(&place.path().join("app/App.dll"));
        place
    }

    fn touch(file: &Path) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }

    fn find(
        place: &Path,
        program: &Path,
        arguments: &[&str],
        vars: &dyn Vars,
    ) -> Result<Found, NotFound> {
        let arguments: Vec<_> = arguments.iter().map(|&text| text.to_owned()).collect();
        let command = Command {
            program,
            arguments: &arguments,
            root: &place.join("app"),
        };
        super::find(&command, vars)
    }

    fn vars(pairs: &[(&str, &Path)]) -> BTreeMap<String, String> {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect()
    }

    #[test]
    fn dotnet_is_the_one_that_is_named_then_that_of_the_path_then_the_installed_one() {
        let place = place();
        let (place, net) = (place.path(), &place.path().join("net"));
        let elsewhere = &place.join("empty");
        for (program, vars) in [
            (net.join("dotnet"), vars(&[])),
            ("dotnet".into(), vars(&[("PATH", net)])),
            (
                "dotnet".into(),
                vars(&[("PATH", elsewhere), ("DOTNET_ROOT", net)]),
            ),
            (elsewhere.join("dotnet"), vars(&[("DOTNET_ROOT", net)])),
        ] {
            let found = find(place, &program, &["./App.dll", "a b"], &vars).unwrap();
            assert_eq!(found.library, net.join("host/fxr/8.0.0-rc.1").join(LIBRARY));
            assert_eq!(found.root, *net);
            assert_eq!(
                found.arguments,
                [place.join("app/App.dll").into(), OsString::from("a b")]
            );
        }
    }

    #[test]
    fn a_launcher_stands_for_the_library_beside_it() {
        let place = place();
        let (place, net) = (place.path(), &place.path().join("net"));
        let vars = vars(&[("DOTNET_ROOT", net)]);
        for launcher in ["App", "App.exe"] {
            let found = find(place, Path::new(launcher), &["x"], &vars).unwrap();
            assert_eq!((&found.root, &found.program), (net, &net.join("dotnet")));
            assert_eq!(
                found.arguments,
                [place.join("app/App.dll").into(), OsString::from("x")]
            );
        }
        touch(&place.join("app").join(LIBRARY));
        let found = find(place, Path::new("App"), &[], &vars).unwrap();
        assert_eq!(found.library, place.join("app").join(LIBRARY));
        assert_eq!(found.root, place.join("app"));
    }

    #[test]
    fn an_app_that_is_not_there_is_told_from_a_missing_runtime() {
        let place = place();
        let place = place.path();
        let nothing = vars(&[
            ("PATH", &place.join("empty")),
            ("DOTNET_ROOT", &place.join("empty")),
        ]);
        let missing = |program: &str, arguments: &[&str]| {
            find(place, Path::new(program), arguments, &nothing).unwrap_err()
        };
        for (program, arguments) in [
            ("dotnet", &["Other.dll"][..]),
            ("dotnet", &[]),
            ("Other", &[]),
        ] {
            let missing = missing(program, arguments);
            assert!(
                matches!(missing, NotFound::App(_)),
                "{program} {arguments:?}: {missing:?}"
            );
        }
        match missing("dotnet", &["App.dll"]) {
            NotFound::Hostfxr(text) => assert!(text.contains("empty"), "{text}"),
            NotFound::App(text) => panic!("{text}"),
        }
    }
}
