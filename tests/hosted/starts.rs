//! Starts that come to nothing: what the client is told, and what the log.

use std::time::Duration;

use crate::{
    SAYS_WHEN_A_HOST_IS_BUILT, run,
    site::{Site, Way},
    support::client::{Client, Protocol},
};

/// A variable and its value, the status, and what the page says of it in Development.
type Failure = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// How an app is kept from starting.
const FAILURES: [Failure; 6] = [
    (
        "FULL_START",
        "throw",
        "500.30",
        &["the database is on fire", "at FullApp.Program.Main"],
    ),
    ("FULL_START", "return", "500.30", &["Main returned 9"]),
    ("FULL_START", "sleep", "500.37", &[]),
    ("FULL_START", "fail-fast", "500.30", &["not today"]),
    (
        "FULL_START",
        "stack-overflow",
        "500.30",
        &["Stack overflow"],
    ),
    PREVENTED,
];

/// Where there is no other way to the app's host than its hosting startups.
const PREVENTED: Failure = (
    "ASPNETCORE_PREVENTHOSTINGSTARTUP",
    "true",
    "500.30",
    &["could not be replaced"],
);

async fn page(site: &Site) -> String {
    let mut client = Client::connect(site.address, Protocol::Http1).await;
    let answer = client.get("/place").await;
    assert_eq!(answer.status(), 500, "{}", answer.text());
    answer.text().to_owned()
}

#[test]
fn a_start_that_fails_is_told_by_its_cause() {
    run(async {
        let happen = |one: &Failure| !SAYS_WHEN_A_HOST_IS_BUILT || *one != PREVENTED;
        for (variable, value, status, texts) in FAILURES.into_iter().filter(happen) {
            for development in [true, false] {
                let site = Site::new(Way::Direct, |config| {
                    let environment = if development {
                        "Development"
                    } else {
                        "Production"
                    };
                    let config = config.environment(variable, value);
                    let config = config.environment("ASPNETCORE_ENVIRONMENT", environment);
                    match value {
                        "sleep" => config.startup_time_limit(Duration::from_secs(2)),
                        _ => config,
                    }
                });
                let page = page(&site).await;
                assert!(page.contains(status), "{value}: {page}");
                for text in texts {
                    assert_eq!(page.contains(text), development, "{value}: {page}");
                }
                let failure = site.supervisor().last_failure().unwrap();
                assert_eq!(
                    format!("500.{}", failure.sub_status.unwrap().code()),
                    status
                );
                let told = format!("{failure:?}");
                for text in texts {
                    assert!(told.contains(text), "{value}: {told}");
                }
                site.close().await;
            }
        }
    });
}

/// Where there is another way.
#[test]
fn an_app_that_runs_no_hosting_startups_is_hosted() {
    if !SAYS_WHEN_A_HOST_IS_BUILT {
        return;
    }
    run(async {
        let (variable, value, _, _) = PREVENTED;
        let site = Site::new(Way::Direct, |config| config.environment(variable, value));
        let mut client = site.client(Way::Direct).await;
        assert_eq!(client.get("/digits.txt").await.status(), 200);
        site.close().await;
    });
}

/// ANCM: without its startup hook, no exception gets to the page, whatever the environment.
#[test]
fn without_the_startup_hook_an_exception_is_for_the_log_alone() {
    run(async {
        let site = Site::new(Way::Direct, |config| {
            let config = config.environment("FULL_START", "throw");
            let config = config.environment("ASPNETCORE_ENVIRONMENT", "Development");
            config.call_startup_hook(false)
        });
        let page = page(&site).await;
        assert!(
            page.contains("500.30") && page.contains("Main threw"),
            "{page}"
        );
        assert!(!page.contains("database"), "{page}");
        site.close().await;

        let site = Site::new(Way::Direct, |config| config.call_startup_hook(false));
        let mut client = site.client(Way::Direct).await;
        assert_eq!(
            client.get("/digits.txt").await.status(),
            200,
            "it is hosted all the same"
        );
        site.close().await;
    });
}
