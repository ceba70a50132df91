//! An app that goes on failing, and a crowd that wants it.

use std::fs;

use crate::{
    clients::{Tally, all_at_once},
    run,
    site::Site,
};

const LIMIT: u32 = 3;
const CROWD: usize = 1_000;
/// How often the crowd comes: more often than it can get a start.
const WAVES: usize = 12;

/// As the module counts: one failure more than the limit before a start is refused.
const FAILURES: usize = LIMIT as usize + 1;

async fn crowds(script: &str, target: &'static str) -> (usize, Tally) {
    let site = Site::of_script(script, |config| config.rapid_fails_per_minute(LIMIT));
    let mut last = Tally::default();
    for _ in 0..WAVES {
        last = all_at_once(site.address, CROWD, target).await;
        last.assert_only(&[502, 503]);
        assert_eq!(last.statuses.values().sum::<usize>(), CROWD);
        if site.supervisor().status().states == ["refused"] {
            break;
        }
    }
    let spawned = fs::read_to_string(site.folder.path().join("spawned")).unwrap();
    assert_eq!(site.supervisor().status().states, ["refused"]);
    site.close().await;
    (spawned.lines().count(), last)
}

#[test]
fn is_kept_by_an_app_that_never_starts() {
    run(async {
        let (spawned, _) = crowds("echo x >> spawned; exit 3", "/").await;
        // Each failed start made two attempts.
        assert_eq!(spawned, 2 * FAILURES);
    });
}

#[test]
fn is_kept_by_an_app_that_dies_of_every_request() {
    run(async {
        let (spawned, _) = crowds(r#"echo x >> spawned; exec "$0""#, "/crash").await;
        assert_eq!(spawned, FAILURES);
    });
}
