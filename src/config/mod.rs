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
//! ## How the processes are kept; none of it is the module's.
//! startMode = "onDemand"                  # or "eager"
//! warmUp = ["/", "/login"]                # none by default
//! idleTimeout = "00:20:00"                # or whole seconds; never by default
//! drainTimeout = 30                       # seconds or [d.]hh:mm:ss, as all that follow
//! retry = true
//! listener = "port"                       # or "inherited", "inheritedUnix", "unix"
//!
//! [probe]                                 # none by default
//! path = "/health"
//! status = 200                            # any below 400 by default
//! interval = 50                           # milliseconds
//!
//! [recycle]                               # never by default
//! age = "1.05:00:00"
//! requests = 1000000
//! memory = 2048                           # mebibytes
//!
//! [queue]
//! limit = 1000                            # requests that wait for a process
//! time = 250                              # twice startupTimeLimit and 10 s by default
//! overflowStatus = 503                    # 400 to 599
//! retryAfter = 5
//!
//! [affinity]                              # none by default
//! cookie = "shop-process"
//!
//! [proxy]
//! protocol = "http/1.1"                   # or "h2c"
//! trustedProxies = ["10.0.0.0/8", "::1"]  # none by default
//! forwardedFor = "append"                 # off, set, append
//! forwardedProto = "append"
//! forwardedHost = "off"
//! forwardedPrefix = "off"
//! forwarded = "off"                       # RFC 7239
//! clientCert = "off"                      # RFC 9440
//! underscores = "dropAliases"             # dropAll, refuse, keep
//! via = "front-1"                         # none by default
//! traceContext = false
//! connectTimeout = 5
//! continueTimeout = 1
//! uploadTimeout = 120                     # 0: no limit
//! minUploadRate = 240                     # bytes a second; 0: no limit
//! uploadGrace = 5
//! headTimeout = 120                       # requestTimeout by default
//! bodyTimeout = 120                       # requestTimeout by default
//! totalTimeout = 3600                     # none by default
//! maxBodySize = 1000000000                # bytes; no limit by default
//! appConnections = 1024                   # to each process; what the limit of open files allows by default
//! connectionQueueLimit = 100000           # requests that wait for one of them
//! connectionQueueTime = 120               # headTimeout by default
//!
//! [front]                                 # the defaults are those of `ancm run`
//! tlsMinVersion = "1.2"                   # 1.2, 1.3
//! clientCert = "off"                      # off, optional, required
//! clientCa = "clients.pem"                # anybody by default
//! httpsRedirect = false                   # or true, or a port
//! hsts = false                            # or true (30 days), or a time
//!
//! ## The limits; the defaults are those of `ancm::front::Front`.
//! maxConnections = 10000
//! maxHeadSize = 65536
//! maxHeaders = 100
//! headerTimeout = 30
//! idleTimeout = 130
//! writeTimeout = 60
//! drainTimeout = 10
//! maxStreams = 100
//! maxPendingResets = 20
//! maxErrorResets = 100
//! pingInterval = 30
//! pingTimeout = 20
//! halfClose = false
//!
//! [[front.listen]]                        # or, in [front], `listen = [":80"]`, as `--listen` has it
//! address = "https://*:443"
//! clientCert = "optional"                 # for this one alone
//! proxyFrom = ["10.0.0.0/8"]              # who begins with a PROXY header
//!
//! [[front.tls]]                           # the first is for whoever asks for no name
//! cert = "site.pem"
//! key = "site.key"                        # the same file by default
//!
//! [authentication]
//! windows = false
//! basic = true                            # not by default
//! anonymous = true
//! keepUser = false                        # that of the whole connection, as in IIS
//! userHeader = "X-Remote-User"            # none by default
//! basicUsers = "users.txt"                # none by default
//! basicRealm = "shop"
//! basicOverCleartext = false
//! basicAttempts = 10                      # wrong ones from one address; 0: as many as there are
//! basicAttemptsTime = 300                 # in this time
//! basicWait = 5                           # for a turn to be checked
//! basicRemember = 600                     # what was right
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
//! assert_eq!(loaded.config.processes().recycle_requests(), Some(1_000_000));
//! # Ok::<(), ancm::config::Errors>(())
//! ```
//!
//! An app that nobody here starts has a table `backends` instead of a `processPath`:
//!
//! ```
//! # use std::collections::BTreeMap;
//! # use ancm::config::Config;
//! # let root = std::env::temp_dir();
//! let toml = r#"
//! [backends]
//! to = ["10.0.0.1:5000", "[fd00::1]:5000", "app.internal:5000"]
//! path = "/health"                        # none by default
//! interval = 5                            # none without a path
//! timeout = 2
//! rise = 2
//! fall = 3
//! resolveInterval = 30
//! "#;
//! # let vars: BTreeMap<String, String> = BTreeMap::new();
//! let loaded = Config::from_toml(&root, toml.as_bytes(), &vars)?;
//! assert_eq!(loaded.config.destinations().len(), 3);
//! # Ok::<(), ancm::config::Errors>(())
//! ```
//!
//! In `web.config` the way the processes are kept is said by `handlerSettings`, among those of the module: `startMode`,
//! `warmUp` (paths with spaces between them), `probePath`, `probeStatus`, `probeInterval`, `idleTimeout`, `recycleAge`,
//! `recycleRequests`, `recycleMemory`, `queueLimit`, `queueTime`, `queueOverflowStatus`, `queueRetryAfter`,
//! `drainTimeout`, `retry`, `affinityCookie`, `listener`; who the client is by `keepUser`, `userHeader`, `basicUsers`,
//! `basicRealm`, `basicOverCleartext`, `basicAttempts`, `basicAttemptsTime`, `basicWait` and `basicRemember`. IIS passes over
//! names that it does not know, so one file serves both.
//! [`Processes`] has their defaults and the reasons for them. The keys of `proxy` have the same names there, those of
//! `front` begin with it: `frontMaxConnections`. [`Forwarding`] and [`FrontLimits`] explain them. Where the front listens, and its
//! certificates, only `ancm.toml` says: [`Site`].
//!
//! The way of a file: bytes → text → raw values with their positions → [`Config`].

mod attempts;
mod authentication;
mod builder;
mod command;
mod destinations;
mod detail;
pub(crate) mod environment;
mod expand;
mod findings;
mod forwarding;
mod forwarding_builder;
pub(crate) mod front;
mod handler_settings;
mod handler_settings_builder;
mod load;
mod parse;
mod processes;
mod processes_builder;
mod raw;
mod report;
mod report_authentication;
mod report_forwarding;
mod sections;
mod settings;
mod site;
mod source;
mod text;
mod toml_file;
mod toml_site;
mod toml_values;
mod values;
mod vars;
mod web_config;
#[cfg(test)]
mod written;

pub use self::{
    attempts::Attempts,
    authentication::Authentication,
    builder::Builder,
    command::{CommandLine, Unresolved},
    destinations::{Destination, HealthCheck, NoDestination},
    findings::{Error, Errors, Position, Warning, WarningKind},
    forwarding::{Forwarding, HeaderPolicy, Protocol, Underscores},
    front::FrontLimits,
    handler_settings::HandlerSettings,
    load::Loaded,
    processes::{Listener, Processes, StartMode},
    report::Report,
    settings::{Config, HostingModel},
    site::{
        Binding, BindingAt, CertificateFiles, ClientCertificates, Hsts, HttpsRedirect,
        InvalidBinding, Site, SiteError, TlsVersion, socket_address,
    },
    source::Source,
    vars::{ProcessVars, Vars},
};
