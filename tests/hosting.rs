//! The managed half of in-process hosting has its own tests, in C#. They run with the others.
#![cfg(unix)]

use std::{path::Path, process::Command};

#[test]
fn the_managed_side_passes_its_own_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("bash")
        .args([
            "-c",
            r#"set -e; . "$(tests/aspnetcore/install.sh)"; exec hosting/test.sh"#,
        ])
        .current_dir(root)
        .output()
        .expect("bash is there");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
