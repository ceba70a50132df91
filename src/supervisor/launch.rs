//! From an app's configuration to what the operating system is to start.

use std::ops::RangeInclusive;

use super::process::{Launch, Output};
use crate::{
    PairingToken,
    config::{Config, Vars},
};

/// ANCM: the ports that it draws from, all 1025 to 48000 being allowed to a user.
pub(super) const PORTS: RangeInclusive<u16> = 10_000..=48_000;

/// The port that the configuration names.
pub(super) fn preset_port(_config: &Config, _vars: &dyn Vars) -> Result<Option<u16>, String> {
    Ok(None)
}

/// The pairing token that the configuration names.
pub(super) fn preset_token(
    _config: &Config,
    _vars: &dyn Vars,
) -> Result<Option<PairingToken>, String> {
    Ok(None)
}

/// What to start so that it listens on `port` and knows `token`.
pub(super) fn prepare(
    config: &Config,
    vars: &dyn Vars,
    port: u16,
    token: &PairingToken,
    output: Output,
) -> Result<Launch, String> {
    let mut environment = vars.all();
    let token = String::from_utf8_lossy(token.header_value().as_bytes()).into_owned();
    environment.push(("ASPNETCORE_PORT".into(), port.to_string().into()));
    environment.push((
        "ASPNETCORE_APPL_PATH".into(),
        config.path_base.as_str().into(),
    ));
    environment.push(("ASPNETCORE_TOKEN".into(), token.into()));
    Ok(Launch {
        program: config.command.program.clone(),
        arguments: config.command.arguments.iter().map(Into::into).collect(),
        directory: config.content_root.clone(),
        environment,
        output,
    })
}

/// The command as it is shown: never with the environment, which holds the token.
pub(super) fn command_line(config: &Config) -> String {
    let mut text = config.command.program.display().to_string();
    for argument in &config.command.arguments {
        text.push(' ');
        if argument.is_empty() || argument.contains(char::is_whitespace) {
            text.push_str(&format!("{argument:?}"));
        } else {
            text.push_str(argument);
        }
    }
    text
}
