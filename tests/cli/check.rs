//! `ancm check`.

use super::*;

/// What `dotnet publish` writes.
const PUBLISHED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <location path="." inheritInChildApplications="false">
    <system.webServer>
      <handlers>
        <add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />
      </handlers>
      <aspNetCore processPath="dotnet" arguments=".\App.dll" stdoutLogEnabled="false" stdoutLogFile=".\logs\stdout" hostingModel="inprocess">
        <environmentVariables>
          <environmentVariable name="Colour" value="blue" />
          <environmentVariable name="ConnectionStrings__Shop" value="hunter2" />
        </environmentVariables>
      </aspNetCore>
    </system.webServer>
  </location>
</configuration>
"#;

#[cfg(unix)]
#[test]
fn check_says_what_was_understood_of_a_published_app() {
    use std::{fs, os::unix::fs::PermissionsExt};

    let dir = tempfile::tempdir().unwrap();
    let (app, bin) = (dir.path().join("app"), dir.path().join("bin"));
    fs::create_dir(&app).unwrap();
    fs::create_dir(&bin).unwrap();
    fs::write(app.join("web.config"), PUBLISHED).unwrap();
    fs::write(app.join("App.dll"), "").unwrap();
    fs::write(bin.join("dotnet"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(bin.join("dotnet"), fs::Permissions::from_mode(0o755)).unwrap();

    let mut check = ancm(&app, &["check", "--path-base", "/shop", "--threads", "2"]);
    check.args(["--max-connections", "7", "--trusted-proxy", "::1"]);
    let (status, stdout, stderr) = texts(
        check
            .env("PATH", &bin)
            .env_remove("ANCM_HOSTING_ASSEMBLY")
            .output()
            .unwrap(),
    );
    assert_eq!((status, &*stderr), (0, ""));
    let stdout = stdout.replace(dir.path().to_str().unwrap(), "<dir>");
    let rows: Vec<(&str, &str)> = stdout
        .lines()
        .map(|row| row.split_at(26))
        .map(|(name, value)| (name.trim(), value))
        .collect();
    for want in [
        ("configuration", "<dir>/app/web.config"),
        ("command", "<dir>/bin/dotnet ./App.dll"),
        ("working directory", "<dir>/app"),
        ("path base", "/shop"),
        ("startupTimeLimit", "120 s"),
        ("stdout log", "off"),
        ("environment", "Colour=blue"),
        ("", "ConnectionStrings__Shop=***"),
        ("listens on", "127.0.0.1:8080"),
        ("threads", "2"),
        ("front maxConnections", "7"),
        ("trustedProxies", "::1/128"),
        ("forwarded headers", "For append, Proto append"),
    ] {
        assert!(rows.contains(&want), "{want:?} in\n{stdout}");
    }
    // Nothing beside the test's program can host it.
    let hosted = |(name, value): &(&str, &str)| {
        *name == "hosted" && value.contains("out of process, though")
    };
    assert!(rows.iter().any(hosted), "{stdout}");
    assert!(!stdout.contains("hunter2"), "{stdout}");
}

#[test]
fn check_of_a_broken_web_config_ends_with_2_and_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let broken = PUBLISHED.replace("inprocess\"", "sideways\" startupTimeLimit=\"soon\"");
    std::fs::write(dir.path().join("web.config"), broken).unwrap();
    let (status, stdout, stderr) = output(dir.path(), &["check"]);
    assert_eq!((status, &*stdout), (2, ""), "{stderr}");
    for want in [
        "web.config:8:",
        "hostingModel",
        "sideways",
        "startupTimeLimit",
        "soon",
    ] {
        assert!(stderr.contains(want), "{want} in\n{stderr}");
    }
    // The same of `run`, which then listens nowhere.
    let (status, _, of_run) = output(dir.path(), &["run", "--listen", ":0"]);
    assert_eq!((status, of_run), (2, stderr));
}

#[test]
fn an_empty_folder_is_a_configuration_error() {
    let dir = tempfile::tempdir().unwrap();
    let (status, _, stderr) = output(dir.path(), &["run", "--listen", ":0"]);
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("no web.config"), "{stderr}");
}

#[test]
fn check_of_a_command_or_an_address_needs_no_file() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, want) in [
        (&["check", "--", ANCM, "demo-app"][..], "demo-app"),
        (&["check", "--to", ":5000"], "127.0.0.1:5000"),
    ] {
        let (status, stdout, stderr) = output(dir.path(), arguments);
        assert_eq!(status, 0, "{stderr}");
        assert!(stdout.contains(want), "{stdout}");
    }
}
