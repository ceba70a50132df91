//! Each row of the module's rules for the environment, and its own tests of them by name.

use super::*;
use crate::config::settings::Variables;
use std::{collections::BTreeMap, path::Path};

type Map = BTreeMap<String, String>;

fn vars(vars: &[(&str, &str)]) -> Map {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    vars.iter().map(own).collect()
}

fn config(environment: &[(&str, &str)]) -> Config {
    let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    Config {
        environment: Variables(environment.iter().map(own).collect()),
        ..Config::new(Path::new("/srv/app"), Path::new("app"), &[])
    }
}

/// The environment of a child, by name; no name may be there twice.
fn child_of(config: &Config, inherited: &[(&str, &str)]) -> Map {
    let token = PairingToken::new("the-token").unwrap();
    let all = child(config, &vars(inherited), &Reach::Port(5000), &token);
    let count = all.len();
    let text = |text: OsString| text.into_string().unwrap();
    let map: Map = all
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    assert_eq!(map.len(), count, "a name is there twice");
    map
}

#[track_caller]
fn assert_child(written: &[(&str, &str)], inherited: &[(&str, &str)], name: &str, want: &str) {
    let child = child_of(&config(written), inherited);
    assert_eq!(child.get(name).map(|value| &**value), Some(want), "{name}");
}

#[test]
fn a_child_gets_the_protocol_and_what_is_inherited() {
    let child = child_of(&config(&[]), &[("HOME", "/h")]);
    for (name, want) in [
        ("HOME", "/h"),
        (PORT, "5000"),
        (TOKEN, "the-token"),
        (APPL_PATH, "/"),
        (IIS_PHYSICAL_PATH, "/srv/app"),
        (IIS_HTTPAUTH, "anonymous;"),
        (IIS_WEBSOCKETS, "true"),
        (HTTPS_PORT, ""),
        (HOSTING_STARTUP, INTEGRATION),
        ("ASPNETCORE_IIS_SITE_ID", "1"),
        ("ASPNETCORE_IIS_APPLICATION_ID", "/LM/W3SVC/1/ROOT"),
        ("ASPNETCORE_IIS_APPLICATION_VIRTUAL_PATH", "/"),
    ] {
        assert_eq!(child.get(name).map(|value| &**value), Some(want), "{name}");
    }
}

#[test]
fn the_path_base_is_told_without_a_slash_at_the_end() {
    let mut config = config(&[]);
    config.path_base = "/a/b/".parse().unwrap();
    let child = child_of(&config, &[]);
    assert_eq!(child[APPL_PATH], "/a/b");
    assert_eq!(
        child["ASPNETCORE_IIS_APPLICATION_ID"],
        "/LM/W3SVC/1/ROOT/a/b"
    );
    assert_eq!(
        child["ASPNETCORE_IIS_APP_CONFIG_PATH"],
        "MACHINE/WEBROOT/APPHOST/ancm/a/b"
    );
}

#[test]
fn the_path_base_is_told_decoded_and_understood_by_the_app_half() {
    for (base, told) in [
        ("/my%20app", "/my app"),
        ("/caf%C3%A9/B", "/caf\u{e9}/B"),
        ("/100%25", "/100%"),
        ("/a%2Fb", "/a%2Fb"),
    ] {
        let mut config = config(&[]);
        config.path_base = base.parse().unwrap();
        let child = child_of(&config, &[]);
        assert_eq!(child[APPL_PATH], told);
        assert_eq!(child["ASPNETCORE_IIS_APPLICATION_VIRTUAL_PATH"], told);
        let module = crate::app::ModuleEnvironment::from_vars(|name| child.get(name).cloned());
        assert_eq!(module.unwrap().unwrap().path_base().as_str(), base);
    }
}

#[test]
fn what_the_module_forces_no_one_else_sets() {
    let forced = [
        (PORT, "5000"),
        (TOKEN, "the-token"),
        (APPL_PATH, "/"),
        (IIS_PHYSICAL_PATH, "/srv/app"),
        (IIS_HTTPAUTH, "anonymous;"),
        (IIS_WEBSOCKETS, "true"),
    ];
    for (name, want) in forced {
        let theirs = [(name, "theirs")];
        assert_child(&theirs, &[], name, want);
        assert_child(&[], &theirs, name, want);
        assert_child(&theirs, &[(name, "theirs"), (PREFER, "1")], name, want);
        let lower = name.to_ascii_lowercase();
        assert_child(&[(&lower, "theirs")], &[], name, want);
        // An inherited name in another case would be the same setting to the app.
        if cfg!(unix) {
            assert_child(&[], &[(&lower, "theirs")], &lower, want);
        }
    }
}

// AuthHeaderEnvironmentVariableRemoved
#[test]
fn authentication_lists_what_is_offered_in_the_order_of_the_module() {
    for (windows, basic, anonymous, want) in [
        (false, false, false, "none"),
        (true, false, false, "windows;"),
        (false, true, true, "basic;anonymous;"),
        (true, true, true, "windows;basic;anonymous;"),
    ] {
        let mut config = config(&[(IIS_HTTPAUTH, "shouldberemoved")]);
        config.authentication = crate::config::Authentication {
            windows,
            basic,
            anonymous,
        };
        assert_eq!(child_of(&config, &[])[IIS_HTTPAUTH], want);
    }
}

// WebConfigOverridesGlobalEnvironmentVariables
#[test]
fn what_is_written_wins_over_what_is_inherited() {
    assert_child(&[("X", "config")], &[("X", "worker")], "X", "config");
    assert_child(&[("X", "")], &[("X", "worker")], "X", "");
    assert_child(&[("X", "1"), ("x", "2")], &[], "x", "2");
}

#[cfg(unix)]
#[test]
fn every_spelling_of_a_name_gets_what_is_written() {
    let inherited = [("PATH", "/bin"), ("http_proxy", "a"), ("HTTP_PROXY", "b")];
    let child = child_of(
        &config(&[("Path", "%PATH%:/x"), ("HTTP_PROXY", "c")]),
        &inherited,
    );
    for (name, want) in [
        ("PATH", "/bin:/x"),
        ("Path", "/bin:/x"),
        ("http_proxy", "c"),
        ("HTTP_PROXY", "c"),
    ] {
        assert_eq!(child[name], want, "{name}");
    }
}

// WebConfigExpandsVariables
#[test]
fn values_are_expanded_from_the_own_environment_only() {
    let own = [("TestVariable", "World")];
    assert_child(&[("X", "%TestVariable%;Hello")], &own, "X", "World;Hello");
    assert_child(&[("X", "%testvariable%")], &own, "X", "World");
    assert_child(&[("A", "1"), ("X", "%A%")], &[], "X", "%A%");
    assert_child(&[("A", "1"), ("X", "%A%")], &[("A", "2")], "X", "2");
}

// PreferEnvironmentVariablesOverWebConfigWhenConfigured
#[test]
fn the_own_environment_wins_on_request() {
    for prefer in ["1", "true", "TRUE"] {
        let own = [(PREFER, prefer), ("X", "%Y%"), ("Y", "y"), ("E", "")];
        assert_child(&[("X", "config")], &own, "X", "%Y%");
        assert_child(&[("Z", "%Y%")], &own, "Z", "y");
        assert_child(&[("E", "config")], &own, "E", "config");
    }
    for prefer in ["", "0", "false", "yes"] {
        assert_child(
            &[("X", "config")],
            &[(PREFER, prefer), ("X", "own")],
            "X",
            "config",
        );
    }
}

// WebConfigAppendsHostingStartup, WebConfigOverridesHostingStartup
#[test]
fn the_integration_is_added_to_the_hosting_start_up_assemblies() {
    let both = format!("Asm1;{INTEGRATION}");
    assert_child(&[], &[(HOSTING_STARTUP, "Asm1")], HOSTING_STARTUP, &both);
    assert_child(&[], &[(HOSTING_STARTUP, &both)], HOSTING_STARTUP, &both);
    assert_child(&[], &[(HOSTING_STARTUP, "")], HOSTING_STARTUP, INTEGRATION);
    let written = [(HOSTING_STARTUP, "Asm2")];
    assert_child(
        &written,
        &[(HOSTING_STARTUP, "Asm1")],
        HOSTING_STARTUP,
        "Asm2",
    );
}

// AncmHttpsPortCanBeOverriden, MultipleHttpsPortsProduceNoEnvVar
#[test]
fn the_https_port_is_the_written_one_else_the_known_one() {
    assert_child(&[(HTTPS_PORT, "123")], &[], HTTPS_PORT, "123");
    assert_child(&[], &[(HTTPS_PORT, "inherited")], HTTPS_PORT, "");
    let mut known = config(&[]);
    known.https_port = Some(443);
    let child = child_of(&known, &[]);
    assert_eq!(child[HTTPS_PORT], "443");
    assert!(!child.contains_key("ASPNETCORE_HTTPS_PORT"));
}

// GetLongEnvironmentVariable
#[test]
fn long_values_stay_whole() {
    let long = "x".repeat(40_000);
    assert_child(&[("LONG", &long)], &[], "LONG", &long);
}

#[test]
fn no_upgrades_are_told() {
    let mut config = config(&[]);
    config.websockets = false;
    assert_eq!(child_of(&config, &[])[IIS_WEBSOCKETS], "false");
}

// EnvVarInWebConfig_Valid, _Empty, _Invalid
#[test]
fn a_preset_port_is_in_the_range_or_no_start_succeeds() {
    let preset =
        |written: &[(&str, &str)], own: &[(&str, &str)]| preset_port(&config(written), &vars(own));
    for (value, want) in [("", None), ("1025", Some(1025)), ("48000", Some(48_000))] {
        assert_eq!(preset(&[(PORT, value)], &[]), Ok(want), "{value}");
    }
    assert_eq!(
        preset(&[], &[(PORT, "5000")]),
        Ok(None),
        "ours is not the child's"
    );
    assert_eq!(preset(&[(PORT, "%P%")], &[("P", "5000")]), Ok(Some(5000)));
    assert_eq!(
        preset(&[(PORT, "5000")], &[(PORT, "6000"), (PREFER, "1")]),
        Ok(Some(6000))
    );
    for value in [
        "1024",
        "48001",
        "noninteger",
        "0",
        "-5000",
        "5000x",
        "65536",
        "99999999999",
    ] {
        let error = preset(&[(PORT, value)], &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("ASPNETCORE_PORT: expected a whole number from 1025 to 48000, got `{value}`")
        );
    }
}

#[test]
fn a_preset_token_is_used_unless_it_is_empty() {
    let preset = |value: &str| preset_token(&config(&[(TOKEN, value)]), &vars(&[(TOKEN, "own")]));
    assert!(preset("t").unwrap().unwrap().matches(b"t"));
    assert!(preset("").unwrap().is_none());
    assert!(!preset("a\nb").unwrap_err().to_string().contains("a\nb"));
    assert!(
        preset_token(&config(&[]), &vars(&[(TOKEN, "own")]))
            .unwrap()
            .is_none()
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_inherited_as_it_is() {
    use std::os::unix::ffi::OsStringExt;
    struct Odd;
    impl Vars for Odd {
        fn all(&self) -> Vec<(OsString, OsString)> {
            vec![("X".into(), OsString::from_vec(vec![0xff]))]
        }
    }
    let all = child(
        &config(&[]),
        &Odd,
        &Reach::Port(5000),
        &PairingToken::generate(),
    );
    assert_eq!(all[0], Odd.all()[0]);
}

/// The environment of a child that is reached so.
fn reached(reach: &Reach, written: &[(&str, &str)], inherited: &[(&str, &str)]) -> Map {
    let token = PairingToken::new("the-token").unwrap();
    let all = child(&config(written), &vars(inherited), reach, &token);
    let text = |text: OsString| text.into_string().unwrap();
    all.into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

#[test]
fn a_child_is_told_of_one_place_alone() {
    let stale = [
        (LISTEN_FD, "9"),
        (PORT, "7000"),
        (URLS, "http://localhost:80"),
    ];
    let unix = Reach::Unix("/run/a.sock".into());
    let inherited = |port| Reach::Inherited {
        descriptor: 12,
        port,
    };
    for (reach, port, descriptor, urls) in [
        (&Reach::Port(5000), Some("5000"), None, stale[2].1),
        (&inherited(Some(6000)), Some("6000"), Some("12"), stale[2].1),
        (&inherited(None), None, Some("12"), stale[2].1),
        (&unix, None, None, "http://unix:/run/a.sock"),
    ] {
        for (written, inherited) in [(&[][..], &stale[..]), (&stale, &[])] {
            let child = reached(reach, written, inherited);
            let seen = [PORT, LISTEN_FD, URLS].map(|name| child.get(name).map(|value| &**value));
            assert_eq!(seen, [port, descriptor, Some(urls)], "{reach:?}");
            assert_eq!(child[TOKEN], "the-token");
        }
    }
}

/// Nobody but us gets to the socket, and without the module's port nothing in the app believes our headers.
#[test]
fn forwarded_headers_are_believed_at_a_unix_socket_unless_that_is_said() {
    const BELIEVES: &str = "ASPNETCORE_FORWARDEDHEADERS_ENABLED";
    let unix = Reach::Unix("/run/a.sock".into());
    assert_eq!(reached(&unix, &[], &[])[BELIEVES], "true");
    assert_eq!(
        reached(&unix, &[(BELIEVES, "false")], &[])[BELIEVES],
        "false"
    );
    assert!(!reached(&Reach::Port(5000), &[], &[]).contains_key(BELIEVES));
}

#[test]
fn an_app_in_process_is_told_of_no_way_over_a_socket() {
    let written = [("COLOUR", "%HUE%"), (PORT, "5000"), (TOKEN, "mine")];
    let inherited = [
        ("HUE", "blue"),
        ("HOME", "/h"),
        (PORT, "7000"),
        (TOKEN, "of-the-module-in-front"),
        (APPL_PATH, "/outer"),
        (LISTEN_FD, "9"),
        (URLS, "http://localhost:80"),
        (IIS_WEBSOCKETS, "false"),
    ];
    let text = |text: OsString| text.into_string().unwrap();
    let told: Map = in_process(&config(&written), &vars(&inherited))
        .into_iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    for name in [
        PORT,
        TOKEN,
        APPL_PATH,
        LISTEN_FD,
        URLS,
        IIS_WEBSOCKETS,
        HOSTING_STARTUP,
    ] {
        assert!(!told.contains_key(name), "{name}");
    }
    for (name, value) in [
        ("COLOUR", "blue"),
        ("HOME", "/h"),
        (IIS_PHYSICAL_PATH, "/srv/app"),
        (IIS_HTTPAUTH, "anonymous;"),
        ("ASPNETCORE_IIS_APPLICATION_VIRTUAL_PATH", "/"),
    ] {
        assert_eq!(told[name], value);
    }
    // What is written for the app is the app's.
    let written = [(URLS, "http://*:1")];
    let told = in_process(&config(&written), &vars(&[]));
    assert!(told.contains(&(URLS.into(), "http://*:1".into())));
}
