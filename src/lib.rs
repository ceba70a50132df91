//! IIS's ASP.NET Core Module as tower layers and hyper services: the *host half* keeps an app's process and forwards
//! requests to it, the *app half* stands inside an app and undoes what the way through the module did to them.
//!
//! The two halves speak one protocol, that of the module and of ASP.NET Core's IIS integration: a few environment
//! variables (`ASPNETCORE_PORT`, `ASPNETCORE_APPL_PATH`, `ASPNETCORE_TOKEN`), a few headers ([`headers`]) and one event
//! that asks the app to stop. So each half works with the original in the place of the other: the host half runs a
//! published ASP.NET Core app as it is, and an axum app with the app half runs behind IIS.
//!
//! ```text
//! host half   client ─▶ front ─▶ authentication ─▶ offline ─▶ supervisor ─▶ proxy ─▶ the app's process
//! app half    request ─▶ pairing ─▶ forwarded ─▶ path base ─▶ identity ─▶ shutdown ─▶ the app
//! ```
//!
//! The modules are named for these stages, and each stage is a tower layer that is useful alone. The repository's
//! `docs/life-of-a-request.md` follows a request through both pipelines, every failure included; `docs/parity.md` says
//! what of the module is where, and what differs on purpose.
//!
//! # In front of apps
//!
//! A [`Host`] is the host half of one app as one tower service. Any front that serves tower or hyper services can mount
//! it: axum's router, a bare hyper server, or this crate's own [`front`].
//!
#![cfg_attr(all(feature = "axum", feature = "host"), doc = "```")]
#![cfg_attr(not(all(feature = "axum", feature = "host")), doc = "```ignore")]
//! use ancm::{Host, config::Config};
//! use axum::{Router, body::Body, http::Request, routing::get};
//! # use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir();
//! // Or `Config::load(folder, None, &vars)?.config`, which reads the folder's `web.config`.
//! let config = Config::builder(folder).program("dotnet").arguments(["Shop.dll"]).path_base("/shop".parse()?);
//! let shop = Host::new(config.build()?)?;
//! let gateway = Router::new()
//!     .route("/", get(async || "the gateway's own page"))
//!     .nest_service("/shop", shop.clone());
//!
//! // `axum::serve(listener, gateway.into_make_service_with_connect_info::<SocketAddr>())` tells the app who its clients are.
//! let page = gateway.oneshot(Request::get("/").body(Body::empty())?).await?;
//! assert_eq!(page.status(), 200);
//!
//! // The app's process starts with the first request below /shop, and nobody has asked for anything there.
//! assert!(shop.supervisor().is_some_and(|supervisor| supervisor.status().processes.is_empty()));
//! shop.shutdown().await; // before the program ends: returns when the app's processes are gone
//! # Ok(())
//! # }
//! ```
//!
//! # Inside of an app
//!
//! [`app::AncmLayer`] is the app half as one layer: switched off under a normal start, so that the same binary runs by
//! itself and behind the module. [`app::Server`] puts it around an app, listens where the module says (by default on
//! `127.0.0.1:5000`) and ends gracefully with the module's event or a signal; [`app::serve`] is it with
//! the defaults.
//!
#![cfg_attr(all(feature = "axum", feature = "serve"), doc = "```")]
#![cfg_attr(not(all(feature = "axum", feature = "serve")), doc = "```ignore")]
//! use ancm::{Scheme, app::{ClientAddress, Server}};
//! use axum::{Router, routing::get};
//! # use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};
//!
//! async fn hello(scheme: Scheme, ClientAddress(client): ClientAddress) -> String {
//!     format!("{} speaks {scheme}", client.ip())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let listener = TcpListener::bind("127.0.0.1:0").await?;
//! # let address = listener.local_addr()?;
//! let server = Server::new(Router::new().route("/", get(hello)));
//! let shutdown = server.shutdown().clone();
//! // `server.run()`, or `ancm::app::serve(router)`, listens by itself.
//! let serving = tokio::spawn(server.run_on(listener));
//! # let mut client = TcpStream::connect(address).await?;
//! # client.write_all(b"GET / HTTP/1.1\r\nhost: me\r\nconnection: close\r\n\r\n").await?;
//! # let mut answer = String::new();
//! # client.read_to_string(&mut answer).await?;
//! # assert!(answer.ends_with("127.0.0.1 speaks http"), "{answer}");
//!
//! shutdown.request(); // what the module's event and a signal do, too
//! serving.await?
//! # }
//! ```
//!
//! # Features
//!
//! Features only add. The default is the app half alone, without a line of the host half.
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | *(none)* | always | the app half as tower layers: [`app::AncmLayer`] and its stages |
//! | `axum` | yes | the app half's values as axum extractors, the client's address as `ConnectInfo`; in a [`Host`], the path that `nest_service` took off |
//! | `serve` | yes | [`app::serve`] and [`app::Server`] |
//! | `host` | no | the host half: [`Host`], [`authentication`], [`config`], [`control`], [`supervisor`], [`offline`], [`proxy`], [`error`] |
//! | `front` | no | `host` and [`front`], a hyper server made for it |
//! | `negotiate` | no | `authentication::negotiate`: Windows authentication, on Unix by the system's GSSAPI (`Kerberos`), on Windows by SSPI (`Sspi`) |
//! | `users` | no | `authentication::users`: users of Basic authentication in a file |
//! | `in-process` | no | `front`, and `in_process`: an app in a worker that is called instead of forwarded to, ASP.NET Core by CoreCLR (Unix) |
//! | `tls` | no | `front` and `front::tls`: TLS by rustls, client certificates |
//! | `cli` | no | all of the above but `negotiate`, and the `ancm` program |
//! | `x509` | no | what stands in a client's certificate: subject, issuer, validity, names, fingerprint |
//! | `sealed` | no | in an app of its own the user whom our host half authenticated; `host` has it |
//!
//! # Cancel safety
//!
//! * A future of a [`Host`], of [`proxy::Proxy`] or of any other service here may be dropped at any time: that is what a
//!   client does who leaves. It breaks the exchange with the app off at once, and frees the request's place in the queue.
//!   Dropping an answer's body before its end does the same.
//! * What starts and stops processes goes on when the future that asked for it is dropped: [`Host::shutdown`], and
//!   `stop`, `shutdown`, `restart` and `reconfigure` of [`supervisor::Supervisor`].
//! * `Supervisor::lease`, `Gate::changed` and `Backend::drained` are cancel safe in the sense of tokio's `select!`.
//! * Dropping the future of a server ([`front::Bound::serve`], [`app::Server::run`]) breaks all of its connections off.
//! * Dropping the last handle of a [`Host`] stops its app without waiting; a program that is about to end awaits
//!   [`Host::shutdown`].
//!
//! # Security
//!
//! * **Pairing token.** Each process gets 128 random bits of its own. They are compared in constant time, stand in no log,
//!   no `Debug`, no error page and on no command line, and go only to a listener that belongs to the process: its owner is
//!   looked up after each dial, before the first byte, where the system tells (Linux, Windows). They do stand in the
//!   environment of the app, where processes of the same user can read them.
//! * **Headers.** Every `MS-ASPNETCORE*` that a client sends is removed, in any case, with dashes or underscores, in trailers
//!   too; so are hop-by-hop fields and what `Connection` nominates. Only then are ours added.
//!   `X-Forwarded-For` and `X-Forwarded-Proto` of a client are replaced, unless its address is one of the
//!   [trusted proxies], to whose list ours is appended.
//! * **The app half** looks at nothing before the token is right. Without it the answer is 400 with an empty body, and the
//!   log says how many there were and nothing of what they sent.
//! * **Error pages** tell clients the kind of a failure and a correlation id. Command, output and exit code are in the log,
//!   and on the page only in Development.
//!
//! # Platform notes
//!
//! * **Linux** is what the tests run on. A process and all it starts are gone when its host is, `kill -9` included; what
//!   something outside starts for it (systemd, a container engine) is not its own.
//! * **macOS and other Unix**: who listens on a port is not known, so a process is ready when its port takes a connection,
//!   and what left the app's process group may outlive it. Not tested.
//! * **Windows**: a job object ends all of a process's descendants; the owner of a listener is known; the app half takes over
//!   the user whom IIS authenticated. Tested under Wine only.
//! * `docs/parity.md` lists what is not there yet.
//!
// What is not built here is linked to where it is.
#![cfg_attr(
    all(feature = "front", feature = "serve"),
    doc = "
[`Host`]: crate::Host
[`Host::shutdown`]: crate::Host::shutdown
[`app::Server`]: crate::app::Server
[`app::Server::run`]: crate::app::Server::run
[`app::serve`]: fn@crate::app::serve
[`authentication`]: crate::authentication
[`config`]: crate::config
[`control`]: crate::control
[`error`]: mod@crate::error
[`front`]: crate::front
[`front::Bound::serve`]: crate::front::Bound::serve
[`offline`]: crate::offline
[`proxy`]: crate::proxy
[`proxy::Proxy`]: crate::proxy::Proxy
[`supervisor`]: crate::supervisor
[`supervisor::Supervisor`]: crate::supervisor::Supervisor
[trusted proxies]: crate::proxy::ProxyOptions"
)]
#![cfg_attr(
    not(all(feature = "front", feature = "serve")),
    doc = "
[`Host`]: https://docs.rs/ancm/latest/ancm/struct.Host.html
[`Host::shutdown`]: https://docs.rs/ancm/latest/ancm/struct.Host.html#method.shutdown
[`app::Server`]: https://docs.rs/ancm/latest/ancm/app/struct.Server.html
[`app::Server::run`]: https://docs.rs/ancm/latest/ancm/app/struct.Server.html#method.run
[`app::serve`]: https://docs.rs/ancm/latest/ancm/app/fn.serve.html
[`authentication`]: https://docs.rs/ancm/latest/ancm/authentication/index.html
[`config`]: https://docs.rs/ancm/latest/ancm/config/index.html
[`control`]: https://docs.rs/ancm/latest/ancm/control/index.html
[`error`]: https://docs.rs/ancm/latest/ancm/error/index.html
[`front`]: https://docs.rs/ancm/latest/ancm/front/index.html
[`front::Bound::serve`]: https://docs.rs/ancm/latest/ancm/front/struct.Bound.html#method.serve
[`offline`]: https://docs.rs/ancm/latest/ancm/offline/index.html
[`proxy`]: https://docs.rs/ancm/latest/ancm/proxy/index.html
[`proxy::Proxy`]: https://docs.rs/ancm/latest/ancm/proxy/struct.Proxy.html
[`supervisor`]: https://docs.rs/ancm/latest/ancm/supervisor/index.html
[`supervisor::Supervisor`]: https://docs.rs/ancm/latest/ancm/supervisor/struct.Supervisor.html
[trusted proxies]: https://docs.rs/ancm/latest/ancm/proxy/struct.ProxyOptions.html"
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod app;
pub mod headers;

mod body;
mod connection;
#[cfg(feature = "host")]
mod informational;
#[cfg(feature = "host")]
mod lines;
mod occasionally;
mod path_base;
#[cfg(feature = "sealed")]
mod sealed;
mod shutdown;
mod token;
mod within;

#[cfg(feature = "host")]
pub mod authentication;
#[cfg(feature = "host")]
pub mod config;
#[cfg(feature = "host")]
pub mod control;
#[cfg(feature = "host")]
pub mod error;
#[cfg(feature = "host")]
mod files;
#[cfg(feature = "front")]
pub mod front;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
pub mod in_process;
#[cfg(feature = "host")]
pub mod offline;
#[cfg(feature = "host")]
pub mod proxy;
#[cfg(feature = "host")]
pub mod supervisor;
#[cfg(feature = "host")]
mod watch;
#[cfg(feature = "host")]
mod websocket;

#[cfg(all(test, feature = "host"))]
mod samples;

#[cfg(feature = "host")]
pub use self::host::{Builder as HostBuilder, Host, HostBody, HostFuture};
#[cfg(feature = "host")]
pub use self::informational::Informational;
#[cfg(feature = "sealed")]
pub use self::sealed::{Identity, SealError};
pub use self::{
    body::ResponseBody,
    connection::{Connection, Scheme, TlsFacts},
    path_base::{InvalidPathBase, PathBase},
    shutdown::Shutdown,
    token::{InvalidToken, PairingToken},
    within::InProcess,
};

/// What is held beside hyper: only `fuzz/` builds it.
#[cfg(all(fuzzing, feature = "front"))]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::{front::fuzz as requests, proxy::fuzz as answers};
}

/// The code of README, so that it compiles.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;
