//! Where a scenario plays.

use std::{
    future::Future,
    io::{Read, Write},
    net::TcpStream,
    sync::OnceLock,
    time::Duration,
};

use tokio::{runtime, time::timeout};

use crate::support::{
    apps::{App, hosting_assembly},
    client::{Client, Protocol},
    log::event,
    module::{Module, Start},
};

/// How long a scenario may take, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(if cfg!(windows) { 200 } else { 60 });

/// An app, its path base, and the protocol that the client speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) app: App,
    pub(crate) base: &'static str,
    pub(crate) protocol: Protocol,
    /// Whether the app is hosted in process.
    pub(crate) in_process: bool,
    /// Whether the module speaks HTTP/2 with the app.
    pub(crate) h2c: bool,
}

impl At {
    pub(crate) const fn new(app: App, base: &'static str, protocol: Protocol) -> Self {
        Self {
            app,
            base,
            protocol,
            in_process: false,
            h2c: false,
        }
    }

    /// As [`new`](Self::new), with the app in a worker.
    #[cfg(unix)]
    pub(crate) const fn in_process(app: App, base: &'static str, protocol: Protocol) -> Self {
        let mut at = Self::new(app, base, protocol);
        at.in_process = true;
        at
    }

    /// As [`new`](Self::new), with HTTP/2 between the module and the app.
    #[cfg(unix)]
    pub(crate) const fn by_h2c(app: App, base: &'static str, protocol: Protocol) -> Self {
        let mut at = Self::new(app, base, protocol);
        at.h2c = true;
        at
    }

    /// Runs a scenario to its end, or to its limit.
    pub(crate) fn run<F: Future<Output = ()>>(self, scenario: impl FnOnce(Self) -> F) {
        self.module();
        run(scenario(self));
    }

    /// The module in front of the app, shared by all scenarios of this program.
    pub(crate) fn module(self) -> &'static Module {
        static STOCK: Shared = Shared::new();
        static STOCK_IN_PROCESS: Shared = Shared::new();
        static MODERN_BY_H2C: Shared = Shared::new();
        static MODERN: Shared = Shared::new();
        static MODERN_IN_PROCESS: Shared = Shared::new();
        static TWIN: Shared = Shared::new();
        static IN_PROCESS: Shared = Shared::new();
        let shared = match self.app {
            App::Stock if self.in_process => &STOCK_IN_PROCESS,
            App::Stock => &STOCK,
            App::Modern if self.in_process => &MODERN_IN_PROCESS,
            App::Modern if self.h2c => &MODERN_BY_H2C,
            App::Modern => &MODERN,
            App::Twin => &TWIN,
            App::InProcess => &IN_PROCESS,
        };
        shared.at(self)
    }

    /// A new connection.
    pub(crate) async fn client(self) -> Client {
        Client::connect(self.module().address(), self.protocol).await
    }

    /// `target` of the app as a target of the site.
    pub(crate) fn target(self, target: &str) -> String {
        format!("{}{target}", self.prefix())
    }

    /// The path base as a prefix: empty for the root.
    pub(crate) fn prefix(self) -> &'static str {
        if self.base == "/" { "" } else { self.base }
    }
}

/// Runs what a test does, on a runtime of its own and within the limit.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        timeout(LIMIT, test)
            .await
            .expect("the scenario took too long");
    });
}

/// The modules in front of one app: started on first use, and once.
#[derive(Debug)]
struct Shared {
    root: OnceLock<Module>,
    base: OnceLock<Module>,
}

impl Shared {
    const fn new() -> Self {
        Self {
            root: OnceLock::new(),
            base: OnceLock::new(),
        }
    }

    fn at(&'static self, at: At) -> &'static Module {
        let module = if at.base == "/" {
            &self.root
        } else {
            &self.base
        };
        module.get_or_init(|| {
            let start = Start::new(at.app, at.base);
            let start = match at.app.published() {
                Some(published) if at.in_process => {
                    start.folder(published.apps.join("inprocess")).variable(
                        "ANCM_HOSTING_ASSEMBLY",
                        hosting_assembly().to_string_lossy(),
                    )
                }
                Some(_) if at.h2c => start
                    .listen(["--listen", "127.0.0.1:0", "--protocol", "h2c"])
                    .variable("Kestrel__EndpointDefaults__Protocols", "Http2"),
                _ => start,
            };
            let module = start.run().outlived_by_nobody();
            if at.in_process {
                wait_for_the_worker(&module, at);
            }
            module
        })
    }
}

/// Connections that come before the worker takes them itself are told to go once it does.
fn wait_for_the_worker(module: &Module, at: At) {
    let mut stream = TcpStream::connect(module.address()).expect("it listens");
    let target = at.target("/headers");
    let head = format!("GET {target} HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let stands_by = "Front stands by: a worker accepts connections itself";
    module
        .log()
        .wait_for(stands_by, LIMIT, |line| event(line, stands_by));
}
