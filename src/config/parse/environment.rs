//! `environmentVariables`: names that can be ones, and presets that let processes start.

use super::Parser;
use crate::config::{
    environment,
    findings::{Kind, WarningKind},
    raw::RawConfig,
    settings::{Config, Variables},
};

impl Parser<'_> {
    pub(super) fn environment(&mut self, raw: &RawConfig, config: &mut Config) {
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in &raw.environment {
            if let Some(expected) = environment::invalid_name(&name.text) {
                let bad = Kind::bad("environmentVariable name", expected, &name.text);
                self.findings.error(Some(name.at), bad);
            }
            if value.text.contains('\0') {
                let key = format!("environmentVariable {}", name.text);
                let bad = Kind::bad(key, "a value without NUL", "(not shown)");
                self.findings.error(Some(value.at), bad);
            }
            if kept
                .iter()
                .any(|(have, _)| have.eq_ignore_ascii_case(&name.text))
            {
                let message = "given more than once; the last one counts";
                self.findings
                    .warn(Some(name.at), WarningKind::Suspicious, &name.text, message);
            }
            kept.push((name.text.clone(), value.text.clone()));
        }
        config.environment = Variables(kept);
        self.preset(config);
    }

    /// Tells of presets with which no process can start, or not all.
    fn preset(&mut self, config: &Config) {
        let port = match environment::preset_port(config, self.vars) {
            Ok(Some(_)) if config.processes_per_application > 1 => {
                Some("only one of the processes can listen there".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(format!("{error}; the app can't be started")),
        };
        let token = environment::preset_token(config, self.vars).err();
        let token = token.map(|error| format!("{error}; the app can't be started"));
        for (name, message) in [(environment::PORT, port), (environment::TOKEN, token)] {
            if let Some(message) = message {
                self.findings
                    .warn(None, WarningKind::Suspicious, name, message);
            }
        }
    }
}
