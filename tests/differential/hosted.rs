//! An app that believes it was started by the module.

use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    cases::{PLACES, Place},
    support::apps::{App, twin},
};

/// The secret of every app here.
pub(crate) const TOKEN: &str = "0f8fad5bd9cb469fa16570867728950e";

/// A process of the app; killed when dropped.
#[derive(Debug)]
pub(crate) struct Hosted {
    /// None where it was there before us.
    child: Option<Child>,
    pub(crate) address: SocketAddr,
}

impl Hosted {
    /// Starts `app` as the module would at `place`, and waits until it listens.
    pub(crate) fn start(app: App, place: &Place) -> Self {
        if let Some(address) = running(app, place) {
            let child = None;
            return Self { child, address };
        }
        // Free a moment ago; another process may take it meanwhile, so a second and a third port are tried.
        (0..3)
            .find_map(|_| Self::try_start(app, place))
            .expect("the app listens on the port that it was given")
    }

    fn try_start(app: App, place: &Place) -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut child = command(app, place, address.port())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the app starts");
        // No event tells from outside that a port is listened on, so it is tried.
        for _ in 0..1200 {
            if TcpStream::connect(address).is_ok() {
                let child = Some(child);
                return Some(Self { child, address });
            }
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            thread::park_timeout(Duration::from_millis(50));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Where `app` runs already.
fn running(app: App, place: &Place) -> Option<SocketAddr> {
    if app == App::Twin {
        return None;
    }
    let ports = env::var("ANCM_DIFFERENTIAL_STOCK").ok()?;
    let mut pairs = PLACES.iter().zip(ports.split(','));
    let (_, port) = pairs
        .find(|(other, _)| other.path_base == place.path_base)
        .expect("a port of each place");
    let port: u16 = port.parse().expect("a port");
    Some(([127, 0, 0, 1], port).into())
}

fn command(app: App, place: &Place, port: u16) -> Command {
    let mut command = match app.published() {
        None => Command::new(twin()),
        Some(published) => {
            let mut command = Command::new("bash");
            command
                .args(["-c", r#". "$0" && exec dotnet StockApp.dll"#])
                .arg(&published.environment)
                .current_dir(published.apps.join("outofprocess"));
            command
        }
    };
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("ASPNETCORE_") || text.starts_with("ANCM_") {
            command.env_remove(name);
        }
    }
    command
        .env("ASPNETCORE_PORT", port.to_string())
        .env("ASPNETCORE_APPL_PATH", place.path_base)
        .env("ASPNETCORE_TOKEN", TOKEN)
        .env("ASPNETCORE_IIS_HTTPAUTH", place.authentication)
        .env("Logging__LogLevel__Default", "None");
    command
}
