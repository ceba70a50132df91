//! What the command line means: only valid values.

use std::{
    ffi::OsString,
    fmt::Display,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use ancm::{
    PathBase,
    config::{Destination, FrontLimits, Protocol, Site},
};
use ipnet::IpNet;

use super::{RawOperate, RawRun};
use crate::failure::Failure;

/// What `run` and `check` are about.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    /// What goes before what the configuration says of the front.
    pub(crate) site: Site,
    /// `None`: one per core.
    pub(crate) threads: Option<NonZeroUsize>,
    /// Besides those of the configuration.
    pub(crate) trusted: Vec<IpNet>,
    /// What goes before the limits of the configuration.
    pub(crate) limits: FrontLimits,
    pub(crate) control: Control,
    /// `None`: as the configuration says.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) app: App,
}

/// Where other programs may operate the app.
#[derive(Debug, PartialEq)]
pub(crate) enum Control {
    /// Nowhere.
    Off,
    /// At the place that follows from the folder.
    Usual,
    /// Here. Absolute.
    At(PathBuf),
}

/// Which app is to be operated, and how it is told.
#[derive(Debug, PartialEq)]
pub(crate) struct Operate {
    pub(crate) place: Place,
    /// Whether what there is to say is said in JSON.
    pub(crate) json: bool,
}

/// Where somebody listens for commands.
#[derive(Debug, PartialEq)]
pub(crate) enum Place {
    /// For the app of this folder, which is absolute.
    Folder(PathBuf),
    /// Here.
    Socket(PathBuf),
}

impl TryFrom<RawOperate> for Operate {
    type Error = Failure;

    fn try_from(raw: RawOperate) -> Result<Self, Failure> {
        let place = match raw.control {
            Some(path) => Place::Socket(path),
            None => Place::Folder(folder(
                raw.dir.as_deref().unwrap_or_else(|| Path::new(".")),
            )?),
        };
        let json = raw.json;
        Ok(Self { place, json })
    }
}

/// Where the answers come from.
#[derive(Debug, PartialEq)]
pub(crate) enum App {
    /// A publish folder.
    Folder {
        /// Absolute.
        root: PathBuf,
        /// Absolute. `None`: the folder's web.config.
        file: Option<PathBuf>,
        /// `None`: as the file says.
        path_base: Option<PathBase>,
    },
    /// A command in a folder.
    Command {
        /// Absolute.
        root: PathBuf,
        program: PathBuf,
        arguments: Vec<String>,
        path_base: PathBase,
    },
    /// An app that somebody else runs.
    Elsewhere {
        /// Not empty; none stands there twice.
        to: Vec<Destination>,
        health_path: Option<String>,
    },
}

impl TryFrom<RawRun> for Run {
    type Error = Failure;

    fn try_from(raw: RawRun) -> Result<Self, Failure> {
        Ok(Self {
            site: raw.https.site(raw.listen)?,
            threads: raw.threads,
            trusted: raw.trusted_proxy,
            limits: raw.limits.into(),
            control: control(raw.control, raw.no_control)?,
            protocol: raw.protocol,
            app: app(
                raw.dir.as_deref(),
                raw.path_base,
                raw.config.as_deref(),
                (raw.to, raw.health_path),
                raw.command,
            )?,
        })
    }
}

fn control(path: Option<PathBuf>, off: bool) -> Result<Control, Failure> {
    match path {
        Some(path) => Ok(Control::At(absolute("--control", &path)?)),
        None if off => Ok(Control::Off),
        None => Ok(Control::Usual),
    }
}

fn app(
    dir: Option<&Path>,
    path_base: Option<PathBase>,
    config: Option<&Path>,
    (to, health_path): (Vec<Destination>, Option<String>),
    command: Vec<OsString>,
) -> Result<App, Failure> {
    if !to.is_empty() {
        for (index, destination) in to.iter().enumerate() {
            if to.iter().take(index).any(|other| other == destination) {
                return Err(Failure::usage(format_args!(
                    "--to {destination} is said twice"
                )));
            }
        }
        return Ok(App::Elsewhere { to, health_path });
    }
    let root = folder(dir.unwrap_or_else(|| Path::new(".")))?;
    let mut command = command.into_iter();
    match command.next() {
        Some(program) => Ok(App::Command {
            root,
            program: program.into(),
            arguments: command.map(text).collect::<Result<_, _>>()?,
            path_base: path_base.unwrap_or_default(),
        }),
        None => Ok(App::Folder {
            root,
            file: config.map(file).transpose()?,
            path_base,
        }),
    }
}

/// Not canonical: a deploy may swap the link that the folder's name is, and verbatim paths of Windows
/// confuse apps.
fn folder(dir: &Path) -> Result<PathBuf, Failure> {
    let wrong = |why: &dyn Display| {
        Failure::usage(format_args!(
            "the folder `{}`: {why}; expected the publish folder, in which web.config lies",
            dir.display()
        ))
    };
    let metadata = dir.metadata().map_err(|error| wrong(&error))?;
    if !metadata.is_dir() {
        return Err(wrong(&"not a folder"));
    }
    std::path::absolute(dir).map_err(|error| wrong(&error))
}

fn file(path: &Path) -> Result<PathBuf, Failure> {
    absolute("--config", path)
}

fn absolute(option: &str, path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::usage(format_args!("{option} `{}`: {error}", path.display())))
}

fn text(argument: OsString) -> Result<String, Failure> {
    argument.into_string().map_err(|argument| {
        Failure::usage(format_args!(
            "the argument `{}` is not valid Unicode",
            argument.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use ancm::config::{Hsts, HttpsRedirect, TlsVersion};

    use super::*;
    use crate::args::{Arguments, Command};

    fn parse(typed: &[&str]) -> Result<Run, Failure> {
        let typed = ["ancm", "run"].iter().chain(typed);
        let Command::Run(raw) = Arguments::try_parse_from(typed).unwrap().command else {
            panic!("`run` is `run`");
        };
        raw.try_into()
    }

    fn here() -> PathBuf {
        std::path::absolute(".").unwrap()
    }

    #[test]
    fn nothing_said_is_this_folder_on_loopback() {
        let want = Run {
            site: Site::default(),
            threads: None,
            trusted: Vec::new(),
            limits: FrontLimits::default(),
            control: Control::Usual,
            protocol: None,
            app: App::Folder {
                root: here(),
                file: None,
                path_base: None,
            },
        };
        assert_eq!(parse(&[]).unwrap(), want);
        assert_eq!(parse(&["."]).unwrap(), want);
    }

    #[test]
    fn what_follows_two_dashes_is_the_command() {
        let run = parse(&["--path-base", "/shop/", "--", "node", "--listen", "x"]).unwrap();
        let want = App::Command {
            root: here(),
            program: "node".into(),
            arguments: vec!["--listen".to_owned(), "x".to_owned()],
            path_base: "/shop".parse().unwrap(),
        };
        assert_eq!(run.app, want);
    }

    #[test]
    fn the_socket_is_somewhere_or_nowhere() {
        assert_eq!(parse(&["--no-control"]).unwrap().control, Control::Off);
        let here = here().join("s");
        assert_eq!(
            parse(&["--control", "s"]).unwrap().control,
            Control::At(here)
        );
    }

    #[test]
    fn an_address_needs_no_folder() {
        let run = parse(&["--to", ":5000", "--threads", "2"]).unwrap();
        assert_eq!(
            run.app,
            App::Elsewhere {
                to: vec!["127.0.0.1:5000".parse().unwrap()],
                health_path: None,
            }
        );
        assert_eq!(run.threads, NonZeroUsize::new(2));
    }

    #[test]
    fn several_addresses_are_those_that_were_typed() {
        let typed = ["--to", "a:1", "--to", "b:1", "--health-path", "/ok"];
        let run = parse(&[&typed[..], &["--protocol", "h2c"]].concat()).unwrap();
        let App::Elsewhere { to, health_path } = run.app else {
            panic!("it is elsewhere");
        };
        let to: Vec<_> = to.iter().map(ToString::to_string).collect();
        assert_eq!(
            (to, health_path.as_deref()),
            (vec!["a:1".to_owned(), "b:1".to_owned()], Some("/ok"))
        );
        assert_eq!(run.protocol, Some(Protocol::H2c));
        assert!(parse(&["--to", "a:1", "--to", "a:1"]).is_err());
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        for typed in [
            &["--to", ":80", "."][..],
            &["--to", ":80", "--", "node"],
            &["--to", ":80", "--path-base", "/a"],
            &["--to", ":80", "--config", "x"],
            &["--config", "x", "--", "node"],
            &["--control", "x", "--no-control"],
            &["--health-path", "/a"],
            &["--to", ":80", "--health-path", "a"],
            &["--to", ":80", "--protocol", "h2"],
            &["--threads", "0"],
            &["--max-connections", "0"],
            &["--max-head-size", "100"],
            &["--header-timeout", "0"],
            &["--idle-timeout", "1m"],
            &["--trusted-proxy", "10.0.0.0/40"],
            &["--trusted-proxy", "localhost"],
            &["--path-base", "shop"],
            &["--listen", "8080"],
            &["--tls-min-version", "1.1"],
            &["--client-cert", "maybe"],
            &["--https-redirect=0"],
            &["--hsts=long"],
            &["a", "b"],
        ] {
            let typed: Vec<_> = ["ancm", "run"].iter().chain(typed).collect();
            let error = Arguments::try_parse_from(&typed).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{typed:?}");
        }
    }

    #[test]
    fn limits_are_what_was_typed_and_nothing_else() {
        let typed = ["--max-connections", "5", "--header-timeout", "7"];
        let run = parse(&typed).unwrap();
        let mut want = FrontLimits::default();
        want.max_connections = Some(5);
        want.header_timeout = Some(std::time::Duration::from_secs(7));
        assert_eq!(run.limits, want);
        let run = parse(&["--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "::1"]).unwrap();
        let want = ["10.0.0.0/8", "::1/128"].map(|range| range.parse().unwrap());
        assert_eq!(run.trusted, want);
    }

    #[test]
    fn a_folder_must_be_one() {
        for dir in ["/no/such/folder", "Cargo.toml"] {
            let message = format!("{:?}", parse(&[dir]).unwrap_err());
            assert!(
                message.contains(dir) && message.contains("Usage"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_typed_of_tls_is_what_is_meant() {
        let typed = [
            "--listen",
            "https://:443",
            "--tls-cert",
            "a",
            "--https-redirect",
            "--hsts=off",
        ];
        let site = parse(&typed).unwrap().site;
        assert_eq!(site.bindings, ["https://:443".parse().unwrap()]);
        assert_eq!(site.certificates[0].chain, site.certificates[0].key);
        assert_eq!(site.https_redirect, Some(HttpsRedirect::Ours));
        assert_eq!(site.hsts, Some(Hsts::Off));
        let site = parse(&["--https-redirect=8443", "--hsts"]).unwrap().site;
        assert_eq!(site.https_redirect, Some(HttpsRedirect::To(8443)));
        assert_eq!(site.hsts, Some(Hsts::MONTH));
        let site = parse(&["--tls-min-version", "1.3"]).unwrap().site;
        assert_eq!(site.tls_min_version, Some(TlsVersion::Tls13));
    }
}
