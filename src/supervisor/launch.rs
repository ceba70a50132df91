//! From an app's configuration to what the operating system is to start.

use super::{
    place::{Offer, Place},
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

/// The place and the secret of the next process.
///
/// ANCM: the port that the configuration names, or a random one; a bad one fails the start at its
/// first attempt.
///
/// Differs from ANCM: the second attempt of a start gets a token of its own. The first one's process
/// may have told its token to whomever.
pub(super) fn pair(config: &Config, vars: &dyn Vars) -> Result<(Offer, PairingToken), Unprepared> {
    let preset = environment::preset_port(config, vars).map_err(|error| critical(&error))?;
    let offer = Offer::of(config.processes.listener, preset)?;
    let preset = environment::preset_token(config, vars).map_err(|error| critical(&error))?;
    Ok((offer, preset.unwrap_or_else(PairingToken::generate)))
}

fn critical(error: &dyn std::error::Error) -> Unprepared {
    Unprepared {
        reason: chain(error),
        critical: true,
    }
}

/// What to start so that it takes the place on `offer` and knows `token`; and that place.
pub(super) fn prepare(
    config: &Config,
    vars: &dyn Vars,
    offer: Offer,
    token: &PairingToken,
    output: Output,
) -> (Launch, Place) {
    let command = &config.command;
    let launch = Launch {
        program: command.program.clone(),
        arguments: command.arguments.iter().map(Into::into).collect(),
        // ANCM: the content root, wherever the program lies.
        directory: config.content_root.clone(),
        environment: environment::child(config, vars, &offer.reach, token),
        output,
        #[cfg(unix)]
        descriptors: offer.descriptors,
    };
    (launch, offer.place)
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
        let (offer, token) = pair(&preset, &vars()).unwrap();
        assert!(offer.place.port() == Some(5_000) && token.matches(b"abc"));
        assert!(has_one_port(&preset, &vars()));
    }

    #[test]
    fn otherwise_every_process_gets_its_own() {
        let config = config(&[]);
        assert!(!has_one_port(&config, &vars()));
        let (offer, one) = pair(&config, &vars()).unwrap();
        let (_, other) = pair(&config, &vars()).unwrap();
        let port = offer.place.port().unwrap();
        assert!(crate::supervisor::port::RANGE.contains(&port));
        assert!(!one.matches(other.header_value().as_bytes()));
    }
}
