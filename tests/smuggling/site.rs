//! The module around the app, and a client of exact bytes before it.

use std::{future::Future, io, net::SocketAddr, num::NonZeroUsize, time::Duration};

use ancm::{
    Connection, PairingToken,
    error::{ErrorPage, ErrorPageLayer},
    front::{Drained, Front},
    proxy::{Address, Backend, FixedLayer, Proxy, ProxyOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tower_layer::Layer;

use crate::app::{App, TOKEN};

/// Longer than anything here takes.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Fails a test whose `what` never comes.
pub(crate) async fn soon<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(TOO_LONG, what)
        .await
        .expect("it comes soon")
}

/// A front, a proxy and the app behind it.
pub(crate) struct Site {
    app: App,
    /// Where the app listens.
    behind: SocketAddr,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<Drained>>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(ProxyOptions::new()).await
    }

    pub(crate) async fn with(options: ProxyOptions) -> Self {
        Self::behind(Front::new(), options).await
    }

    /// One whose clients may ask for a WebSocket over HTTP/2.
    pub(crate) async fn extended() -> Self {
        Self::behind(Front::new().extended_connect(true), ProxyOptions::new()).await
    }

    async fn behind(front: Front, options: ProxyOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behind = listener.local_addr().unwrap();
        let address = Address::Tcp(behind);
        let app = App::start(listener);
        let backend = Backend::paired(address, PairingToken::new(TOKEN).unwrap(), None);
        let proxy = Proxy::with_options(options);
        let front = front.threads(NonZeroUsize::MIN);
        let bound = front.bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let address = *bound.local_addresses().first().unwrap();
        let (stop, stopped) = oneshot::channel();
        let make = move |connection: Connection| {
            let fixed = FixedLayer::new(backend.clone()).layer(proxy.clone());
            ErrorPageLayer::new(ErrorPage::new()).layer(fixed.for_connection(connection))
        };
        let ended = tokio::spawn(bound.serve(make, async {
            let _ = stopped.await;
        }));
        Self {
            app,
            behind,
            address,
            stop,
            ended,
        }
    }

    /// What the module says to `bytes` until it closes.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect().await;
        soon(stream.write_all(bytes)).await.unwrap();
        let mut said = Vec::new();
        // A reset is an end too.
        let _ = soon(stream.read_to_end(&mut said)).await;
        said
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What the app saw, once nothing can come any more.
    pub(crate) async fn end(self) -> Vec<String> {
        self.stop.send(()).unwrap();
        soon(self.ended).await.unwrap().unwrap();
        soon(self.app.seen(self.behind)).await
    }
}
