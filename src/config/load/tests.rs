//! Whole files, as they become configurations.

use std::{collections::BTreeMap, fs, time::Duration};

use super::*;
use crate::config::{HostingModel, WarningKind};
use proptest::prelude::*;

fn no_vars() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn root() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn web_config(attributes: &str, inner: &str) -> Result<Loaded, Errors> {
    let text = format!(
        r#"<configuration><system.webServer><aspNetCore {attributes}>{inner}</aspNetCore></system.webServer></configuration>"#
    );
    Config::from_web_config(root().path(), text.as_bytes(), &no_vars())
}

#[test]
fn defaults_are_those_of_the_module() {
    let root = root();
    let text = r#"<configuration><system.webServer><aspNetCore processPath="x"/></system.webServer></configuration>"#;
    let loaded = Config::from_web_config(root.path(), text.as_bytes(), &no_vars()).unwrap();
    let mut want = Config::new(root.path(), Path::new("x"), &[]);
    want.command.problem = loaded.config.command.problem.clone();
    assert_eq!(loaded.config, want);
    assert!(loaded.config.command().problem().is_some());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn every_setting_is_taken() {
    let root = root();
    let text = r#"<configuration><system.webServer><webSocket enabled="false"/>
        <security><authentication><windowsAuthentication enabled="true"/></authentication></security>
        <aspNetCore processPath="x" arguments='a "b c"' startupTimeLimit="3600" shutdownTimeLimit="0"
          rapidFailsPerMinute="100" requestTimeout="1.00:00:01" stdoutLogEnabled="TRUE" stdoutLogFile=".\logs\out"
          processesPerApplication="2" forwardWindowsAuthToken="false" disableStartUpErrorPage="true"
          hostingModel="InProcess">
          <environmentVariables><environmentVariable name="A" value="%A%"/></environmentVariables>
          <handlerSettings>
            <handlerSetting name="ENABLEOUTOFPROCESSCONSOLEREDIRECTION" value="False"/>
            <handlerSetting name="forwardResponseConnectionHeader" value="true"/>
            <handlerSetting name="disallowRotationOnConfigChange" value="true"/>
            <handlerSetting name="detailedErrorsToLoopback" value="TRUE"/>
            <handlerSetting name="stackSize" value="200000"/>
            <handlerSetting name="setCurrentDirectory" value="false"/>
            <handlerSetting name="callStartupHook" value="False"/>
            <handlerSetting name="shutdownDelay" value="250"/>
            <handlerSetting name="shutdownDelay" value="9"/>
          </handlerSettings>
          <recycleOnFileChange><file path="a.json"/></recycleOnFileChange>
        </aspNetCore></system.webServer></configuration>"#;
    let loaded = Config::from_web_config(root.path(), text.as_bytes(), &no_vars()).unwrap();
    let config = loaded.config;
    assert_eq!(config.command().arguments(), ["a", "b c"]);
    assert_eq!(config.startup_time_limit(), Duration::from_secs(3600));
    assert_eq!(config.shutdown_time_limit(), Duration::ZERO);
    assert_eq!(config.rapid_fails_per_minute(), 100);
    assert_eq!(config.request_timeout(), Some(Duration::from_secs(86_401)));
    let log = Path::new(if cfg!(windows) {
        r"logs\out"
    } else {
        "logs/out"
    });
    assert_eq!(config.stdout_log(), Some(&*root.path().join(log)));
    assert_eq!(config.processes_per_application(), 2);
    assert!(!config.forward_windows_auth_token() && config.disable_start_up_error_page());
    assert_eq!(config.hosting_model(), HostingModel::InProcess);
    assert_eq!(config.environment().collect::<Vec<_>>(), [("A", "%A%")]);
    let settings = config.handler_settings();
    assert!(!settings.console_redirection() && settings.forward_response_connection_header());
    assert!(settings.disallow_rotation_on_config_change());
    assert!(settings.detailed_errors_to_loopback());
    assert_eq!(settings.shutdown_delay(), Duration::from_millis(250));
    assert_eq!(settings.stack_size(), Some(2_097_152));
    assert!(!settings.set_current_directory() && !settings.call_startup_hook());
    assert_eq!(
        config.recycle_on_file_change(),
        [root.path().join("a.json")]
    );
    assert!(config.authentication().windows() && config.authentication().anonymous());
    assert!(!config.websockets());
    let ignored: Vec<_> = loaded.warnings.iter().map(Warning::subject).collect();
    assert_eq!(ignored, [""; 0]);
}

#[test]
fn both_formats_mean_the_same() {
    let root = root();
    let xml = r#"<configuration><system.webServer><aspNetCore processPath="x" arguments="a b" startupTimeLimit="7"
        requestTimeout="00:00:00"><environmentVariables><environmentVariable name="A" value="1"/></environmentVariables>
        </aspNetCore></system.webServer></configuration>"#;
    let toml = "processPath = 'x'\narguments = ['a', 'b']\nstartupTimeLimit = 7\n\
        requestTimeout = '00:00:00'\nenvironmentVariables = { A = '1' }\n";
    let xml = Config::from_web_config(root.path(), xml.as_bytes(), &no_vars()).unwrap();
    let toml = Config::from_toml(root.path(), toml.as_bytes(), &no_vars()).unwrap();
    assert_eq!(xml.config, toml.config);
    assert_eq!(toml.config.request_timeout(), None);
}

#[test]
fn values_out_of_their_range_are_refused() {
    for (attribute, expected) in [
        (
            r#"startupTimeLimit="3601""#,
            "a whole number from 0 to 3600, got `3601`",
        ),
        (
            r#"startupTimeLimit="""#,
            "a whole number from 0 to 3600, got ``",
        ),
        (
            r#"shutdownTimeLimit="601""#,
            "a whole number from 0 to 600, got `601`",
        ),
        (
            r#"rapidFailsPerMinute="101""#,
            "a whole number from 0 to 100, got `101`",
        ),
        (
            r#"rapidFailsPerMinute="-1""#,
            "a whole number from 0 to 100, got `-1`",
        ),
        (
            r#"processesPerApplication="0""#,
            "a whole number from 1 to 100, got `0`",
        ),
        (
            r#"requestTimeout="15.00:00:01""#,
            "hh:mm:ss or d.hh:mm:ss, at most 15.00:00:00, got `15.00:00:01`",
        ),
        (r#"requestTimeout="00:60:00""#, "got `00:60:00`"),
        (r#"stdoutLogEnabled="1""#, "true or false, got `1`"),
        (
            r#"stdoutLogFile="""#,
            "the beginning of a file name, got ``",
        ),
        (
            r#"hostingModel="both""#,
            "inprocess or outofprocess, got `both`",
        ),
    ] {
        let errors = web_config(&format!(r#"processPath="x" {attribute}"#), "").unwrap_err();
        assert_eq!(errors.iter().count(), 1, "{errors}");
        let key = attribute.split('=').next().unwrap();
        let text = errors.to_string();
        assert!(
            text.starts_with(&format!("1:62: {key}: expected ")),
            "{text}"
        );
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn all_errors_are_told_at_once_in_the_order_of_the_file() {
    let errors = web_config(
        r#"stdoutLogEnabled="x" startupTimeLimit="y""#,
        r#"<environmentVariables><environmentVariable name="A=B" value="secret"/></environmentVariables>"#,
    )
    .unwrap_err();
    let text = errors.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(
        lines[0],
        "processPath: missing; it names the program to start, such as `dotnet`; \
         in web.config it is an attribute of `system.webServer/aspNetCore`"
    );
    assert_eq!(
        lines[1],
        "1:46: stdoutLogEnabled: expected true or false, got `x`"
    );
    assert!(lines[2].starts_with("1:67: startupTimeLimit: "));
    assert!(lines[3].contains("got `A=B`") && !text.contains("secret"));
}

#[test]
fn what_will_not_do_what_is_wanted_is_told() {
    for (attributes, inner, subject, kind) in [
        (
            r#"arguments="%NOT_SET%""#,
            "",
            "arguments",
            WarningKind::Suspicious,
        ),
        (
            "",
            r#"<environmentVariables><environmentVariable name="A" value="1"/><environmentVariable name="a" value="2"/></environmentVariables>"#,
            "a",
            WarningKind::Suspicious,
        ),
        (
            "",
            r#"<environmentVariables><environmentVariable name="ASPNETCORE_PORT" value="80"/></environmentVariables>"#,
            "ASPNETCORE_PORT",
            WarningKind::Suspicious,
        ),
        (
            r#"processesPerApplication="2""#,
            r#"<environmentVariables><environmentVariable name="ASPNETCORE_PORT" value="5000"/></environmentVariables>"#,
            "ASPNETCORE_PORT",
            WarningKind::Suspicious,
        ),
        (
            "",
            r#"<environmentVariables><environmentVariable name="ASPNETCORE_TOKEN" value="a&#10;b"/></environmentVariables>"#,
            "ASPNETCORE_TOKEN",
            WarningKind::Suspicious,
        ),
        (
            "",
            r#"<handlerSettings><handlerSetting name="enableShadowCopy" value="true"/></handlerSettings>"#,
            "handlerSetting enableShadowCopy",
            WarningKind::Ignored,
        ),
        (
            "",
            r#"<handlerSettings><handlerSetting name="new" value="true"/></handlerSettings>"#,
            "handlerSetting new",
            WarningKind::Unknown,
        ),
        (
            "",
            r#"<handlerSettings><handlerSetting name="disallowRotationOnConfigChange" value="1"/></handlerSettings>"#,
            "disallowRotationOnConfigChange",
            WarningKind::Suspicious,
        ),
    ] {
        let loaded = web_config(&format!(r#"processPath="x" {attributes}"#), inner).unwrap();
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
        assert_eq!(loaded.warnings[0].subject(), subject);
        assert_eq!(loaded.warnings[0].kind(), kind);
    }
}

#[test]
fn a_stack_is_a_size_in_hexadecimal() {
    for (value, want) in [
        ("10000", Some(0x1_0000)),
        ("0x40000000", Some(0x4000_0000)),
        ("00aBc000", Some(0xab_c000)),
        ("ffff", None),
        ("40000001", None),
        ("+100000", None),
        ("1 MiB", None),
        ("0x0x10000", None),
        ("", None),
    ] {
        let inner = format!(
            r#"<handlerSettings><handlerSetting name="StackSize" value="{value}"/></handlerSettings>"#
        );
        let loaded = web_config(r#"processPath="x""#, &inner);
        let taken = loaded.map(|loaded| loaded.config.handler_settings().stack_size());
        match taken {
            Ok(taken) => assert_eq!(taken, want, "{value}"),
            Err(errors) => {
                assert_eq!(want, None, "{value}: {errors}");
                assert!(errors.to_string().contains("stackSize"), "{errors}");
            }
        }
    }
}

#[test]
fn the_launcher_s_path_stands_in_for_a_missing_section() {
    let root = root();
    let vars = [("ANCM_LAUNCHER_PATH".to_owned(), "tool".to_owned())];
    let vars: BTreeMap<String, String> = vars.into();
    let text = b"<configuration/>";
    let loaded = Config::from_web_config(root.path(), text, &vars).unwrap();
    assert_eq!(loaded.config.command().program(), Path::new("tool"));
    let error = Config::from_web_config(root.path(), text, &no_vars()).unwrap_err();
    assert!(error.to_string().starts_with("processPath: missing"));
}

#[test]
fn the_log_is_under_the_root_and_expanded_or_else_where_it_is_by_default() {
    let root = root();
    let vars = [("HOME".to_owned(), "/home/x".to_owned())];
    let vars: BTreeMap<String, String> = vars.into();
    let load = |inner: &str| {
        let text = format!("processPath = 'x'\nstdoutLogEnabled = true\n{inner}");
        Config::from_toml(root.path(), text.as_bytes(), &vars).unwrap()
    };
    let default = root.path().join("aspnetcore-stdout");
    assert_eq!(load("").config.stdout_log(), Some(&*default));
    #[cfg(unix)]
    {
        let azure = load(r"stdoutLogFile = '\\?\%home%\LogFiles\stdout'");
        let want = Path::new("/home/x/LogFiles/stdout");
        assert_eq!(azure.config.stdout_log(), Some(want));
        let drive = load(r"stdoutLogFile = 'Q:\logs\out'");
        assert_eq!(drive.config.stdout_log(), Some(&*default));
        assert_eq!(drive.warnings[0].kind(), WarningKind::Translated);
    }
}

#[test]
fn the_shutdown_delay_has_two_substitutes() {
    let root = root();
    let text = |inner: &str| format!("processPath = 'x'\n{inner}").into_bytes();
    let vars = [("ANCM_shutdownDelay".to_owned(), "3".to_owned())].into();
    let vars: BTreeMap<String, String> = vars;
    for (inner, want) in [
        ("", 3),
        ("environmentVariables = { ANCM_SHUTDOWNDELAY = '2' }", 2),
        (
            "handlerSettings = { shutdownDelay = 1 }\nenvironmentVariables = { ANCM_shutdownDelay = '2' }",
            1,
        ),
    ] {
        let loaded = Config::from_toml(root.path(), &text(inner), &vars).unwrap();
        let delay = loaded.config.handler_settings().shutdown_delay();
        assert_eq!(delay, Duration::from_millis(want), "{inner}");
    }
    let twice = "environmentVariables = { ANCM_shutdownDelay = '8', ANCM_SHUTDOWNDELAY = '9' }";
    let loaded = Config::from_toml(root.path(), &text(twice), &vars).unwrap();
    let delay = loaded.config.handler_settings().shutdown_delay();
    assert_eq!(delay, Duration::from_millis(9), "the last of a name counts");
    let negative = text("handlerSettings = { shutdownDelay = -1 }");
    assert!(Config::from_toml(root.path(), &negative, &vars).is_err());
}

#[test]
fn the_file_is_web_config_in_any_case_or_else_ancm_toml() {
    let root = root();
    let load = |file: Option<&Path>| Config::load(root.path(), file, &no_vars());
    let error = load(None).unwrap_err().to_string();
    assert!(
        error.contains("no web.config and no ancm.toml") && error.contains("`--`"),
        "{error}"
    );

    fs::write(root.path().join("ancm.toml"), "processPath = 'toml'").unwrap();
    assert_eq!(
        load(None).unwrap().config.command().program(),
        Path::new("toml")
    );

    let xml = "<configuration><system.webServer><aspNetCore processPath='xml'/></system.webServer></configuration>";
    let file = root.path().join("Web.Config");
    fs::write(
        &file,
        xml.encode_utf16()
            .fold(vec![0xff, 0xfe], |mut bytes, unit| {
                bytes.extend(unit.to_le_bytes());
                bytes
            }),
    )
    .unwrap();
    let loaded = load(None).unwrap();
    assert_eq!(loaded.config.command().program(), Path::new("xml"));
    let source = loaded.source.unwrap();
    // Where the system itself takes any case for any other, it is called by the name that was looked for.
    let same = match cfg!(windows) {
        true => source.as_os_str().eq_ignore_ascii_case(&file),
        false => source == file,
    };
    assert!(same, "{}", source.display());

    let other = root.path().join("other.TOML");
    fs::write(&other, "processPath = ''\nx = 1").unwrap();
    let error = load(Some(&other)).unwrap_err();
    assert_eq!(error.file(), Some(&*other));
    let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    assert!(
        lines[0].starts_with(&format!("{}:1:15: processPath: missing", other.display())),
        "{lines:?}"
    );
    assert!(
        lines[1].ends_with(":2:1: x: not a key that is known"),
        "{lines:?}"
    );

    let gone = root.path().join("gone.config");
    assert!(
        load(Some(&gone))
            .unwrap_err()
            .to_string()
            .contains("can't be read")
    );
    fs::write(&gone, vec![b' '; (text::LONGEST + 9) as usize]).unwrap();
    assert!(
        load(Some(&gone))
            .unwrap_err()
            .to_string()
            .contains("longer than")
    );
    assert!(
        Config::load(&gone, None, &no_vars())
            .unwrap_err()
            .to_string()
            .contains("not a directory")
    );
}

#[test]
fn the_report_says_what_was_understood_and_hides_secrets() {
    let loaded = web_config(
        r#"processPath="nowhere" arguments="a 'b" startupTimeLimit="5" new="x""#,
        r#"<environmentVariables>
             <environmentVariable name="ASPNETCORE_TOKEN" value="hidden1"/>
             <environmentVariable name="Db" value="Server=x;Password=hidden2"/>
             <environmentVariable name="Url" value="https://u:hidden3@x/"/>
             <environmentVariable name="Mode" value="shown"/>
           </environmentVariables>"#,
    )
    .unwrap();
    let report = loaded.report().to_string();
    for want in [
        "command                   nowhere a 'b\n",
        "startupTimeLimit          5 s\n",
        "requestTimeout            120 s\n",
        "authentication            anonymous\n",
        "environment               ASPNETCORE_TOKEN=***\n",
        "                          Mode=shown\n",
        "PROBLEM                   `nowhere` was not found; looked for ",
        "warning                   1:",
    ] {
        assert!(report.contains(want), "{want}: {report}");
    }
    assert!(!report.contains("hidden"), "{report}");
    assert!(!format!("{:?}", loaded.config).contains("hidden"));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let root = std::env::temp_dir();
        let _ = Config::from_web_config(&root, &bytes, &no_vars());
        let _ = Config::from_toml(&root, &bytes, &no_vars());
    }

    #[test]
    fn no_value_panics(
        key in prop::sample::select(&crate::config::raw::KEYS[..]),
        value in "[^'\r\n\u{0}-\u{1f}\u{7f}]*",
    ) {
        let root = std::env::temp_dir();
        let text = format!("arguments = '{value}'\n{key} = '{value}'\npathBase = '{value}'");
        let _ = Config::from_toml(&root, text.as_bytes(), &no_vars());
    }
}

#[test]
fn the_largest_body_is_read_from_both_files() {
    let load = |bytes: &str| {
        let root = root();
        let text = format!(
            r#"<configuration><system.webServer><aspNetCore processPath="x"/><security><requestFiltering>
              <requestLimits maxAllowedContentLength="{bytes}"/></requestFiltering></security></system.webServer></configuration>"#
        );
        Config::from_web_config(root.path(), text.as_bytes(), &no_vars())
    };
    for (bytes, want) in [("0", 0), ("30000000", 30_000_000), ("4294967295", u32::MAX)] {
        let loaded = load(bytes).unwrap();
        assert_eq!(loaded.config.max_allowed_content_length(), Some(want));
        assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
        let report = loaded.config.report().to_string();
        let line = format!("maxAllowedContentLength   {want} bytes\n");
        assert!(report.contains(&line), "{report}");
        let root = root();
        let toml = format!("processPath = 'x'\nmaxAllowedContentLength = {bytes}");
        let loaded = Config::from_toml(root.path(), toml.as_bytes(), &no_vars()).unwrap();
        assert_eq!(loaded.config.max_allowed_content_length(), Some(want));
    }
    for bytes in ["", "-1", "4294967296", "30 MB", "1e6"] {
        let errors = load(bytes).unwrap_err().to_string();
        let want = "maxAllowedContentLength: expected a whole number from 0 to 4294967295, got";
        assert!(errors.contains(want), "{errors}");
    }
}
