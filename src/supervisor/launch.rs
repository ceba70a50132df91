//! From an app's configuration to what the operating system is to start.

use super::process::{Launch, Output};
use crate::{
    PairingToken,
    config::{Config, Vars, environment},
};

/// What to start so that it listens on `port` and knows `token`.
pub(super) fn prepare(
    config: &Config,
    vars: &dyn Vars,
    port: u16,
    token: &PairingToken,
    output: Output,
) -> Launch {
    Launch {
        program: config.command.program.clone(),
        arguments: config.command.arguments.iter().map(Into::into).collect(),
        directory: config.content_root.clone(),
        environment: environment::child(config, vars, port, token),
        output,
    }
}

/// The command as it is shown: never with the environment, which holds the token.
pub(super) fn command_line(config: &Config) -> String {
    config.command.to_string()
}
