//! The same in front of an ASP.NET Core app that is hosted in process: its server's own features say who the user is.

use serde_json::{Value, json};

use crate::{
    Offer, Site, WINDOWS_ALONE, get, negotiate, realm,
    support::{
        apps::{App, copy_of, hosting_assembly},
        module::Start,
    },
    token, unused_token, write_configuration,
};

/// `ancm` and a worker with the app of `tests/aspnetcore/FullApp`.
fn site(offer: Offer) -> Site {
    let folder = copy_of("full");
    let process = r#"processPath="dotnet" arguments=".\FullApp.dll" hostingModel="inprocess""#;
    write_configuration(folder.path(), process, offer);
    let assembly = hosting_assembly().to_str().unwrap();
    let start = Start::new(App::Stock, "/").variable("ANCM_HOSTING_ASSEMBLY", assembly);
    let site = Site::start(start, folder);
    let log = site.module.log().text();
    assert!(!log.contains("hosted out of process"), "{log}");
    site
}

/// What the app knows of its user: `HttpContext.User`, the scheme's ticket, the server's variable, and no `Authorization`.
fn known(user: Option<&str>) -> Value {
    let name = user.map(|user| format!("{user}@ANCM.TEST"));
    json!({
        "authenticated": name.is_some(),
        "name": name,
        "kind": name.as_ref().map(|_| "Negotiate"),
        "roles": [],
        "scheme": true,
        "ticket": name,
        "variable": name,
        "authorization": 0,
    })
}

fn parsed(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| panic!("not JSON: {body}"))
}

#[test]
fn an_app_in_process_knows_the_principal_of_a_ticket() {
    let site = site(WINDOWS_ALONE);
    for user in ["alice", "bob"] {
        let tickets = realm().log_in(user);
        // The second is where the app's policy lets only users in, the third where it asks for a role that nobody has.
        for (path, status) in [("/user", 200), ("/users-only", 200), ("/admins-only", 403)] {
            let got = negotiate(&tickets, &site.url(path));
            assert_eq!(got.status, status, "{user} {path}: {}", got.heads);
            if status == 200 {
                assert_eq!(got.json(), known(Some(user)), "{path}");
            }
        }
    }
}

#[test]
fn nobody_gets_to_an_app_in_process_without_a_ticket() {
    let site = site(WINDOWS_ALONE);
    let alice = realm().log_in("alice");
    let used = token(&alice, &site.url("/user"));
    let replayed = format!("Authorization: Negotiate {used}");
    let lines: [&[&str]; 4] = [
        &[],
        &["MS-ASPNETCORE-IDENTITY: alice", "MS-ASPNETCORE-USER: alice"],
        &["Authorization: Negotiate Z2FyYmFnZQ=="],
        &[&replayed],
    ];
    for lines in lines {
        let (status, head, body) = site.talk(&[get("/user", lines)]).remove(0);
        assert_eq!(status, 401, "{lines:?}: {body}");
        let challenge = "www-authenticate: negotiate\r\n";
        assert!(head.contains(challenge), "{lines:?}: {head}");
        assert!(!body.contains("alice"), "{body}");
    }
}

#[test]
fn users_of_an_app_in_process_who_share_a_proxys_connection_never_mix() {
    let through = "X-Forwarded-For: 192.0.2.1";
    for (anonymous, keep_user) in [(false, false), (false, true), (true, true)] {
        let site = site(Offer {
            anonymous,
            keep_user,
        });
        let [alice, bob, again] = ["alice", "bob", "alice"].map(unused_token);
        let answers = site.talk(&[
            get("/user", &[through, &alice]),
            get("/user", &[through]),
            get("/user", &[through, &bob]),
            get("/user", &[through]),
            get("/user", &[through, &again]),
        ]);
        let nobody = anonymous.then_some(None);
        let users = [
            Some(Some("alice")),
            nobody,
            Some(Some("bob")),
            nobody,
            Some(Some("alice")),
        ];
        for ((status, _, body), user) in answers.iter().zip(users) {
            match user {
                Some(user) => assert_eq!((*status, parsed(body)), (200, known(user))),
                None => assert_eq!(*status, 401, "{body}"),
            }
        }
    }
}
