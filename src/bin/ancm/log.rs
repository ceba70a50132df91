//! The log of the program: `tracing` to stderr, as text or as one JSON object per line.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, fmt};

use crate::failure::Failure;

/// Which lines are written when `RUST_LOG` does not say. The watcher of files talks of its own affairs.
const DEFAULT_FILTER: &str = "info,notify=warn";

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; with colours where stderr is a terminal and `NO_COLOR` is not set.
    #[default]
    Text,
    /// For programs: one JSON object per line.
    Json,
}

/// What a worker has to tell where nobody says what: its parent tells of the life of all its processes.
#[cfg(unix)]
const WORKER_FILTER: &str = "warn";

/// Installs the log for the whole process.
pub(crate) fn init(format: Format) -> Result<(), Failure> {
    install(format, DEFAULT_FILTER, io::stderr().is_terminal(), || {
        Box::new(io::stderr())
    })
}

/// The same for a worker, whose own stderr is its app's: to `file`.
#[cfg(unix)]
pub(crate) fn init_worker(format: Format, file: Option<std::fs::File>) -> Result<(), Failure> {
    let Some(file) = file.map(std::sync::Arc::new) else {
        return Ok(());
    };
    let terminal = file.is_terminal();
    install(format, WORKER_FILTER, terminal, move || {
        Box::new(std::sync::Arc::clone(&file))
    })
}

fn install(
    format: Format,
    default: &str,
    terminal: bool,
    writer: impl Fn() -> Box<dyn io::Write> + Send + Sync + 'static,
) -> Result<(), Failure> {
    let directives = std::env::var("RUST_LOG").ok();
    let builder = fmt()
        .with_env_filter(filter(directives.as_deref(), default)?)
        .with_writer(writer);
    let installed = match format {
        Format::Text => {
            let colours = terminal && colours();
            builder.with_ansi(colours).with_target(false).try_init()
        }
        Format::Json => builder.json().try_init(),
    };
    installed.map_err(|error| Failure::other(format_args!("can't install the log: {error}")))
}

fn filter(directives: Option<&str>, default: &str) -> Result<EnvFilter, Failure> {
    let directives = match directives.map(str::trim) {
        None | Some("") => default,
        Some(directives) => directives,
    };
    EnvFilter::try_new(directives).map_err(|error| {
        Failure::usage(format_args!(
            "RUST_LOG: expected a level or directives such as `info,ancm::proxy=debug`, \
             got `{}` ({error})",
            directives.escape_debug()
        ))
    })
}

/// <https://no-color.org>: set to anything but the empty text.
fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_info() {
        for directives in [None, Some(""), Some("  ")] {
            assert!(
                filter(directives, DEFAULT_FILTER)
                    .unwrap()
                    .to_string()
                    .contains("info")
            );
        }
        assert_eq!(
            filter(Some("warn"), DEFAULT_FILTER).unwrap().to_string(),
            "warn"
        );
    }

    #[test]
    fn a_filter_that_can_not_be_read_is_a_usage_error() {
        let failure = filter(Some("ancm=loudly"), DEFAULT_FILTER).unwrap_err();
        let text = format!("{failure:?}");
        assert!(
            text.contains("RUST_LOG") && text.contains("ancm=loudly"),
            "{text}"
        );
        assert!(text.contains("Usage"), "{text}");
    }
}
