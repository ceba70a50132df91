//! Commands written for Windows, in directories as they are published for Unix.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::*;
use crate::config::expand::Lookup;

/// A content root, and beside it a directory that is on `PATH`.
struct Site {
    directory: tempfile::TempDir,
    vars: BTreeMap<String, String>,
}

impl Site {
    /// With these files in the content root; a name that ends in `*` is executable.
    fn with(files: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bin");
        let vars = [("PATH".to_owned(), path.to_str().unwrap().to_owned())].into();
        let site = Self { directory, vars };
        for file in files {
            site.write("app", file, "");
        }
        site
    }

    fn on_path(self, name: &str) -> Self {
        self.write("bin", &format!("{name}*"), "");
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    fn write(&self, place: &str, file: &str, content: &str) {
        let (name, mode) = match file.strip_suffix('*') {
            Some(name) => (name, 0o755),
            None => (file, 0o644),
        };
        let path = self.directory.path().join(place).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn root(&self) -> PathBuf {
        let root = self.directory.path().join("app");
        fs::create_dir_all(&root).unwrap();
        root
    }

    /// The command, with `{app}` and `{bin}` for the directories, and the warnings.
    fn launch(&self, program: &str, line: &str) -> (String, Option<String>, Vec<String>) {
        let root = self.root();
        let places = Places {
            root: &root,
            vars: &self.vars,
            at: None,
        };
        let mut findings = Findings::default();
        let written = Launch {
            program: program.to_owned(),
            line: Some(line.to_owned()),
            list: Vec::new(),
        };
        let command = launch(&written, &places, &Lookup::new(&self.vars), &mut findings);
        let top = self.directory.path().to_str().unwrap();
        let short = |text: String| {
            text.replace(&format!("{top}/app"), "{app}")
                .replace(&format!("{top}/bin"), "{bin}")
        };
        let problem = command.problem().map(|problem| short(problem.to_string()));
        let warnings = findings.lines().1.into_iter().map(short).collect();
        (short(command.to_string()), problem, warnings)
    }

    #[track_caller]
    fn assert(&self, program: &str, line: &str, want: &str) {
        let (command, problem, _) = self.launch(program, line);
        assert_eq!((&*command, problem), (want, None));
    }

    #[track_caller]
    fn assert_problem(&self, program: &str, line: &str, wants: &[&str]) {
        let (command, problem, _) = self.launch(program, line);
        assert!(command.starts_with(&quote(program)), "{command}");
        let problem = problem.unwrap();
        for want in wants {
            assert!(problem.contains(want), "{problem}");
        }
    }
}

#[test]
fn dotnet_is_found_on_path_and_the_library_gets_slashes() {
    let site = Site::with(&["App.dll", "sub/b.json"]).on_path("dotnet");
    let want = r"{bin}/dotnet App.dll sub/b.json a\b";
    for program in [
        "dotnet",
        "dotnet.exe",
        "DOTNET",
        r"C:\Program Files\dotnet\dotnet.exe",
    ] {
        let (command, problem, _) = site.launch(program, r".\App.dll sub\b.json a\b");
        assert_eq!(command.replace("./", ""), want, "{program}");
        assert_eq!(problem, None);
    }
}

#[test]
fn dotnet_is_found_where_dotnet_root_says() {
    let site = Site::with(&["App.dll", "sdk/dotnet*"]);
    let sdk = site.root().join("sdk");
    let site = site.var("DOTNET_ROOT", sdk.to_str().unwrap());
    site.assert("dotnet", "App.dll", "{app}/sdk/dotnet App.dll");
    Site::with(&["App.dll"]).assert_problem(
        "dotnet",
        "App.dll",
        &[
            "`dotnet` was not found",
            "`dotnet` on PATH",
            "DOTNET_ROOT, which is not set",
        ],
    );
}

#[test]
fn a_file_of_the_content_root_wins_over_path() {
    let site = Site::with(&["node*", "sub/tool*"])
        .on_path("node")
        .on_path("other");
    site.assert("node", "a.js", "{app}/node a.js");
    site.assert(r".\node", "", "{app}/node");
    site.assert(r"sub\tool", "", "{app}/sub/tool");
    site.assert("other", "", "{bin}/other");
    site.assert("other.exe", "", "{bin}/other");
}

#[test]
fn an_exe_is_the_program_without_its_ending_or_its_library() {
    let app_host = Site::with(&["App*", "App.dll"]).on_path("dotnet");
    app_host.assert(r".\App.exe", "--x", "{app}/App --x");
    let library = Site::with(&["App.dll"]).on_path("dotnet");
    library.assert(r".\App.exe", "--x", "{bin}/dotnet {app}/App.dll --x");
    let not_executable = Site::with(&["App", "App.dll"]).on_path("dotnet");
    not_executable.assert("App.exe", "", "{bin}/dotnet {app}/App.dll");
    Site::with(&[]).assert_problem(
        r".\App.exe",
        "",
        &[
            r"`.\App.exe` was not found",
            "`{app}/App.exe`",
            "`{app}/App`",
            "`{app}/App.dll`",
        ],
    );
}

#[test]
fn a_program_of_windows_is_the_last_choice() {
    let site = Site::with(&["App.dll"]).on_path("dotnet");
    site.write("app", "App.exe*", "MZ\0\0");
    site.assert("App.exe", "", "{bin}/dotnet {app}/App.dll");
    let alone = Site::with(&[]);
    alone.write("app", "App.exe*", "MZ\0\0");
    alone.assert("App.exe", "", "{app}/App.exe");
    let ours = Site::with(&["App.exe*", "App*"]);
    ours.assert("App.exe", "", "{app}/App.exe");
}

#[test]
fn a_folder_is_told_from_what_is_not_there() {
    let site = Site::with(&["App/readme.txt"]);
    site.assert_problem("./App", "", &["`{app}/App`, a folder"]);
}

#[test]
fn a_missing_exec_bit_is_told() {
    let site = Site::with(&["App", "App.dll"]);
    site.assert_problem("App", "", &["`{app}/App` is not executable", "chmod +x"]);
    site.assert_problem("App.dll", "", &["is a library", "`dotnet`"]);
    let only = Site::with(&["App"]);
    only.assert_problem("App.exe", "", &["chmod +x"]);
}

#[test]
fn another_case_is_the_last_resort_and_told() {
    let site = Site::with(&["Sub/MyApp*", "MyApp.dll"]).on_path("dotnet");
    let (command, problem, warnings) = site.launch(r"sub\myapp", "");
    assert_eq!((&*command, problem), ("{app}/Sub/MyApp", None));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let (command, problem, warnings) = site.launch("dotnet", "myapp.dll --Option");
    assert_eq!(
        (&*command, problem),
        ("{bin}/dotnet MyApp.dll --Option", None)
    );
    assert_eq!(warnings, ["arguments: `myapp.dll` is taken as `MyApp.dll`"]);
}

#[test]
fn a_missing_library_is_told() {
    let site = Site::with(&[]).on_path("dotnet");
    let (command, problem, _) = site.launch("dotnet", r".\App.dll");
    assert_eq!(command, r"{bin}/dotnet .\App.dll");
    assert!(problem.unwrap().contains("App.dll` was not found"));
    site.assert("dotnet", "run --project x", "{bin}/dotnet run --project x");
}

#[test]
fn only_dotnet_needs_its_library() {
    let site = Site::with(&[]).on_path("tool");
    site.assert("tool", "App.dll", "{bin}/tool App.dll");
}

#[test]
fn relative_directories_of_path_are_not_searched() {
    let site = Site::with(&[]).on_path("tool");
    let bin = site.directory.path().join("bin");
    let up = "../".repeat(std::env::current_dir().unwrap().components().count() - 1);
    let relative = format!("{up}{}", bin.strip_prefix("/").unwrap().display());
    assert!(Path::new(&relative).join("tool").is_file());
    let site = site.var("PATH", &relative);
    site.assert_problem("tool", "", &["`tool` on PATH"]);
}

#[test]
fn paths_of_windows_are_told_apart() {
    let site = Site::with(&[]);
    site.assert_problem(r"C:\x\node.exe", "", &["a path of Windows"]);
    site.assert_problem(r"\\server\x\node.exe", "", &["a path of Windows"]);
    site.assert_problem("/nowhere/app", "", &["`/nowhere/app`"]);
}

#[test]
fn the_launcher_s_variables_override_what_is_written() {
    let site = Site::with(&["App.dll", "tool*"])
        .on_path("dotnet")
        .var("ANCM_LAUNCHER_PATH", "dotnet")
        .var("ANCM_LAUNCHER_ARGS", "%LIB% x")
        .var("LIB", "App.dll");
    site.assert("tool", "y", "{bin}/dotnet App.dll x");
    site.assert(
        "%LAUNCHER_PATH%",
        "%LAUNCHER_ARGS%",
        "{bin}/dotnet App.dll x",
    );
}

#[test]
fn placeholders_mean_the_app_that_is_there() {
    let files = [
        "App.dll",
        "App.runtimeconfig.json",
        "Lib.dll",
        "Old.runtimeconfig.json",
    ];
    let site = Site::with(&files).on_path("dotnet");
    let args = "%LAUNCHER_ARGS% --x";
    site.assert("%LAUNCHER_PATH%", args, "{bin}/dotnet App.dll --x");
    site.assert("%launcher_path%", "--x", "{bin}/dotnet App.dll --x");
    let site = Site::with(&files)
        .on_path("dotnet")
        .var("LAUNCHER_PATH", "dotnet");
    site.assert(
        "%LAUNCHER_PATH%",
        "App.dll %LAUNCHER_ARGS%",
        "{bin}/dotnet App.dll",
    );

    let none = Site::with(&["App.dll"]).on_path("dotnet");
    none.assert_problem("%LAUNCHER_PATH%", args, &["no app in `{app}`"]);
    let two = [
        "A.dll",
        "A.runtimeconfig.json",
        "B.dll",
        "B.runtimeconfig.json",
    ];
    Site::with(&two).assert_problem("%LAUNCHER_PATH%", args, &["A.dll and B.dll"]);
}

#[test]
fn paths_are_under_the_root_or_absolute() {
    let root = Path::new("/srv/app");
    for (path, want) in [
        (r".\logs\stdout", Some("/srv/app/logs/stdout")),
        (r"..\logs", Some("/srv/app/../logs")),
        ("/var/log/x", Some("/var/log/x")),
        (
            r"\\?\/home/x\LogFiles\stdout",
            Some("/home/x/LogFiles/stdout"),
        ),
        (r"C:\logs", None),
        (r"\\server\share", None),
    ] {
        assert_eq!(under(root, path), want.map(PathBuf::from), "{path}");
    }
}
