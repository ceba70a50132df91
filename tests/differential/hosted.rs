//! An app that believes it was started by the module.

use std::{
    env,
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    cases::Place,
    support::apps::{App, published, twin},
};

/// The secret of every app here.
pub(crate) const TOKEN: &str = "0f8fad5bd9cb469fa16570867728950e";

/// A process of the app; killed when dropped.
#[derive(Debug)]
pub(crate) struct Hosted {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Hosted {
    /// Starts `app` as the module would at `place`, and waits until it listens.
    pub(crate) fn start(app: App, place: &Place) -> Self {
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(app: App, place: &Place, port: u16) -> Command {
    let mut command = match app {
        App::Twin | App::InProcess => Command::new(twin()),
        App::Stock => {
            let mut command = Command::new("bash");
            command
                .args(["-c", r#". "$0" && exec dotnet StockApp.dll"#])
                .arg(&published().environment)
                .current_dir(published().apps.join("outofprocess"));
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
