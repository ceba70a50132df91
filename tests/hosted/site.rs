//! A front and a host in this process, before the full app in a worker.

use std::{
    collections::BTreeMap,
    fs,
    future::Future,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use ancm::{
    Host, Identity,
    authentication::{Check, CheckPassword},
    config::{Builder, Config, HostingModel},
    front::{
        Bound, Drained, Front, Listen, Standby,
        tls::{ClientCertificates, Tls},
    },
    supervisor::{Supervisor, WorkerProgram},
};
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpStream, task::JoinHandle, time::sleep};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{
    published,
    support::{
        alone,
        apps::hosting_assembly,
        client::{Client, Protocol},
        pki::Ca,
        process,
    },
};

/// How often to look for what nobody tells.
pub(crate) const LOOK: Duration = Duration::from_millis(5);

/// The name of the site, for TLS.
pub(crate) const NAME: &str = "site.test";

/// How requests come to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It accepts connections itself.
    Direct,
    /// The parent forwards.
    Forwarded,
}

pub(crate) const BOTH: [Way; 2] = [Way::Direct, Way::Forwarded];

/// A site that serves; its folder is its own.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) address: SocketAddr,
    /// Where it speaks TLS; not directly.
    pub(crate) secure: Option<SocketAddr>,
    pub(crate) ca: Ca,
    host: Host,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<Drained>>,
}

/// Alice, who is an administrator, and Bob, who is not.
pub(crate) struct Users;

impl CheckPassword for Users {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a> {
        let known = Identity::new("Basic", user).with_realm("TEST");
        let known = match (user, password) {
            ("alice", "a") => Some(known.with_groups(["staff", "admins"])),
            ("bob", "b") => Some(known.with_groups(["staff"])),
            (_, _) => None,
        };
        Box::pin(async move { known })
    }
}

/// Builds what there has to be, once.
pub(crate) fn prepare() {
    published();
    hosting_assembly();
}

/// How long a test may take, on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs what a test does: within the limit, and not while another test of this program runs.
pub(crate) fn run(test: impl Future<Output = ()>) {
    // What has to be built or fetched is before any limit.
    prepare();
    alone::run(LIMIT, test);
}

impl Site {
    /// The app as it was published, whose configuration `change` may change.
    pub(crate) fn new(way: Way, change: impl FnOnce(Builder) -> Builder) -> Self {
        let folder = copy_of_the_app();
        let dotnet = Path::new(&variables()["DOTNET_ROOT"]).join("dotnet");
        let config = Config::builder(folder.path()).program(dotnet);
        Self::of(folder, way, change(config.arguments(["FullApp.dll"])))
    }

    /// The app of `folder`, started as `config` says.
    pub(crate) fn of(folder: TempDir, way: Way, config: Builder) -> Self {
        let config = config.hosting_model(HostingModel::InProcess).build();
        Self::configured(folder, way, config.unwrap())
    }

    /// The app of `folder`, as a file configures it.
    pub(crate) fn configured(folder: TempDir, way: Way, config: Config) -> Self {
        let ca = Ca::new();
        let standby = Standby::new();
        let bound = bind(way, &standby, &ca);
        let addresses = bound.local_addresses().to_vec();
        let mut program = WorkerProgram::new(env!("CARGO_BIN_EXE_ancm"));
        if way == Way::Direct {
            program = program.front(bound.sockets().unwrap());
        }
        let host = Host::builder(config)
            .vars(Arc::new(variables()))
            .basic("test", Arc::new(Users))
            .worker(program)
            .build()
            .unwrap();
        let supervisor = host.supervisor().unwrap().clone();
        if way == Way::Direct {
            tokio::spawn(async move { standby.follow(&supervisor).await });
        }
        let stop = CancellationToken::new();
        let serving = host.clone();
        let make = move |connection| serving.for_connection(connection);
        let served = tokio::spawn(bound.serve(make, stop.clone().cancelled_owned()));
        Self {
            folder,
            address: addresses[0],
            secure: addresses.get(1).copied(),
            ca,
            host,
            stop,
            served,
        }
    }

    pub(crate) fn supervisor(&self) -> &Supervisor {
        self.host.supervisor().unwrap()
    }

    /// A new connection. Of a direct site, to the worker: it has started then.
    pub(crate) async fn client(&self, way: Way) -> Client {
        loop {
            let mut client = Client::connect(self.address, Protocol::Http1).await;
            let answer = client.get("/place").await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
            // The parent, where it accepted before it stood by, says goodbye.
            if way == Way::Forwarded || answer.values("connection").is_empty() && self.is_direct() {
                return client;
            }
            sleep(LOOK).await;
        }
    }

    /// Whether the parent has heard that the worker accepts.
    fn is_direct(&self) -> bool {
        !self.ready().is_empty()
    }

    /// The processes that take requests, by their numbers.
    pub(crate) fn ready(&self) -> Vec<u32> {
        let processes = self.supervisor().status().processes;
        let ready = processes.iter().filter(|one| one.state == "ready");
        ready.map(|one| one.pid).collect()
    }

    /// A connection by TLS.
    pub(crate) async fn secure(&self, config: ClientConfig, protocol: Protocol) -> Client {
        secure(self.secure.unwrap(), config, protocol).await.0
    }

    /// What the app wrote, in all its lives.
    pub(crate) fn output(&self) -> String {
        let Ok(files) = fs::read_dir(self.folder.path().join("logs")) else {
            return String::new();
        };
        let texts = files.map(|file| fs::read(file.unwrap().path()).unwrap());
        texts
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .collect()
    }

    /// Stops everything, and sees that it is gone.
    pub(crate) async fn close(mut self) {
        self.stop.cancel();
        (&mut self.served).await.unwrap().unwrap();
        let left = self.supervisor().status().processes;
        self.host.shutdown().await;
        for one in left {
            assert!(!process::runs(one.pid), "{one:?} is left");
        }
    }
}

/// A client by TLS, and what was agreed on: the suite's name.
pub(crate) async fn secure(
    address: SocketAddr,
    mut config: ClientConfig,
    protocol: Protocol,
) -> (Client, String) {
    config.alpn_protocols = vec![match protocol {
        Protocol::Http1 => b"http/1.1".to_vec(),
        Protocol::Http2 => b"h2".to_vec(),
    }];
    let tcp = TcpStream::connect(address).await.unwrap();
    let local = tcp.local_addr().unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from(NAME).unwrap();
    let stream: TlsStream<TcpStream> = connector.connect(name, tcp).await.unwrap();
    let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap();
    let suite = format!("{:?}", suite.suite()).replace("TLS13_", "TLS_");
    let authority = format!("{NAME}:{}", address.port());
    let client = Client::over(stream, local, "https", authority, protocol).await;
    (client, suite)
}

/// What a site speaks TLS by.
pub(crate) fn tls(ca: &Ca) -> Tls {
    let pair = ca.site("site", &[NAME]);
    Tls::builder()
        .certificate(&pair.chain, &pair.key)
        .client_certificates(ClientCertificates::Optional)
        .build()
        .unwrap()
}

fn bind(way: Way, standby: &Standby, ca: &Ca) -> Bound {
    let any = || "127.0.0.1:0".parse().unwrap();
    let mut listen = vec![Listen::tcp(any())];
    if way == Way::Forwarded {
        listen.push(Listen::tcp(any()).tls(tls(ca)));
    }
    let front = Front::new().threads(NonZeroUsize::new(2).unwrap());
    front.standby(standby).listen(listen).unwrap()
}

/// A folder with the app of a test's own.
pub(crate) fn copy_of_the_app() -> TempDir {
    published().copy_of("full")
}

/// The environment that .NET wants, without what a module further out would have set.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let own = std::env::vars().filter(|(name, _)| {
        let foreign = ["ASPNETCORE_", "ANCM_", "FULL_"];
        !foreign.iter().any(|start| name.starts_with(start))
    });
    let mut command = Command::new("bash");
    let command = command.args(["-c", r#". "$0" && env -0"#]);
    let command = command.arg(&published().environment).env_clear().envs(own);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let pairs = text
        .split_terminator('\0')
        .filter_map(|line| line.split_once('='));
    let mut variables: BTreeMap<_, _> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let assembly = hosting_assembly().to_str().unwrap().to_owned();
    variables.insert("ANCM_HOSTING_ASSEMBLY".to_owned(), assembly);
    variables
}

/// Where the folder of .NET is.
pub(crate) fn dotnet_root() -> PathBuf {
    fs::canonicalize(&variables()["DOTNET_ROOT"]).unwrap()
}

/// The process that answers.
pub(crate) async fn pid(client: &mut Client) -> u32 {
    let place = client.get("/place").await.json();
    u32::try_from(place["pid"].as_u64().unwrap()).unwrap()
}

/// What the app says at `target`.
pub(crate) async fn told(client: &mut Client, target: &str) -> Value {
    client.get(target).await.json()
}
