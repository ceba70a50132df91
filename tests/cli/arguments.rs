//! The command line as such.

use super::*;

#[test]
fn a_wrong_command_line_ends_with_2_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, why) in [
        (&[][..], "Usage: ancm"),
        (&["fly"], "unrecognized subcommand 'fly'"),
        (&["run", "--listen", "8080"], "expected IP:PORT"),
        (
            &["run", "--path-base", "shop"],
            "expected `/` or whole segments",
        ),
        (&["run", "--threads", "0"], "--threads"),
        (&["run", "--to", ":80", "."], "cannot be used with"),
        (&["run", "--to", ":80", "--", "node"], "cannot be used with"),
        (&["run", "no-such-folder"], "the folder `no-such-folder`"),
        (&["check", "no-such-folder"], "the folder `no-such-folder`"),
        (
            &["run", "--", "no-such-program"],
            "`no-such-program` was not found",
        ),
        (
            &["run", "--log-format", "xml"],
            "[possible values: text, json]",
        ),
    ] {
        let (status, stdout, stderr) = output(dir.path(), arguments);
        assert_eq!((status, &*stdout), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(why), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_wrong_filter_of_the_log_is_a_usage_error_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = ancm(dir.path(), &["run"]);
    let (status, _, stderr) = texts(command.env("RUST_LOG", "ancm=loudly").output().unwrap());
    assert_eq!(status, 2);
    assert!(stderr.starts_with("error: RUST_LOG: expected"), "{stderr}");
}

#[test]
fn help_and_version_end_with_0() {
    let dir = tempfile::tempdir().unwrap();
    for (argument, want) in [("--help", "Exit status:"), ("--version", "ancm ")] {
        let (status, stdout, _) = output(dir.path(), &[argument]);
        assert_eq!(status, 0);
        assert!(stdout.contains(want), "{stdout}");
        assert!(!stdout.contains("demo-app"), "{stdout}");
    }
}

#[test]
fn a_port_in_use_ends_with_1_and_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let arguments = ["run", "--to", ":9", "--listen", &address];
    let (status, _, stderr) = output(dir.path(), &arguments);
    assert_eq!(status, 1, "{stderr}");
    assert!(
        stderr.contains(&format!("can't listen on {address}")),
        "{stderr}"
    );
    assert!(stderr.contains("another program listens there"), "{stderr}");
}
