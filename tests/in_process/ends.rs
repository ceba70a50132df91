//! How an app of this process is replaced and how it ends.

use std::{fs, time::Duration};

use ancm::{HostBody, in_process::Startup};
use axum::{Router, extract::State, routing::get};
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::watch;

use crate::site::{self, Count, Lives, Made, Site, numbers, read, within};

/// An app that says which one it is, at once or when its gate is opened.
fn app(lives: Lives, arrived: Count, gate: watch::Sender<bool>) -> Router {
    let wait = move |State(lives): State<Lives>| async move {
        arrived.add();
        let mut open = gate.subscribe();
        let _ = open.wait_for(|open| *open).await;
        lives.number.to_string()
    };
    Router::new()
        .route(
            "/",
            get(|State(lives): State<Lives>| async move { lives.number.to_string() }),
        )
        .route("/wait", get(wait))
        .with_state(lives)
}

/// A site whose apps are numbered, and what happens in it.
struct Numbered {
    site: Site,
    ended: Count,
    told: Count,
    arrived: Count,
    gate: watch::Sender<bool>,
}

fn numbered(shutdown_time_limit: Duration) -> Numbered {
    let (ended, told, arrived) = (Count::default(), Count::default(), Count::default());
    let (gate, next) = (watch::Sender::new(false), numbers());
    let parts = (ended.clone(), told.clone(), arrived.clone(), gate.clone());
    let make = move |startup: Startup| {
        let (ended, told, arrived, gate) = parts.clone();
        let lives = Lives::begin(next(), &ended);
        let shutdown = startup.shutdown().requested();
        tokio::spawn(async move {
            shutdown.await;
            told.add();
        });
        async move {
            match lives.number {
                3 => Err("the third one never works".into()),
                _ => Made::Ok(app(lives, arrived, gate)),
            }
        }
    };
    Numbered {
        site: Site::with(
            |config| config.shutdown_time_limit(shutdown_time_limit),
            make,
        ),
        ended,
        told,
        arrived,
        gate,
    }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_restart_overlaps_and_the_old_one_finishes() {
    let here = numbered(LONG);
    assert_eq!(here.site.get("/").await.1, "1");
    let waits = tokio::spawn(here.site.host.clone().oneshot_of("/wait"));
    here.arrived.reaches(1).await;
    within(here.site.host.supervisor().unwrap().restart())
        .await
        .unwrap();
    assert_eq!(here.site.get("/").await.1, "2", "the new one serves");
    assert_eq!(here.ended.get(), 0, "the old one still has a request");
    assert_eq!(here.site.host.in_flight(), 1);
    here.gate.send_replace(true);
    assert_eq!(read(waits.await.unwrap()).await.1, "1");
    here.told.reaches(1).await;
    here.ended.reaches(1).await;
    assert_eq!(here.site.host.in_flight(), 0);
}

#[tokio::test]
async fn where_the_new_one_fails_the_old_one_stays() {
    let here = numbered(LONG);
    assert_eq!(here.site.get("/").await.1, "1");
    let supervisor = here.site.host.supervisor().unwrap();
    within(supervisor.restart()).await.unwrap();
    let failure = within(supervisor.restart()).await.unwrap_err();
    assert_eq!(failure.sub_status.unwrap().code(), 30);
    assert!(failure.reason.contains("never works"), "{failure}");
    assert_eq!(here.site.get("/").await.1, "2");
    within(supervisor.restart()).await.unwrap();
    assert_eq!(here.site.get("/").await.1, "4");
}

#[tokio::test]
async fn a_shutdown_waits_for_requests_and_drops_the_app() {
    let here = numbered(LONG);
    let waits = tokio::spawn(here.site.host.clone().oneshot_of("/wait"));
    here.arrived.reaches(1).await;
    let host = here.site.host.clone();
    let stopping = tokio::spawn(async move { host.shutdown().await });
    here.told.reaches(1).await;
    assert!(!stopping.is_finished(), "a request is under way");
    here.gate.send_replace(true);
    assert_eq!(read(waits.await.unwrap()).await.0, StatusCode::OK);
    within(stopping).await.unwrap();
    here.ended.reaches(1).await;
    assert_eq!(here.site.get("/").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_broken_off() {
    let here = numbered(Duration::from_millis(50));
    let waits = tokio::spawn(here.site.host.clone().oneshot_of("/wait"));
    here.arrived.reaches(1).await;
    within(here.site.host.shutdown()).await;
    assert_eq!(
        read(within(waits).await.unwrap()).await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    here.ended.reaches(1).await;
    assert_eq!(here.site.host.in_flight(), 0);
}

#[tokio::test]
async fn an_endless_body_is_broken_off() {
    let site = Site::with(
        |config| config.shutdown_time_limit(Duration::from_millis(50)),
        |_| async {
            let endless = || async {
                axum::body::Body::from_stream(futures_util::stream::pending::<
                    Result<bytes::Bytes, std::io::Error>,
                >())
            };
            Ok(Router::new().route("/", get(endless)))
        },
    );
    let mut body = site.ask(site::get("/")).await.into_body();
    let (frame, ()) = tokio::join!(within(body.frame()), within(site.host.shutdown()));
    assert!(frame.unwrap().is_err());
}

#[tokio::test]
async fn app_offline_ends_it_and_its_removal_begins_it_again() {
    let here = numbered(LONG);
    assert_eq!(here.site.get("/").await.1, "1");
    let file = here.site.folder.path().join("app_offline.htm");
    fs::write(&file, "be right back").unwrap();
    here.ended.reaches(1).await;
    let (status, page) = here.site.get("/").await;
    assert_eq!(
        (status, &*page),
        (StatusCode::SERVICE_UNAVAILABLE, "be right back")
    );
    fs::remove_file(&file).unwrap();
    let back = async {
        loop {
            let (status, text) = here.site.get("/").await;
            if status == StatusCode::OK {
                return text;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(within(back).await, "2");
}

#[tokio::test]
async fn an_operator_restarts_and_stops_it() {
    let here = numbered(LONG);
    assert_eq!(here.site.get("/").await.1, "1");
    let operator = here.site.host.operator().unwrap();
    within(operator.restart()).await.unwrap();
    assert_eq!(here.site.get("/").await.1, "2");
    within(operator.stop()).await;
    here.ended.reaches(2).await;
    assert!(
        here.site
            .host
            .supervisor()
            .unwrap()
            .status()
            .processes
            .is_empty()
    );
}

#[tokio::test]
async fn dropping_the_last_handle_ends_it() {
    let here = numbered(LONG);
    assert_eq!(here.site.get("/").await.1, "1");
    let (ended, told) = (here.ended.clone(), here.told.clone());
    drop(here);
    told.reaches(1).await;
    ended.reaches(1).await;
}

/// A request that another task makes.
trait OneshotOf {
    fn oneshot_of(self, target: &'static str) -> impl Future<Output = Response<HostBody>> + Send;
}

impl OneshotOf for ancm::Host {
    async fn oneshot_of(self, target: &'static str) -> Response<HostBody> {
        tower::ServiceExt::oneshot(self, site::get(target))
            .await
            .unwrap()
    }
}
