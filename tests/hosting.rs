//! The managed half of in-process hosting has its own tests, in C#. They run with the others.
#![cfg(unix)]

use std::{path::Path, process::Command};

/// Has `bash` do it in the repository.
fn run(script: &str) {
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .expect("bash is there");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// One build, on the SDK's own framework and on .NET 9.
#[test]
fn the_managed_side_passes_its_own_tests() {
    run(
        r#"set -e; . "$(tests/aspnetcore/install.sh)"; hosting/test.sh
           . "$(tests/aspnetcore/modern/install.sh)"
           DOTNET_ROLL_FORWARD=Major dotnet hosting/tests/out/Ancm.Hosting.Tests.dll"#,
    );
}

/// As an SDK of .NET 9 would build it.
#[test]
fn the_managed_side_is_built_against_newer_frameworks_too() {
    run(r#"set -e; out=$(mktemp -d); trap 'rm -rf "$out"' EXIT
           tests/aspnetcore/modern/compile.sh library "$out/Ancm.Hosting.dll" $(find hosting/src -name '*.cs')"#);
}
