//! What the app knows of its client's connection.

use http::Request;
use serde_json::{Value, json};

use crate::{
    run,
    site::{self, BOTH, NAME, Site, Way, told},
    support::client::{Client, Protocol, empty},
};

/// A connection that is what it looks like, though its client says otherwise.
async fn claims(client: &mut Client) -> Value {
    let request = Request::get("/connection")
        .header("x-forwarded-for", "6.6.6.6:6")
        .header("x-forwarded-proto", "ftp")
        .header("ms-aspnetcore-clientcert", "MAMCAQE=")
        .header(
            "ms-aspnetcore-connection",
            "local=6.6.6.6:6 tls=0301 suite=0001",
        );
    client.ask(request.body(empty()).unwrap()).await.json()
}

#[test]
fn a_connection_in_cleartext_has_its_addresses_and_nothing_of_tls() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            let want = json!({
                "scheme": "http",
                "remote": client.local().to_string(),
                "local": site.address.to_string(),
                "secure": false,
                "certificate": null,
                "tls": null,
                "cipher": null,
                "strength": null,
                "suite": null,
                "serverName": null,
            });
            assert_eq!(claims(&mut client).await, want, "{way:?}");
            site.close().await;
        }
    });
}

#[test]
fn the_facts_of_the_handshake_reach_the_app() {
    run(async {
        let site = Site::new(Way::Forwarded, |config| config);
        let alice = site.ca.client("alice");
        let address = site.secure.unwrap();
        for protocol in [Protocol::Http1, Protocol::Http2] {
            for (config, certificate) in [
                (site.ca.trusting(), json!(null)),
                (site.ca.showing(&alice), json!("CN=alice")),
            ] {
                let (mut client, suite) = site::secure(address, config, protocol).await;
                let known = claims(&mut client).await;
                let remote = client.local().to_string();
                assert_eq!(known["certificate"], certificate, "{protocol:?}");
                is_told_of_tls(&known, &suite);
                assert_eq!(
                    (&known["remote"], &known["local"]),
                    (&json!(remote), &json!(address.to_string()),)
                );
            }
        }
        // The next request of somebody else, in the same place of the worker, knows nothing of that.
        let mut client = site.client(Way::Forwarded).await;
        assert_eq!(told(&mut client, "/connection").await["tls"], json!(null));
        site.close().await;
    });
}

/// That `known` says what a client of TLS 1.3 agreed on.
pub(crate) fn is_told_of_tls(known: &Value, suite: &str) {
    assert_eq!(known["scheme"], "https", "{known}");
    assert_eq!(known["secure"], true, "{known}");
    assert_eq!(known["tls"], "Tls13", "{known}");
    assert_eq!(known["suite"], suite, "{known}");
    assert_eq!(known["serverName"], NAME, "{known}");
    let strength = if suite.contains("_128_") { 128 } else { 256 };
    assert_eq!(known["strength"], strength, "{known}");
}
