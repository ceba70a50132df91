//! The `web.config` that `docs/iis.md` tells to copy.

use std::{collections::BTreeMap, fs, time::Duration};

use ancm::config::{Config, HostingModel};

const FILE: &str = include_str!("../../examples/iis/web.config");
const PAGE: &str = include_str!("../../docs/iis.md");

#[test]
fn is_understood_without_a_warning_about_what_it_says() {
    let site = tempfile::TempDir::new().unwrap();
    fs::write(site.path().join("shop.exe"), "MZ").unwrap();
    let vars: BTreeMap<String, String> = BTreeMap::new();
    let loaded = Config::from_web_config(site.path(), FILE.as_bytes(), &vars).unwrap();
    let config = loaded.config;
    assert_eq!(config.hosting_model(), HostingModel::OutOfProcess);
    assert_eq!(config.startup_time_limit(), Duration::from_secs(30));
    assert_eq!(config.shutdown_time_limit(), Duration::from_secs(10));
    assert_eq!(config.request_timeout(), Some(Duration::from_secs(120)));
    assert_eq!(config.stdout_log(), None);
    assert!(!config.forward_windows_auth_token());
    assert!(config.environment().eq([("RUST_LOG", "info")]));
    let unknown = loaded
        .warnings
        .iter()
        .find(|warning| warning.to_string().contains("unknown"));
    assert!(unknown.is_none(), "{unknown:?}");
}

#[cfg(unix)]
#[test]
fn its_program_is_found_on_other_systems_too() {
    let site = tempfile::TempDir::new().unwrap();
    let program = site.path().join("shop");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&program, executable).unwrap();
    let vars: BTreeMap<String, String> = BTreeMap::new();
    let loaded = Config::from_web_config(site.path(), FILE.as_bytes(), &vars).unwrap();
    assert_eq!(
        loaded.config.command().problem().map(ToString::to_string),
        None
    );
    assert_eq!(loaded.config.command().program(), program);
}

#[test]
fn the_page_shows_what_the_file_says() {
    for line in [
        "<aspNetCore processPath=\".\\shop.exe\"",
        "hostingModel=\"outofprocess\"",
        "modules=\"AspNetCoreModuleV2\"",
    ] {
        assert!(FILE.contains(line) && PAGE.contains(line), "{line}");
    }
    for attribute in [
        "startupTimeLimit",
        "shutdownTimeLimit",
        "requestTimeout",
        "stdoutLogFile",
        "forwardWindowsAuthToken",
    ] {
        assert!(
            FILE.contains(attribute) && PAGE.contains(attribute),
            "{attribute}"
        );
    }
}
