//! What an app is and how it is run: only valid values.
//!
//! A configuration is written in `web.config`, as `dotnet publish` leaves it, in `ancm.toml` with the same keys,
//! or in Rust. All three become the same [`Config`], whose values are checked and whose command is already the one
//! of this operating system. What is wrong is told all at once, with its line; what is not honoured is a
//! [`Warning`], never silence.
//!
//! ```
//! use std::time::Duration;
//! use ancm::config::Config;
//!
//! # let root = std::env::temp_dir();
//! let config = Config::builder(&root)
//!     .program("dotnet")
//!     .arguments(["App.dll"])
//!     .startup_time_limit(Duration::from_secs(30))
//!     .build()?;
//! assert_eq!(config.startup_time_limit(), Duration::from_secs(30));
//! assert_eq!(config.path_base().as_str(), "/");
//!
//! let twice_wrong = Config::builder(&root).processes_per_application(0).build().unwrap_err();
//! assert_eq!(twice_wrong.iter().count(), 2);
//! # Ok::<(), ancm::config::Errors>(())
//! ```
//!
//! In `ancm.toml` every key but `processPath` may be left out:
//!
//! ```
//! # use std::collections::BTreeMap;
//! # use ancm::config::Config;
//! # let root = std::env::temp_dir();
//! let toml = r#"
//! processPath = "dotnet"
//! arguments = ["App.dll"]                 # or one line, split as Windows does
//! startupTimeLimit = 120                  # seconds, 0 to 3600
//! shutdownTimeLimit = 10                  # seconds, 0 to 600
//! requestTimeout = "00:02:00"             # [d.]hh:mm:ss; zero: no limit
//! rapidFailsPerMinute = 10                # 0 to 100
//! processesPerApplication = 1             # 1 to 100
//! stdoutLogEnabled = false
//! stdoutLogFile = './aspnetcore-stdout'   # what the files' names begin with
//! disableStartUpErrorPage = false
//! forwardWindowsAuthToken = true
//! hostingModel = "outofprocess"
//! recycleOnFileChange = ["appsettings.json"]
//! pathBase = "/"
//! httpsPort = 443
//! webSocket = true
//!
//! [authentication]
//! windows = false
//! basic = false
//! anonymous = true
//!
//! [environmentVariables]
//! ASPNETCORE_ENVIRONMENT = "Production"
//!
//! [handlerSettings]
//! shutdownDelay = 1000                    # milliseconds
//! "#;
//! let vars: BTreeMap<String, String> = BTreeMap::new();
//! let loaded = Config::from_toml(&root, toml.as_bytes(), &vars)?;
//! assert!(loaded.warnings.is_empty());
//! assert_eq!(loaded.config.https_port(), Some(443));
//! # Ok::<(), ancm::config::Errors>(())
//! ```
//!
//! The way of a file: bytes → text → raw values with their positions → [`Config`].

mod builder;
mod command;
mod detail;
pub(crate) mod environment;
mod expand;
mod findings;
mod load;
mod parse;
mod raw;
mod report;
mod sections;
mod settings;
mod source;
mod text;
mod toml_file;
mod values;
mod vars;
mod web_config;

pub use self::{
    builder::Builder,
    command::{CommandLine, Unresolved},
    findings::{Error, Errors, Position, Warning, WarningKind},
    load::Loaded,
    report::Report,
    settings::{Authentication, Config, HandlerSettings, HostingModel},
    source::Source,
    vars::{ProcessVars, Vars},
};
