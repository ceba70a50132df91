//! The user whom the front authenticated, as the app knows them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{
    run,
    site::{Site, Way, told},
    support::client::{Answer, Client, Protocol, empty},
};

/// What `target` answers to a client that shows `user:password`, or nothing.
pub(crate) async fn ask(client: &mut Client, target: &str, credentials: &str) -> Answer {
    let mut request = Request::get(target)
        // Neither makes anybody a user.
        .header("MS-ASPNETCORE-IDENTITY", "admin")
        .header("MS-ASPNETCORE-USER", "admin");
    if !credentials.is_empty() {
        let value = format!("Basic {}", STANDARD.encode(credentials));
        request = request.header("authorization", value);
    }
    client.ask(request.body(empty()).unwrap()).await
}

/// What the app knows of Alice.
pub(crate) fn alice() -> Value {
    json!({
        "authenticated": true,
        "name": "alice@TEST",
        "kind": "Basic",
        "roles": ["staff", "admins"],
        "scheme": true,
        "ticket": "alice@TEST",
        "variable": "alice@TEST",
        "authorization": 0,
    })
}

/// What it knows where nobody was authenticated, and whether somebody could have been.
pub(crate) fn nobody(scheme: bool) -> Value {
    json!({
        "authenticated": false,
        "name": null,
        "kind": null,
        "roles": [],
        "scheme": scheme,
        "ticket": null,
        "variable": null,
        "authorization": 0,
    })
}

/// The app's policies, where anonymous users may come in too.
pub(crate) async fn knows_its_users(client: &mut Client) {
    assert_eq!(ask(client, "/user", "").await.json(), nobody(true));
    assert_eq!(ask(client, "/user", "alice:a").await.json(), alice());
    assert_eq!(ask(client, "/automatic", "alice:a").await.json(), alice());
    for (target, credentials, want) in [
        ("/users-only", "", 401),
        ("/users-only", "bob:b", 200),
        ("/users-only", "bob:a", 401),
        ("/admins-only", "", 401),
        ("/admins-only", "bob:b", 403),
        ("/admins-only", "alice:a", 200),
    ] {
        let answer = ask(client, target, credentials).await;
        assert_eq!(answer.status(), want, "{target} {credentials}");
        let challenged = answer.values("www-authenticate");
        assert_eq!(challenged.len(), usize::from(want == 401), "{challenged:?}");
    }
}

#[test]
fn a_user_is_the_apps_and_its_policies_hold() {
    run(async {
        let site = Site::new(Way::Forwarded, |config| config.basic_authentication(true));
        for protocol in [Protocol::Http1, Protocol::Http2] {
            knows_its_users(&mut site.secure(site.ca.trusting(), protocol).await).await;
        }
        // Who comes in cleartext is not asked for a password.
        let mut client = site.client(Way::Forwarded).await;
        let answer = ask(&mut client, "/users-only", "alice:a").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        site.close().await;
    });
}

#[test]
fn nobody_gets_to_an_app_that_lets_only_users_in() {
    run(async {
        let site = Site::new(Way::Forwarded, |config| {
            let config = config.basic_authentication(true);
            config.anonymous_authentication(false)
        });
        let mut client = site.secure(site.ca.trusting(), Protocol::Http1).await;
        for (credentials, want) in [("", 401), ("alice:b", 401), ("alice:a", 200)] {
            let answer = ask(&mut client, "/user", credentials).await;
            assert_eq!(answer.status(), want, "{credentials}");
        }
        site.close().await;
    });
}

/// ANCM: `IISServerOptions.AutomaticAuthentication`. The scheme still knows the user.
#[test]
fn without_automatic_authentication_only_the_scheme_knows_the_user() {
    run(async {
        let site = Site::new(Way::Forwarded, |config| {
            let config = config.basic_authentication(true);
            config.environment("FULL_AUTOMATIC", "false")
        });
        let mut client = site.secure(site.ca.trusting(), Protocol::Http1).await;
        let known = ask(&mut client, "/automatic", "alice:a").await.json();
        assert_eq!(
            (&known["name"], &known["ticket"]),
            (&json!(null), &json!("alice@TEST"))
        );
        // Where the app's own middleware asks the scheme, it has its user.
        let known = ask(&mut client, "/user", "alice:a").await.json();
        assert_eq!(known["name"], "alice@TEST");
        site.close().await;
    });
}

/// ANCM: a scheme is there only where the configuration offers Windows or Basic authentication.
#[test]
fn where_nobody_is_authenticated_there_is_no_scheme() {
    run(async {
        for way in crate::site::BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            assert_eq!(told(&mut client, "/user").await, nobody(false), "{way:?}");
            site.close().await;
        }
    });
}
