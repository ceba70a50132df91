//! Requests that read and write with their threads, more of them than the app has.

use std::{convert::Infallible, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, future::join_all, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::{sync::Barrier, time::timeout};

use crate::{
    run,
    site::{BOTH, Site},
    support::client::{Body, Client, Protocol},
};

/// More than a pool that may not grow has, and more than are lent before none is.
const CLIENTS: usize = 100;
/// Where they wait for each other, it is for ever.
const LIMIT: Duration = Duration::from_secs(60);

/// Two pieces: the second once every client has sent its first one.
fn in_step(all: Arc<Barrier>) -> Body {
    let piece = || Ok::<_, Infallible>(Frame::data("piece".into()));
    let second = stream::once(async move {
        all.wait().await;
        piece()
    });
    let both = stream::iter([piece()]).chain(second);
    let body = StreamBody::new(both);
    body.map_err(|never| match never {}).boxed_unsync()
}

#[test]
fn requests_that_block_the_apps_threads_do_not_wait_for_each_other() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            drop(site.client(way).await);
            let all = Arc::new(Barrier::new(CLIENTS));
            let asked = (0..CLIENTS).map(|_| async {
                let mut client = Client::connect(site.address, Protocol::Http1).await;
                let request = Request::post("/faults/block").body(in_step(all.clone()));
                client.ask(request.unwrap()).await
            });
            let answers = timeout(LIMIT, join_all(asked)).await;
            for answer in answers.expect("none waits for the others") {
                assert_eq!(answer.values("x-read"), ["10"]);
                assert_eq!(answer.body.len(), 100_000);
            }
            site.close().await;
        }
    });
}
