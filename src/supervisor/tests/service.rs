use std::fmt;
#[cfg(feature = "axum")]
use std::net::SocketAddr;

use http::{Request, Response};
use tower::{ServiceExt as _, service_fn};
use tower_layer::Layer as _;
use tower_service::Service;

use super::fakes::{Fakes, Plan, settle, supervise};
use crate::{
    Connection,
    error::Error,
    proxy::Forward,
    supervisor::{Supervised, SupervisorLayer},
};

/// Answers with the address that a request is to go to, and the client's.
async fn echo(forward: Forward<()>) -> Result<Response<String>, Error> {
    let text = format!(
        "{} {:?}",
        forward.lease.backend().address(),
        forward.connection.peer()
    );
    Ok(Response::new(text))
}

fn from(connection: Connection) -> Request<()> {
    let mut request = Request::new(());
    request.extensions_mut().insert(connection);
    request
}

fn peer(text: &str) -> Connection {
    Connection::new(text.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_and_is_forwarded() {
    let fakes = Fakes::new(&[Plan::Listen(100)]);
    let service = SupervisorLayer::new(supervise(&fakes)).layer(service_fn(echo));
    let request = || from(peer("192.0.2.1:1"));
    let first = service.clone().oneshot(request()).await.unwrap();
    let port = fakes.get(0).port;
    assert_eq!(*first.body(), format!("127.0.0.1:{port} Some(192.0.2.1:1)"));
    let second = service.oneshot(request()).await.unwrap();
    assert_eq!(first.body(), second.body());
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_is_the_answer() {
    let fakes = Fakes::new(&[Plan::Exit(0)]);
    let service = Supervised::new(service_fn(echo), supervise(&fakes));
    let error = service.oneshot(Request::new(())).await.unwrap_err();
    assert!(error.start_failure().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_connection_is_the_services_else_the_requests_else_unknown() {
    let fakes = Fakes::new(&[]);
    let supervisor = supervise(&fakes);
    let service = Supervised::new(service_fn(echo), supervisor);
    let of_connection = service.clone().for_connection(peer("192.0.2.9:9"));
    for (service, request, want) in [
        (
            of_connection,
            from(peer("192.0.2.1:1")),
            "Some(192.0.2.9:9)",
        ),
        (
            service.clone(),
            from(peer("192.0.2.1:1")),
            "Some(192.0.2.1:1)",
        ),
        (service.clone(), Request::new(()), "None"),
    ] {
        let answer = service.oneshot(request).await.unwrap();
        assert!(answer.body().ends_with(want), "{answer:?}");
    }
    #[cfg(feature = "axum")]
    {
        let address: SocketAddr = "192.0.2.5:5".parse().unwrap();
        let mut request = Request::new(());
        request
            .extensions_mut()
            .insert(axum::extract::ConnectInfo(address));
        let answer = service.oneshot(request).await.unwrap();
        assert!(answer.body().ends_with("Some(192.0.2.5:5)"), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_frees_its_place() {
    let fakes = Fakes::new(&[Plan::Hang]);
    let supervisor = supervise(&fakes);
    let mut service = Supervised::new(service_fn(echo), supervisor.clone());
    let mut call = Box::pin(service.call(Request::new(())));
    tokio::select! {
        biased;
        _ = &mut call => panic!("nothing listens"),
        () = settle() => assert_eq!(supervisor.status().waiting, 1),
    }
    drop(call);
    assert_eq!(supervisor.status().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn the_inner_service_is_driven_to_readiness_after_the_wait() {
    let (mock, mut handle) = tower_test::mock::pair::<Forward<()>, Response<()>>();
    let inner = mock.map_err(Error::backend);
    let fakes = Fakes::new(&[]);
    let service = Supervised::new(inner, supervise(&fakes));
    handle.allow(0);
    let call = tokio::spawn(service.oneshot(Request::new(())));
    settle().await;
    assert!(!call.is_finished());
    handle.allow(1);
    let (forward, respond) = handle.next_request().await.unwrap();
    respond.send_response(Response::new(()));
    call.await.unwrap().unwrap();
    assert_eq!(forward.lease.backend().in_flight(), 1);
}

/// Nothing to run: it compiles.
#[allow(dead_code, reason = "a bound, checked by the compiler")]
fn is_what_a_server_asks_of_a_service<S>(supervised: Supervised<S>)
where
    S: Service<Forward<()>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    fn usable<T: Service<Request<()>, Future: Send> + Clone + fmt::Debug + Send + 'static>(_: T) {}
    usable(supervised);
}
