//! From an app's configuration to what the operating system is to start.

use super::{
    port,
    process::{Launch, Output},
};
use crate::{
    PairingToken,
    config::{Config, Vars, environment},
    error::chain,
};

/// Why a process could not be described, and whether a second attempt would fail too.
#[derive(Debug)]
pub(super) struct Unprepared {
    pub(super) reason: String,
    pub(super) critical: bool,
}

/// Whether the configuration names the port, which then is that of every process.
pub(super) fn has_one_port(config: &Config, vars: &dyn Vars) -> bool {
    !matches!(environment::preset_port(config, vars), Ok(None))
}

/// The port and the secret of the next process.
///
/// ANCM: the port that the configuration names, or a random one; a bad one fails the start at its
/// first attempt.
///
/// Differs from ANCM: the second attempt of a start gets a token of its own. The first one's process
/// may have told its token to whomever.
pub(super) fn pair(config: &Config, vars: &dyn Vars) -> Result<(u16, PairingToken), Unprepared> {
    let preset = environment::preset_port(config, vars).map_err(|error| critical(&error))?;
    let port = match preset {
        Some(port) => port,
        None => port::choose(port::RANGE).map_err(|error| Unprepared {
            reason: chain(&error),
            critical: false,
        })?,
    };
    let preset = environment::preset_token(config, vars).map_err(|error| critical(&error))?;
    Ok((port, preset.unwrap_or_else(PairingToken::generate)))
}

fn critical(error: &dyn std::error::Error) -> Unprepared {
    Unprepared {
        reason: chain(error),
        critical: true,
    }
}

/// What to start so that it listens on `port` and knows `token`.
pub(super) fn prepare(
    config: &Config,
    vars: &dyn Vars,
    port: u16,
    token: &PairingToken,
    output: Output,
) -> Launch {
    let command = &config.command;
    Launch {
        program: command.program.clone(),
        arguments: command.arguments.iter().map(Into::into).collect(),
        // ANCM: the content root, wherever the program lies.
        directory: config.content_root.clone(),
        environment: environment::child(config, vars, port, token),
        output,
    }
}

/// What is to be said of a program that could not be started: if its lookup had failed already, why.
pub(super) fn explain(config: &Config, error: &std::io::Error) -> String {
    match config.command.problem() {
        Some(problem) => format!("{} ({})", chain(error), problem),
        None => chain(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn config(environment: &[(&str, &str)]) -> Config {
        let builder = Config::builder(std::env::temp_dir()).program("app");
        let set = |builder: crate::config::Builder, (name, value): &(&str, &str)| {
            builder.environment(*name, *value)
        };
        environment.iter().fold(builder, set).build().unwrap()
    }

    fn vars() -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    #[test]
    fn a_bad_preset_is_critical() {
        for (name, value) in [("ASPNETCORE_PORT", "80"), ("ASPNETCORE_TOKEN", "a\nb")] {
            let unprepared = pair(&config(&[(name, value)]), &vars()).unwrap_err();
            assert!(unprepared.critical, "{name}");
        }
    }

    #[test]
    fn a_preset_is_used_as_it_is() {
        let preset = config(&[("ASPNETCORE_PORT", "5000"), ("ASPNETCORE_TOKEN", "abc")]);
        let (port, token) = pair(&preset, &vars()).unwrap();
        assert!(port == 5_000 && token.matches(b"abc"));
        assert!(has_one_port(&preset, &vars()));
    }

    #[test]
    fn otherwise_every_process_gets_its_own() {
        let config = config(&[]);
        assert!(!has_one_port(&config, &vars()));
        let (port, one) = pair(&config, &vars()).unwrap();
        let (_, other) = pair(&config, &vars()).unwrap();
        assert!(port::RANGE.contains(&port));
        assert!(!one.matches(other.header_value().as_bytes()));
    }
}
