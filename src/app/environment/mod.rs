//! What the module tells a process when it starts it: its environment variables, typed.

mod error;
mod read;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::error::EnvironmentError;
use crate::{PairingToken, PathBase};

const PORT: &str = "ASPNETCORE_PORT";
/// Where an app listens that was given no port; the module's own.
pub(super) const URLS: &str = "ASPNETCORE_URLS";
/// A listener that is inherited; this module's own.
const LISTEN_FD: &str = "ANCM_LISTEN_FD";
const APPL_PATH: &str = "ASPNETCORE_APPL_PATH";
const TOKEN: &str = "ASPNETCORE_TOKEN";
const HTTP_AUTH: &str = "ASPNETCORE_IIS_HTTPAUTH";
const WEBSOCKETS: &str = "ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED";
const HTTPS_PORT: &str = "ASPNETCORE_ANCM_HTTPS_PORT";
const PHYSICAL_PATH: &str = "ASPNETCORE_IIS_PHYSICAL_PATH";
const HOSTING_STARTUP: &str = "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES";

/// What the module said when it started this process.
///
/// There is none under a normal start: the app half is then switched off, and the same binary runs with and
/// without the module.
///
/// ```
/// use ancm::app::ModuleEnvironment;
///
/// let module = ModuleEnvironment::from_vars(|name| match name {
///     "ASPNETCORE_PORT" => Some("12345".to_owned()),
///     "ASPNETCORE_APPL_PATH" => Some("/shop".to_owned()),
///     "ASPNETCORE_TOKEN" => Some("secret".to_owned()),
///     _ => None,
/// })?;
/// let module = module.expect("all three are there");
/// assert_eq!(module.port(), 12345);
/// assert_eq!(module.path_base().as_str(), "/shop");
/// assert!(ModuleEnvironment::from_vars(|_| None)?.is_none());
/// # Ok::<(), ancm::app::EnvironmentError>(())
/// ```
///
/// Cheap to clone. A handler takes it as an argument behind a [`Server`](super::Server) or an
/// [`announcing`](super::AncmLayer::announce) layer.
#[derive(Clone, Debug)]
pub struct ModuleEnvironment {
    facts: Arc<Facts>,
}

#[derive(Debug)]
struct Facts {
    /// 0 where there is none.
    port: u16,
    socket: Option<PathBuf>,
    path_base: PathBase,
    token: PairingToken,
    http_auth: Option<String>,
    websockets_supported: bool,
    https_port: Option<u16>,
    physical_path: Option<String>,
    hosting_startup: Option<String>,
    iis: Iis,
}

/// What IIS says about the site, the pool and the application; each may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Iis {
    /// `ASPNETCORE_IIS_VERSION`: `major.minor`.
    pub version: Option<String>,
    /// `ASPNETCORE_IIS_APP_POOL_ID`.
    pub app_pool_id: Option<String>,
    /// `ASPNETCORE_IIS_APP_POOL_CONFIG_FILE`.
    pub app_pool_config_file: Option<String>,
    /// `ASPNETCORE_IIS_SITE_NAME`.
    pub site_name: Option<String>,
    /// `ASPNETCORE_IIS_SITE_ID`.
    pub site_id: Option<String>,
    /// `ASPNETCORE_IIS_APP_CONFIG_PATH`.
    pub app_config_path: Option<String>,
    /// `ASPNETCORE_IIS_APPLICATION_ID`.
    pub application_id: Option<String>,
    /// `ASPNETCORE_IIS_APPLICATION_VIRTUAL_PATH`.
    pub application_virtual_path: Option<String>,
}

impl ModuleEnvironment {
    /// From the environment of this process; `None` under a normal start.
    ///
    /// # Errors
    ///
    /// When the module started this process and one of its variables makes no sense.
    pub fn from_env() -> Result<Option<Self>, EnvironmentError> {
        Self::from_vars(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// From what `var` says each variable is; `None` where it is missing.
    ///
    /// ANCM: the app half is on when `PORT`, `APPL_PATH` and `TOKEN` are all there and none is empty.
    ///
    /// Differs from ANCM: a Unix socket will do in the place of the port, inherited (`ANCM_LISTEN_FD`) or to be opened
    /// (`http://unix:/path` alone in `ASPNETCORE_URLS`).
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_vars(
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, EnvironmentError> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let (Some(path), Some(token)) = (var(APPL_PATH), var(TOKEN)) else {
            return Ok(None);
        };
        let (port, socket) = match (var(PORT), var(LISTEN_FD), read::unix_path(var(URLS))) {
            (Some(port), _, _) => (read::port(PORT, &port)?, None),
            (None, Some(_), _) => (0, None),
            (None, None, Some(path)) => (0, Some(path)),
            (None, None, None) => return Ok(None),
        };
        let facts = Facts {
            port,
            socket,
            path_base: read::path_base(APPL_PATH, &path)?,
            token: read::token(TOKEN, &token)?,
            http_auth: var(HTTP_AUTH),
            websockets_supported: read::websockets(var(WEBSOCKETS).as_deref()),
            https_port: var(HTTPS_PORT)
                .map(|text| read::port(HTTPS_PORT, &text))
                .transpose()?,
            physical_path: var(PHYSICAL_PATH),
            hosting_startup: var(HOSTING_STARTUP),
            iis: Iis::from_vars(&var),
        };
        Ok(Some(Self {
            facts: Arc::new(facts),
        }))
    }

    /// `ASPNETCORE_PORT`: where the module expects this process to listen, on `127.0.0.1`; 0 where it is a Unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.facts.port
    }

    /// The Unix socket where the module expects this process to listen, of `ASPNETCORE_URLS`; `None` where it is a port,
    /// or a socket that the process inherits.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.facts.socket.as_deref()
    }

    /// `ASPNETCORE_APPL_PATH`: where the app is mounted, percent-encoded as clients send it.
    #[must_use]
    pub fn path_base(&self) -> &PathBase {
        &self.facts.path_base
    }

    /// `ASPNETCORE_TOKEN`: the secret that every request must carry.
    #[must_use]
    pub fn token(&self) -> &PairingToken {
        &self.facts.token
    }

    /// `ASPNETCORE_IIS_HTTPAUTH`: the authentications that the front offers, such as `windows` and `anonymous`.
    pub fn http_auth(&self) -> impl Iterator<Item = &str> {
        read::items(self.facts.http_auth.as_deref())
    }

    /// Whether the front may authenticate users.
    ///
    /// ANCM: anything but `anonymous` says so, `none` too, and so does a module that says nothing at all.
    #[must_use]
    pub fn is_authentication_enabled(&self) -> bool {
        self.facts.http_auth.is_none()
            || self
                .http_auth()
                .any(|item| !item.eq_ignore_ascii_case("anonymous"))
    }

    /// `ASPNETCORE_IIS_WEBSOCKETS_SUPPORTED`: whether upgrades reach this process. Defaults to `true`.
    #[must_use]
    pub fn websockets_supported(&self) -> bool {
        self.facts.websockets_supported
    }

    /// `ASPNETCORE_ANCM_HTTPS_PORT`: the front's one port for `https`, where redirects can go.
    #[must_use]
    pub fn https_port(&self) -> Option<u16> {
        self.facts.https_port
    }

    /// `ASPNETCORE_IIS_PHYSICAL_PATH`, which in IIS is not a path but the application's id.
    #[must_use]
    pub fn physical_path(&self) -> Option<&str> {
        self.facts.physical_path.as_deref()
    }

    /// `ASPNETCORE_HOSTINGSTARTUPASSEMBLIES`: what a .NET app would load at its start. It means nothing to another.
    pub fn hosting_startup_assemblies(&self) -> impl Iterator<Item = &str> {
        read::items(self.facts.hosting_startup.as_deref())
    }

    /// What IIS says about the site, the pool and the application.
    #[must_use]
    pub fn iis(&self) -> &Iis {
        &self.facts.iis
    }
}

impl Iis {
    fn from_vars(var: &impl Fn(&str) -> Option<String>) -> Self {
        Self {
            version: var("ASPNETCORE_IIS_VERSION"),
            app_pool_id: var("ASPNETCORE_IIS_APP_POOL_ID"),
            app_pool_config_file: var("ASPNETCORE_IIS_APP_POOL_CONFIG_FILE"),
            site_name: var("ASPNETCORE_IIS_SITE_NAME"),
            site_id: var("ASPNETCORE_IIS_SITE_ID"),
            app_config_path: var("ASPNETCORE_IIS_APP_CONFIG_PATH"),
            application_id: var("ASPNETCORE_IIS_APPLICATION_ID"),
            application_virtual_path: var("ASPNETCORE_IIS_APPLICATION_VIRTUAL_PATH"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parsed = Result<Option<ModuleEnvironment>, EnvironmentError>;

    /// The three that switch the app half on, and `more` over them.
    fn parse(more: &[(&str, &str)]) -> Parsed {
        let base = [(PORT, "12345"), (APPL_PATH, "/"), (TOKEN, "secret")];
        ModuleEnvironment::from_vars(|name| {
            let all = more.iter().chain(&base);
            let (_, value) = all.copied().find(|(have, _)| *have == name)?;
            Some(value.to_owned())
        })
    }

    fn module(more: &[(&str, &str)]) -> ModuleEnvironment {
        parse(more).unwrap().unwrap()
    }

    #[test]
    fn is_off_unless_all_three_are_there() {
        assert!(parse(&[]).unwrap().is_some());
        for name in [PORT, APPL_PATH, TOKEN] {
            assert!(parse(&[(name, "")]).unwrap().is_none(), "{name}");
        }
        // What is wrong in a variable does not matter then.
        assert!(parse(&[(TOKEN, ""), (PORT, "x")]).unwrap().is_none());
    }

    #[test]
    fn a_unix_socket_will_do_in_the_place_of_the_port() {
        let none = (PORT, "");
        let module_of = |more: &[(&str, &str)]| parse(more).unwrap();
        let inherited = module_of(&[none, (LISTEN_FD, "7")]).unwrap();
        assert_eq!((inherited.port(), inherited.socket()), (0, None));
        let opened = module_of(&[none, (URLS, "http://unix:/run/a.sock")]).unwrap();
        assert_eq!(opened.port(), 0);
        assert_eq!(opened.socket(), Some(Path::new("/run/a.sock")));
        for urls in [
            "",
            "http://localhost:5000",
            "http://unix:a",
            "http://unix:/a;http://b",
        ] {
            assert!(module_of(&[none, (URLS, urls)]).is_none(), "{urls}");
        }
        let port = module(&[(URLS, "http://unix:/run/a.sock"), (LISTEN_FD, "7")]);
        assert_eq!(
            (port.port(), port.socket()),
            (12345, None),
            "the port counts"
        );
    }

    #[test]
    fn errors_name_the_variable_and_its_value() {
        for (name, value) in [
            (PORT, "0"),
            (PORT, "65536"),
            (PORT, "http"),
            (PORT, " 80"),
            (APPL_PATH, "app"),
            (APPL_PATH, "/a/../b"),
            (HTTPS_PORT, "no"),
        ] {
            let error = parse(&[(name, value)]).unwrap_err();
            assert_eq!((error.name(), error.value()), (name, Some(value)));
            assert!(error.to_string().contains(name), "{error}");
            assert!(error.to_string().contains(value), "{error}");
        }
    }

    #[test]
    fn the_token_is_in_no_error_and_no_debug() {
        let error = parse(&[(TOKEN, "top\nsecret")]).unwrap_err();
        assert_eq!((error.name(), error.value()), (TOKEN, None));
        assert!(!format!("{error} {error:?}").contains("secret"));
        assert!(!format!("{:?}", module(&[])).contains("secret"));
    }

    #[test]
    fn the_path_base_is_as_clients_send_it() {
        for (text, want) in [
            ("/", "/"),
            ("/app1", "/app1"),
            ("/a/b", "/a/b"),
            ("/my app", "/my%20app"),
            ("/my%20app", "/my%20app"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/100%", "/100%25"),
            ("/%zz%4/%\u{e9}", "/%25zz%254/%25%C3%A9"),
        ] {
            assert_eq!(module(&[(APPL_PATH, text)]).path_base().as_str(), want);
        }
    }

    #[test]
    fn authentication_is_on_for_anything_but_anonymous() {
        for (text, enabled, items) in [
            ("", true, 0),
            (";", false, 0),
            ("anonymous;", false, 1),
            ("Anonymous", false, 1),
            ("windows;anonymous;", true, 2),
            ("basic;", true, 1),
            ("none", true, 1),
        ] {
            let module = module(&[(HTTP_AUTH, text)]);
            assert_eq!(module.is_authentication_enabled(), enabled, "{text}");
            assert_eq!(module.http_auth().count(), items, "{text}");
        }
    }

    #[test]
    fn websockets_are_off_only_when_the_module_says_false() {
        for (text, want) in [
            ("false", false),
            ("False", false),
            ("true", true),
            ("", true),
            ("0", true),
            ("maybe", true),
        ] {
            assert_eq!(
                module(&[(WEBSOCKETS, text)]).websockets_supported(),
                want,
                "{text}"
            );
        }
    }

    /// All that the module sets, and what our host half adds: each is asked for once.
    #[test]
    fn every_variable_of_the_module_is_read() {
        let mut want = [
            PORT,
            APPL_PATH,
            TOKEN,
            HTTP_AUTH,
            WEBSOCKETS,
            HTTPS_PORT,
            PHYSICAL_PATH,
            HOSTING_STARTUP,
            "ASPNETCORE_IIS_VERSION",
            "ASPNETCORE_IIS_APP_POOL_ID",
            "ASPNETCORE_IIS_APP_POOL_CONFIG_FILE",
            "ASPNETCORE_IIS_SITE_NAME",
            "ASPNETCORE_IIS_SITE_ID",
            "ASPNETCORE_IIS_APP_CONFIG_PATH",
            "ASPNETCORE_IIS_APPLICATION_ID",
            "ASPNETCORE_IIS_APPLICATION_VIRTUAL_PATH",
            // Our host half's own, where it offers a listener.
            "ANCM_LISTEN_FD",
            "ASPNETCORE_URLS",
        ];
        let asked = std::cell::RefCell::new(Vec::new());
        let module = ModuleEnvironment::from_vars(|name| {
            asked.borrow_mut().push(name.to_owned());
            Some(match name {
                PORT | HTTPS_PORT => "443".to_owned(),
                APPL_PATH => "/".to_owned(),
                HOSTING_STARTUP => ";A;B".to_owned(),
                _ => name.to_lowercase(),
            })
        });
        let module = module.unwrap().unwrap();
        let mut asked = asked.into_inner();
        asked.sort();
        want.sort_unstable();
        assert_eq!(asked, want);
        assert!(module.hosting_startup_assemblies().eq(["A", "B"]));
        let iis = module.iis();
        for (value, name) in [
            (&iis.version, "version"),
            (&iis.app_pool_id, "app_pool_id"),
            (&iis.app_pool_config_file, "app_pool_config_file"),
            (&iis.site_name, "site_name"),
            (&iis.site_id, "site_id"),
            (&iis.app_config_path, "app_config_path"),
            (&iis.application_id, "application_id"),
            (&iis.application_virtual_path, "application_virtual_path"),
        ] {
            assert_eq!(value.as_deref(), Some(&*format!("aspnetcore_iis_{name}")));
        }
    }

    #[test]
    fn the_rest_is_as_it_stands() {
        let module = module(&[
            (HTTPS_PORT, "443"),
            (PHYSICAL_PATH, "/LM/W3SVC/4/ROOT"),
            ("ASPNETCORE_IIS_SITE_NAME", "Shop"),
        ]);
        assert_eq!(module.https_port(), Some(443));
        assert_eq!(module.physical_path(), Some("/LM/W3SVC/4/ROOT"));
        assert_eq!(module.iis().site_name.as_deref(), Some("Shop"));
        assert_eq!(module.iis().version, None);
        assert_eq!(module.hosting_startup_assemblies().count(), 0);
        assert!(!module.token().matches(b""));
        assert!(module.token().matches(b"secret"));
    }
}
