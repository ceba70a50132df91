//! An app in a folder, served by `ancm run`.

use std::{
    fs,
    io::ErrorKind,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{
    client::{Client, Protocol},
    log::{Log, event},
    process,
};

/// Far more than anything here takes; only a failure waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ANCM: &str = env!("CARGO_BIN_EXE_ancm");

/// A folder with a `web.config`, and what serves it.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
}

impl Site {
    /// Served, with nothing running yet.
    pub(crate) fn new() -> Self {
        Self::configured(&web_config("", "", ""))
    }

    pub(crate) fn configured(config: &str) -> Self {
        Self::with_options(config, &[])
    }

    pub(crate) fn with_options(config: &str, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("app")).unwrap();
        fs::create_dir(folder.path().join("run")).unwrap();
        fs::write(folder.path().join("app/web.config"), config).unwrap();
        let mut command = command(&folder);
        command.args(["--log-format", "json", "run", "app"]);
        command.args(["--listen", "127.0.0.1:0"]).args(options);
        let command = command.as_std_mut();
        let command = process::to_be_asked(command.stderr(Stdio::piped()));
        let mut child = command.spawn().unwrap();
        let log = Log::read(child.stderr.take().unwrap());
        let address = log.wait_for("`Listening`", PATIENCE, |line| {
            event(line, "Listening")?["address"].as_str()?.parse().ok()
        });
        Self {
            folder,
            child,
            address,
            log,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("app").join(name)
    }

    /// Takes the place of a file in one go, as a good deployment does.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, content).unwrap();
        let begin = tokio::time::Instant::now();
        while let Err(error) = fs::rename(&new, self.path(name)) {
            // Windows lets nobody replace a file that somebody reads in this moment: a good deployment tries again.
            let is_read = cfg!(windows) && error.kind() == ErrorKind::PermissionDenied;
            assert!(is_read && begin.elapsed() < PATIENCE, "{error}");
            thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Changes nothing but the time of a file, to one that no other touch had.
    pub(crate) fn touch(&self, name: &str, seconds: u64) {
        let file = fs::File::options().append(true).open(self.path(name));
        let time = SystemTime::now() + Duration::from_secs(seconds);
        file.unwrap().set_modified(time).unwrap();
    }

    /// Runs `ancm` beside the served app: its status, stdout and stderr.
    pub(crate) async fn ancm(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = command(&self.folder);
        let output = command.args(arguments).output().await.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// Runs a command that has to succeed.
    pub(crate) async fn operate(&self, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = self.ancm(arguments).await;
        assert_eq!(status, 0, "{arguments:?}: {stderr}\n{}", self.log.text());
        stdout
    }

    pub(crate) async fn status(&self) -> Value {
        let text = self.operate(&["status", "app", "--json"]).await;
        serde_json::from_str(&text).unwrap()
    }

    /// The status, once it is as `wanted`.
    pub(crate) async fn status_once(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let begin = tokio::time::Instant::now();
        loop {
            // Asking takes a process and so a while: this is no busy loop.
            let status = self.status().await;
            if wanted(&status) {
                return status;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{status:#}\n{}",
                self.log.text()
            );
        }
    }

    pub(crate) async fn get(&self) -> (u16, String) {
        let mut client = Client::connect(self.address, Protocol::Http1).await;
        let answer = client.get("/").await;
        (answer.status().as_u16(), answer.text().to_owned())
    }

    /// The process that answers.
    pub(crate) async fn pid(&self) -> u32 {
        let (status, page) = self.get().await;
        assert_eq!(status, 200, "{page}");
        pid_in(&page)
    }

    /// Waits for a line in the log.
    pub(crate) fn logged(&self, message: &str) -> Value {
        let what = format!("`{message}`");
        self.log
            .wait_for(&what, PATIENCE, |line| event(line, message))
    }

    pub(crate) fn count_logged(&self, message: &str) -> usize {
        let text = self.log.text();
        text.lines()
            .filter(|line| event(line, message).is_some())
            .count()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.logged("Control socket is there")["path"]
            .as_str()
            .unwrap()
            .into()
    }

    /// Asks `ancm` to stop, and waits for its end.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        process::ask_to_stop(&self.child);
        self.child.wait().unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn pid_in(page: &str) -> u32 {
    let mut lines = page.lines().map(str::trim);
    let pid = lines.find_map(|line| line.strip_prefix("process id"));
    pid.unwrap_or_else(|| panic!("{page}"))
        .trim()
        .parse()
        .unwrap()
}

pub(crate) fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(ANCM);
    command
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .env("XDG_RUNTIME_DIR", folder.path().join("run"))
        .env_remove("RUST_LOG")
        .env_remove("ASPNETCORE_PORT")
        .env_remove("ASPNETCORE_TOKEN");
    command
}

/// The demo's app, with more `arguments`, `attributes` of aspNetCore and elements in it.
pub(crate) fn web_config(arguments: &str, attributes: &str, elements: &str) -> String {
    format!(
        r#"<configuration><system.webServer>
        <aspNetCore processPath="{ANCM}" arguments="demo-app {arguments}" {attributes}>{elements}</aspNetCore>
        </system.webServer></configuration>"#
    )
}
