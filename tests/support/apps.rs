//! The apps that are hosted: a stock ASP.NET Core one, and the same in Rust.

use std::{
    env::{self, consts::EXE_SUFFIX},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::SystemTime,
};

use tempfile::TempDir;

/// An app with the endpoints of `tests/aspnetcore/StockApp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    /// ASP.NET Core, as `dotnet publish` leaves it, which knows nothing of this crate.
    Stock,
    /// The same for .NET 9, and begun as its templates begin an app.
    Modern,
    /// An axum app that stands on the app half of this crate.
    Twin,
    /// The same in the process of its front.
    InProcess,
}

impl App {
    /// Where it is published, if it is one of ASP.NET Core.
    pub(crate) fn published(self) -> Option<&'static Published> {
        match self {
            Self::Stock => Some(published()),
            Self::Modern => Some(published_modern()),
            Self::Twin | Self::InProcess => None,
        }
    }
}

/// A published stock app, and what its environment wants.
#[derive(Debug)]
pub(crate) struct Published {
    /// The shell file that puts `dotnet` on `PATH`.
    pub(crate) environment: PathBuf,
    /// The folder that holds `inprocess/` and `outofprocess/`.
    pub(crate) apps: PathBuf,
}

/// Publishes the stock app, and fetches .NET for it, unless that is done already.
///
/// # Panics
///
/// When that can't be done: what to do about it stands above, on stderr.
pub(crate) fn published() -> &'static Published {
    static PUBLISHED: OnceLock<Published> = OnceLock::new();
    PUBLISHED.get_or_init(|| publish("tests/aspnetcore/publish.sh"))
}

/// The same for .NET 9.
///
/// # Panics
///
/// As [`published`] does.
pub(crate) fn published_modern() -> &'static Published {
    static PUBLISHED: OnceLock<Published> = OnceLock::new();
    PUBLISHED.get_or_init(|| publish("tests/aspnetcore/modern/publish.sh"))
}

fn publish(script: &str) -> Published {
    let script = root().join(script);
    let output = Command::new("bash")
        .arg(&script)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("`bash` runs the script that publishes the stock app");
    assert!(
        output.status.success(),
        "the stock ASP.NET Core app could not be published; \
             run `{}` to see why, or put a .NET SDK's `dotnet` on PATH",
        script.display()
    );
    let paths = String::from_utf8(output.stdout).expect("paths in UTF-8");
    let mut lines = paths.lines().map(PathBuf::from);
    Published {
        environment: lines.next().expect("the file to source"),
        apps: lines.next().expect("the folder of the apps"),
    }
}

/// A folder with the stock app of a test's own, as it was published for out-of-process hosting.
pub(crate) fn own_copy() -> TempDir {
    copy_of("outofprocess")
}

/// A folder of a test's own with what was published into the folder `name`.
pub(crate) fn copy_of(name: &str) -> TempDir {
    published().copy_of(name)
}

impl Published {
    /// A folder of a test's own with what was published into the folder `name`.
    pub(crate) fn copy_of(&self, name: &str) -> TempDir {
        let copy = TempDir::new().expect("a temporary folder");
        copy_all(&self.apps.join(name), copy.path());
        copy
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it is published") {
        let source = entry.expect("an entry of the folder").path();
        let target = to.join(source.file_name().expect("entries have names"));
        if source.is_dir() {
            fs::create_dir(&target).expect("a folder");
            copy_all(&source, &target);
        } else {
            fs::copy(&source, target).expect("the file is copied");
        }
    }
}

/// The managed half of in-process hosting, built by the repository's own script if it is not there or older than its source.
pub(crate) fn hosting_assembly() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = root().join("hosting/out/Ancm.Hosting.dll");
        let newest = |found: SystemTime, file: &Path| found.max(modified(file));
        let source = files(&root().join("hosting/src"));
        let changed = source.iter().fold(SystemTime::UNIX_EPOCH, |found, file| newest(found, file));
        if built.exists() && modified(&built) >= changed {
            return built;
        }
        // One of several test programs builds it, into a folder of its own, so that nobody loads half of it.
        let script = r#". "$0" && cd "$1" && mkdir -p out && exec 9>out/lock && { flock 9 || true; } &&
            new=$(mktemp -d) && mkdir "$new/hosting" && cp -R src build.sh ./*.csproj "$new/hosting" &&
            "$new/hosting/build.sh" "$new/out" >/dev/null &&
            mv "$new/out/Ancm.Hosting.dll" out/ && rm -rf "$new""#;
        let status = Command::new("bash")
            .args(["-c", script])
            .arg(&published().environment)
            .arg(root().join("hosting"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("`bash` runs the script that builds it");
        assert!(status.success(), "the hosting assembly could not be built");
        built
    })
}

/// The files in a folder and all that are in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let each = entries.map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    each.flatten().collect()
}

fn modified(file: &Path) -> SystemTime {
    fs::metadata(file)
        .and_then(|data| data.modified())
        .expect("a file's time")
}

/// The program of the twin, built if a run of this test alone has not built it.
pub(crate) fn twin() -> &'static Path {
    static TWIN: OnceLock<PathBuf> = OnceLock::new();
    TWIN.get_or_init(|| {
        let profile = profile_dir();
        let program = profile.join(format!("examples/twin{EXE_SUFFIX}"));
        // Where the tests run on another system than the one that built them, cargo is not at hand and the twin is there.
        if env::var_os("CARGO").is_none() && program.exists() {
            return program;
        }
        // The folder of the profile `dev` is `debug`; every other has its own name.
        let name = profile.file_name().filter(|name| *name != "debug");
        let selected = name.map(|name| [OsStr::new("--profile"), name]);
        let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .current_dir(root())
            .args(["build", "--quiet", "--all-features", "--example", "twin"])
            .args(selected.into_iter().flatten())
            .arg("--target-dir")
            .arg(profile.parent().expect("a profile has a target folder"))
            .stdin(Stdio::null())
            .status()
            .expect("cargo builds the twin");
        assert!(status.success(), "the twin could not be built");
        program
    })
}

/// `target/debug` or the like: this program lies in its `deps`.
fn profile_dir() -> PathBuf {
    let program = env::current_exe().expect("the path of this program");
    let deps = program.parent().expect("a program lies in a folder");
    deps.parent().expect("`deps` lies in a folder").to_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
