//! Why a start failed, as its page tells it.

use std::time::Duration;

use tracing::{error, warn};

use super::super::{abi, lifetime::Lifetime};
use crate::{error::SubStatus, in_process::Failure};

pub(super) fn slow(limit: Duration) -> Failure {
    Failure::new(
        SubStatus::StartTimeout,
        format!(
            "the app's server did not start within {} s; an app with a server of its own can only be hosted out of process",
            limit.as_secs_f64()
        ),
    )
}

/// Why an app that ended did not start. What it threw is for the log alone, unless it may be `shown`.
pub(super) fn failure(lifetime: Lifetime, shown: bool) -> Failure {
    if let Some(thrown) = lifetime.main_failed {
        // ANCM: without its startup hook, no exception gets to the page.
        if !shown {
            error!(app.exception = %thrown.detail, "App threw out of Main");
            return Failure::new(SubStatus::Start, "Main threw: see the log");
        }
        let mismatch = thrown.message.starts_with("ABI");
        let sub_status = if mismatch {
            SubStatus::RequestHandler
        } else {
            SubStatus::Start
        };
        return Failure::new(sub_status, thrown.message).detail(thrown.detail);
    }
    if lifetime.mismatch {
        warn!("Hosting assembly of another version");
        return Failure::new(
            SubStatus::RequestHandler,
            format!(
                "the hosting assembly is of another version than {}: build it with hosting/build.sh",
                abi::VERSION
            ),
        );
    }
    match (lifetime.main_ended, lifetime.ran) {
        (Some(code), _) | (None, Some(Ok(code))) => Failure::new(
            SubStatus::Start,
            format!("Main returned {code} before the app's server started"),
        ),
        (None, Some(Err(reason))) => {
            let first = reason.lines().next().unwrap_or_default();
            Failure::new(SubStatus::NativeDependencies, first).detail(reason.clone())
        }
        (None, None) => Failure::new(SubStatus::Start, "the app ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::lifetime::Thrown, *};

    #[test]
    fn a_start_that_ended_is_told_by_its_cause() {
        let status = |lifetime: Lifetime| failure(lifetime, true).status();
        let thrown = |message: &str| {
            Some(Thrown {
                message: message.to_owned(),
                detail: String::new(),
            })
        };
        for (lifetime, want) in [
            (
                Lifetime {
                    main_ended: Some(3),
                    ..Lifetime::default()
                },
                SubStatus::Start,
            ),
            (
                Lifetime {
                    ran: Some(Ok(3)),
                    ..Lifetime::default()
                },
                SubStatus::Start,
            ),
            (
                Lifetime {
                    ran: Some(Err("none".to_owned())),
                    ..Lifetime::default()
                },
                SubStatus::NativeDependencies,
            ),
            (
                Lifetime {
                    mismatch: true,
                    ..Lifetime::default()
                },
                SubStatus::RequestHandler,
            ),
            (
                Lifetime {
                    main_failed: thrown("ABI version 2"),
                    ..Lifetime::default()
                },
                SubStatus::RequestHandler,
            ),
            (
                Lifetime {
                    main_failed: thrown("System.Exception: no"),
                    ..Lifetime::default()
                },
                SubStatus::Start,
            ),
        ] {
            assert_eq!(status(lifetime.clone()), want, "{lifetime:?}");
        }
    }

    #[test]
    fn what_main_threw_is_told_unless_it_may_not_be_shown() {
        let thrown = Lifetime {
            main_failed: Some(Thrown {
                message: "System.Exception: secret".to_owned(),
                detail: "System.Exception: secret at Program.Main".to_owned(),
            }),
            ..Lifetime::default()
        };
        for (shown, want) in [(true, true), (false, false)] {
            let failure = failure(thrown.clone(), shown);
            assert_eq!(failure.status(), SubStatus::Start);
            assert_eq!(failure.reason.contains("secret"), want);
            assert_eq!(failure.detail.is_some(), want);
        }
    }
}
