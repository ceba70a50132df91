//! Configurations as they are written, for tests.

use std::collections::BTreeMap;

use super::{Config, Errors, Loaded};

/// `text` as the `ancm.toml` of an app, with what has to be there besides.
pub(super) fn toml(text: &str) -> Result<Loaded, Errors> {
    let root = tempfile::tempdir().unwrap();
    let text = format!("processPath = 'x'\n{text}");
    let vars = BTreeMap::<String, String>::new();
    Config::from_toml(root.path(), text.as_bytes(), &vars)
}

/// A `web.config` with these among its `handlerSettings`, and what has to be there besides.
pub(super) fn web_config(settings: &[(&str, &str)]) -> Result<Loaded, Errors> {
    let root = tempfile::tempdir().unwrap();
    let settings = settings.iter();
    let settings: String = settings
        .map(|(name, value)| format!(r#"<handlerSetting name="{name}" value="{value}"/>"#))
        .collect();
    let text = format!(
        r#"<configuration><system.webServer><aspNetCore processPath="x"><handlerSettings>{settings}</handlerSettings></aspNetCore></system.webServer></configuration>"#
    );
    let vars = BTreeMap::<String, String>::new();
    Config::from_web_config(root.path(), text.as_bytes(), &vars)
}
