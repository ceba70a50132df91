use super::*;
use proptest::prelude::*;

const PUBLISHED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <location path="." inheritInChildApplications="false">
    <system.webServer>
      <handlers>
        <add name="aspNetCore" path="*" verb="*" modules="AspNetCoreModuleV2" resourceType="Unspecified" />
      </handlers>
      <aspNetCore processPath="dotnet" arguments=".\App.dll" stdoutLogEnabled="false"
                  stdoutLogFile=".\logs\stdout" hostingModel="inprocess">
        <environmentVariables>
          <environmentVariable name="ASPNETCORE_ENVIRONMENT" value="Staging" />
        </environmentVariables>
      </aspNetCore>
    </system.webServer>
  </location>
</configuration>
<!--ProjectGuid: 0b5a-->"#;

/// What is read, the errors and the warnings, one per line.
fn read_all(text: &str) -> (RawConfig, Vec<String>, Vec<String>) {
    let mut findings = Findings::default();
    let raw = read(text, &mut findings);
    let (errors, warnings) = findings.lines();
    (raw, errors, warnings)
}

/// `inner` in `system.webServer`.
fn server(inner: &str) -> String {
    format!("<configuration><system.webServer>{inner}</system.webServer></configuration>")
}

fn text(text: Option<Text>) -> Option<String> {
    text.map(|text| text.text)
}

#[test]
fn reads_what_publish_writes_without_a_word() {
    let (raw, errors, warnings) = read_all(PUBLISHED);
    assert!(
        errors.is_empty() && warnings.is_empty(),
        "{errors:?} {warnings:?}"
    );
    assert_eq!(text(raw.process_path.clone()).as_deref(), Some("dotnet"));
    assert_eq!(raw.process_path.unwrap().at, Position::new(8, 19));
    let Some(Arguments::Line(line)) = raw.arguments else {
        panic!("one line");
    };
    assert_eq!(line.text, r".\App.dll");
    assert_eq!(text(raw.stdout_log_file).as_deref(), Some(r".\logs\stdout"));
    assert_eq!(text(raw.hosting_model).as_deref(), Some("inprocess"));
    let (name, value) = &raw.environment[0];
    assert_eq!(
        (&*name.text, &*value.text),
        ("ASPNETCORE_ENVIRONMENT", "Staging")
    );
}

#[test]
fn reads_collections_with_clear() {
    let (raw, errors, _) = read_all(&server(
        r#"<aspNetCore processPath="x">
             <environmentVariables>
               <environmentVariable name="A" value="1"/><clear/>
               <environmentVariable name="B" value="&lt;2&#10;&quot;"/><environmentVariable name="C"/>
             </environmentVariables>
             <handlerSettings><handlerSetting name="debugLevel" value="file"/></handlerSettings>
             <recycleOnFileChange><file path="gone"/><clear/><file path="a.json"/></recycleOnFileChange>
           </aspNetCore>"#,
    ));
    assert!(errors.is_empty(), "{errors:?}");
    let pairs = |pairs: &[(Text, Text)]| -> Vec<String> {
        let pair = |(name, value): &(Text, Text)| format!("{}={}", name.text, value.text);
        pairs.iter().map(pair).collect()
    };
    assert_eq!(pairs(&raw.environment), ["B=<2\n\"", "C="]);
    assert_eq!(pairs(&raw.handler_settings), ["debugLevel=file"]);
    assert_eq!(raw.recycle_on_file_change.len(), 1);
    assert_eq!(raw.recycle_on_file_change[0].text, "a.json");
}

#[test]
fn reads_authentication_and_web_socket() {
    let (raw, errors, warnings) = read_all(&server(
        r#"<webSocket enabled="false"/>
           <security><authentication>
             <windowsAuthentication enabled="true"/><basicAuthentication enabled="True"/>
             <anonymousAuthentication enabled="false"/>
           </authentication></security>"#,
    ));
    assert!(
        errors.is_empty() && warnings.is_empty(),
        "{errors:?} {warnings:?}"
    );
    assert_eq!(text(raw.web_socket).as_deref(), Some("false"));
    assert_eq!(text(raw.windows_authentication).as_deref(), Some("true"));
    assert_eq!(text(raw.basic_authentication).as_deref(), Some("True"));
    assert_eq!(text(raw.anonymous_authentication).as_deref(), Some("false"));
}

#[test]
fn warns_of_everything_that_is_not_honoured() {
    for (inner, want) in [
        (
            r"<rewrite/>",
            "rewrite: ignored: URLs are not rewritten by it",
        ),
        (
            r#"<security><requestFiltering><hiddenSegments/></requestFiltering></security>"#,
            "requestFiltering: ignored: no request is filtered by it",
        ),
        (
            r#"<security><requestFiltering allowDoubleEscaping="true"/></security>"#,
            "requestFiltering: ignored: no request is filtered by it",
        ),
        (
            r#"<security><requestFiltering><requestLimits maxUrl="10"/></requestFiltering></security>"#,
            "requestLimits maxUrl: ignored",
        ),
        (
            r#"<security><requestFiltering><requestLimits><headerLimits/></requestLimits></requestFiltering></security>"#,
            "requestLimits headerLimits: ignored",
        ),
        (
            r#"<security><authentication><digestAuthentication enabled="true"/></authentication></security>"#,
            "digestAuthentication: ignored: nobody is authenticated by it",
        ),
        (
            r#"<webSocket enabled="true" pingInterval="1"/>"#,
            "webSocket pingInterval: ignored",
        ),
        (
            r#"<aspNetCore processpath="x"/>"#,
            "processpath: not an attribute that is known; did you mean `processPath`?",
        ),
        (
            r#"<aspNetCore xmlns:xdt="urn:x" xdt:Transform="Replace"/>"#,
            "Transform: not an attribute that is known",
        ),
        (
            r"<aspNetCore><new/></aspNetCore>",
            "new: not an element that is known here",
        ),
        (
            r#"<aspNetCore><environmentVariables><remove name="A"/></environmentVariables></aspNetCore>"#,
            "remove: not an element that is known here",
        ),
        (
            r#"<aspNetCore><environmentVariables><environmentVariable name="A" vlaue="1"/></environmentVariables></aspNetCore>"#,
            "vlaue: not an attribute that is known",
        ),
    ] {
        let (_, errors, warnings) = read_all(&server(inner));
        assert!(errors.is_empty(), "{inner}: {errors:?}");
        assert_eq!(warnings.len(), 1, "{inner}: {warnings:?}");
        assert!(warnings[0].ends_with(want), "{warnings:?}");
        assert!(warnings[0].starts_with("1:"), "{warnings:?}");
    }
}

#[test]
fn says_nothing_of_sections_that_change_nothing() {
    let (_, errors, warnings) = read_all(
        r"<configuration><appSettings/><system.web/><system.webServer><handlers/><modules/>
          </system.webServer></configuration>",
    );
    assert!(
        errors.is_empty() && warnings.is_empty(),
        "{errors:?} {warnings:?}"
    );
}

#[test]
fn only_the_location_of_the_whole_app_is_read() {
    let section = |path: &str| {
        format!(
            "<configuration><location {path}><system.webServer><webSocket enabled=\"false\"/>\
             </system.webServer></location></configuration>"
        )
    };
    for path in ["", "path=\"\"", "path=\".\""] {
        let (raw, _, warnings) = read_all(&section(path));
        assert!(raw.web_socket.is_some() && warnings.is_empty(), "{path}");
    }
    let (raw, _, warnings) = read_all(&section("path=\"admin\""));
    assert!(raw.web_socket.is_none());
    assert_eq!(
        warnings,
        ["1:16: location admin: ignored: only what holds for the whole app is read"]
    );
}

#[test]
fn tells_what_is_wrong_and_where() {
    let deep = format!(
        "<configuration>{}{}</configuration>",
        "<a>".repeat(70),
        "</a>".repeat(70)
    );
    for (file, want) in [
        ("", "1:1: "),
        ("<configuration>\n <a></b></configuration>", "2:"),
        (
            "<config/>",
            "1:1: expected the element <configuration>, got <config>",
        ),
        (
            "<!DOCTYPE x [<!ENTITY a 'b'>]><configuration>&a;</configuration>",
            "1:1: a document type (DTD) is not allowed",
        ),
        (
            "<configuration><a></configuration>",
            "1:19: expected 'a' tag, not 'configuration'",
        ),
        ("<configuration>&nbsp;</configuration>", "1:"),
        (&deep, "1:1: elements nested deeper than 64"),
        (
            "<configuration>\n  <aspNetCore processPath='x'/></configuration>",
            "2:3: aspNetCore: expected in system.webServer of the whole app",
        ),
        (
            &server("<aspNetCore processPath='x'/>\n<aspNetCore processPath='y'/>"),
            "2:1: aspNetCore: given twice, first at 1:34",
        ),
        (
            &server(
                "<aspNetCore><environmentVariables>\n<environmentVariable value='1'/></environmentVariables></aspNetCore>",
            ),
            "2:1: name: missing; it needs a name",
        ),
    ] {
        let (_, errors, _) = read_all(file);
        assert_eq!(errors.len(), 1, "{file}: {errors:?}");
        assert!(errors[0].starts_with(want), "{file}: {errors:?}");
    }
}

#[test]
fn a_billion_laughs_are_refused() {
    let bomb = r#"<!DOCTYPE c [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
        <configuration>&b;</configuration>"#;
    assert_eq!(read_all(bomb).1.len(), 1);
    let deep = "<a>".repeat(300_000);
    assert_eq!(read_all(&deep).1.len(), 1);
}

proptest! {
    #[test]
    fn no_text_panics(
        text in prop_oneof![
            any::<String>(),
            r#"(<|/?>|</|configuration|location|system\.webServer|aspNetCore| path="\."| processPath="x"|&#x?0;|<!--|]]>| )*"#,
        ]
    ) {
        let _ = read_all(&text);
    }

    #[test]
    fn no_broken_file_panics(at in 0..PUBLISHED.len(), with in any::<char>()) {
        if PUBLISHED.is_char_boundary(at) {
            let mut broken = PUBLISHED.to_owned();
            broken.insert(at, with);
            let _ = read_all(&broken);
            broken.truncate(at);
            let _ = read_all(&broken);
        }
    }
}
