use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use tower::{Layer, ServiceExt, service_fn};

use super::{
    Attempts, AuthenticationLayer, Check, CheckPassword, Http11Required,
    negotiate::{Exchange, Mechanism, Refused, Step},
};
use crate::{Connection, Identity, Scheme};

/// Believes `<user>` after as many rounds as it is told, each with the token `more`.
#[derive(Debug)]
struct Rounds(usize);

struct Round(usize);

impl Mechanism for Rounds {
    fn begin(&self) -> Box<dyn Exchange> {
        Box::new(Round(self.0))
    }
}

impl Exchange for Round {
    fn step(&mut self, token: &[u8]) -> Result<Step, Refused> {
        let said = std::str::from_utf8(token).map_err(|_| Refused::new("not a name"))?;
        match said {
            "panic" => panic!("as asked"),
            "more" if self.0 > 0 => {
                self.0 -= 1;
                Ok(Step::Continue(b"go on".to_vec()))
            }
            "more" => Err(Refused::new("there is no more")),
            _ if self.0 > 0 => Err(Refused::new("too early")),
            "late" => {
                let past = SystemTime::now() - Duration::from_secs(1);
                let late = Identity::new("Negotiate", "late").with_expiry(past);
                Ok(Step::Done(late, None))
            }
            user => Ok(Step::Done(
                Identity::new("Negotiate", user).with_realm("R"),
                Some(b"it is us".to_vec()),
            )),
        }
    }
}

struct Alice;

impl CheckPassword for Alice {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a> {
        let right = (user, password) == ("alice", "secret");
        Box::pin(async move { right.then(|| Identity::new("Basic", user)) })
    }
}

fn negotiating(rounds: usize) -> AuthenticationLayer {
    AuthenticationLayer::new()
        .anonymous(false)
        .negotiate(Arc::new(Rounds(rounds)))
}

fn connection(scheme: Scheme) -> Connection {
    Connection::new("192.0.2.7:4711".parse().unwrap()).with_scheme(scheme)
}

/// What the app saw of its user.
type Seen = Arc<Mutex<Vec<(Option<String>, Option<String>, bool)>>>;

const USER: HeaderName = HeaderName::from_static("x-remote-user");

/// Answers with the status that the path names, and notes who asked.
fn app(
    seen: &Seen,
) -> impl FnMut(Request<()>) -> Ready<Result<Response<()>, Infallible>> + Clone + Send + use<> {
    let seen = Arc::clone(seen);
    move |request: Request<()>| {
        let user = request.extensions().get::<Identity>();
        let header = request.headers().get(USER);
        seen.lock().unwrap().push((
            user.map(|user| user.name().to_owned()),
            header.map(|header| header.to_str().unwrap().to_owned()),
            request.headers().contains_key(AUTHORIZATION),
        ));
        let status = request.uri().path().trim_start_matches('/');
        let mut response = Response::new(());
        *response.status_mut() = status.parse().unwrap_or(StatusCode::OK);
        ready(Ok(response))
    }
}

fn request(authorization: Option<String>) -> Request<()> {
    let mut request = Request::get("/").body(()).unwrap();
    if let Some(value) = authorization {
        let value = value.try_into().unwrap();
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    request
}

fn token(text: &str) -> Option<String> {
    Some(format!("Negotiate {}", STANDARD.encode(text)))
}

fn password(text: &str) -> Option<String> {
    Some(format!("Basic {}", STANDARD.encode(text)))
}

/// The answers to `requests` of one connection: status and challenges.
async fn talk(
    layer: &AuthenticationLayer,
    seen: &Seen,
    requests: impl IntoIterator<Item = Request<()>>,
) -> Vec<(u16, Vec<String>)> {
    let service = layer.layer(service_fn(app(seen)));
    let mut answers = Vec::new();
    for request in requests {
        let response = service.clone().oneshot(request).await.unwrap();
        let challenges = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let challenges = challenges.map(|value| value.to_str().unwrap().to_owned());
        answers.push((response.status().as_u16(), challenges.collect()));
    }
    answers
}

fn user(name: &str) -> (Option<String>, Option<String>, bool) {
    (Some(name.to_owned()), None, false)
}

const NOBODY: (Option<String>, Option<String>, bool) = (None, None, false);

#[tokio::test]
async fn everybody_passes_unread_where_nothing_is_offered() {
    let seen = Seen::default();
    let layer = AuthenticationLayer::new().user_header(USER);
    let bearer = request(Some("Bearer abc".to_owned()));
    // Nobody can prove to be a user here, and so nobody is one.
    let mut forged = request(None);
    let claimed = HeaderValue::from_static("alice");
    forged.headers_mut().insert(USER, claimed.clone());
    forged.headers_mut().insert("x_remote_user", claimed);
    let answers = talk(&layer, &seen, [request(None), bearer, forged]).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(*seen.lock().unwrap(), [NOBODY, (None, None, true), NOBODY]);
}

#[tokio::test]
async fn nobody_passes_where_nothing_is_offered_and_anonymous_is_off() {
    let seen = Seen::default();
    let layer = AuthenticationLayer::new().anonymous(false);
    let answers = talk(&layer, &seen, [request(None), request(token("alice"))]).await;
    assert!(
        answers.iter().all(|answer| *answer == (401, vec![])),
        "{answers:?}"
    );
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_token_can_be_enough() {
    let seen = Seen::default();
    let layer = negotiating(0).for_connection(connection(Scheme::Http));
    let answers = talk(
        &layer,
        &seen,
        [request(None), request(token("alice")), request(None)],
    )
    .await;
    let proof = format!("Negotiate {}", STANDARD.encode("it is us"));
    let challenge = vec!["Negotiate".to_owned()];
    assert_eq!(
        answers,
        [
            (401, challenge.clone()),
            (200, vec![proof]),
            (401, challenge)
        ]
    );
    assert_eq!(*seen.lock().unwrap(), [user("alice")]);
}

#[tokio::test]
async fn several_tokens_are_bound_to_their_connection() {
    let seen = Seen::default();
    let layer = negotiating(1);
    let one = layer.for_connection(connection(Scheme::Http));
    let other = layer.for_connection(connection(Scheme::Http));
    let next = format!("Negotiate {}", STANDARD.encode("go on"));
    assert_eq!(
        talk(&one, &seen, [request(token("more"))]).await,
        [(401, vec![next])]
    );
    assert_eq!(talk(&other, &seen, [request(token("bob"))]).await[0].0, 401);
    assert_eq!(talk(&one, &seen, [request(token("alice"))]).await[0].0, 200);
    assert_eq!(
        talk(&one, &seen, [request(token("alice"))]).await[0].0,
        401,
        "it begins anew"
    );
    assert_eq!(*seen.lock().unwrap(), [user("alice")]);
    // Without connections it can't be known what belongs together.
    assert_eq!(
        talk(&layer, &seen, [request(token("more"))]).await[0].0,
        401
    );
}

#[tokio::test(start_paused = true)]
async fn an_exchange_has_a_limit() {
    let seen = Seen::default();
    let layer = negotiating(1).for_connection(connection(Scheme::Http));
    assert_eq!(
        talk(&layer, &seen, [request(token("more"))]).await[0].0,
        401
    );
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(
        talk(&layer, &seen, [request(token("alice"))]).await[0].0,
        401
    );
}

#[tokio::test]
async fn a_kept_user_stays_until_something_else_is_proved() {
    let seen = Seen::default();
    let layer = negotiating(0)
        .keep_user(true)
        .for_connection(connection(Scheme::Http));
    let requests = [
        request(token("alice")),
        request(None),
        request(token("bob")),
        request(None),
        request(token("more")),
        request(None),
    ];
    let answers = talk(&layer, &seen, requests).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.0).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 401, 401]);
    let users = [user("alice"), user("alice"), user("bob"), user("bob")];
    assert_eq!(*seen.lock().unwrap(), users);
}

#[tokio::test]
async fn a_user_is_not_kept_for_a_proxy_or_after_its_end() {
    for (name, value) in [
        ("via", "1.1 p"),
        ("forwarded", "for=_x"),
        ("x-forwarded-for", "::1"),
    ] {
        let seen = Seen::default();
        let layer = negotiating(0)
            .keep_user(true)
            .for_connection(connection(Scheme::Http));
        let proxied = |mut request: Request<()>| {
            let name = HeaderName::from_static(name);
            request.headers_mut().insert(name, value.parse().unwrap());
            request
        };
        let requests = [
            proxied(request(token("alice"))),
            request(None),
            request(token("alice")),
            proxied(request(None)),
        ];
        let answers = talk(&layer, &seen, requests).await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.0).collect();
        assert_eq!(statuses, [200, 401, 200, 401], "{name}");
    }
    let seen = Seen::default();
    let layer = negotiating(0)
        .keep_user(true)
        .for_connection(connection(Scheme::Http));
    let answers = talk(&layer, &seen, [request(token("late")), request(None)]).await;
    assert_eq!((answers[0].0, answers[1].0), (200, 401));
}

#[tokio::test]
async fn the_header_is_the_users_alone() {
    let seen = Seen::default();
    let layer = negotiating(0).anonymous(true).user_header(USER);
    let lies = |mut request: Request<()>| {
        for name in ["x-remote-user", "x_remote_user", "x-remote_user"] {
            request.headers_mut().insert(name, "root".parse().unwrap());
        }
        request
    };
    talk(
        &layer,
        &seen,
        [lies(request(None)), lies(request(token("alice")))],
    )
    .await;
    let alice = (Some("alice".to_owned()), Some("alice@R".to_owned()), false);
    assert_eq!(*seen.lock().unwrap(), [NOBODY, alice]);
}

#[tokio::test]
async fn the_apps_own_401_gets_the_challenges() {
    let seen = Seen::default();
    let layer = negotiating(0)
        .anonymous(true)
        .for_connection(connection(Scheme::Http));
    let ask = |authorization, path: &str| {
        let mut request = request(authorization);
        *request.uri_mut() = path.parse().unwrap();
        request
    };
    let requests = [
        ask(None, "/401"),
        ask(None, "/403"),
        ask(token("alice"), "/401"),
    ];
    let answers = talk(&layer, &seen, requests).await;
    assert_eq!(answers[0], (401, vec!["Negotiate".to_owned()]));
    assert_eq!(answers[1], (403, vec![]));
    // Who has proved who it is need not do so again.
    let proof = format!("Negotiate {}", STANDARD.encode("it is us"));
    assert_eq!(answers[2], (401, vec![proof]));
}

#[tokio::test]
async fn http_2_has_to_come_back() {
    let seen = Seen::default();
    let layer = negotiating(0).for_connection(connection(Scheme::Https));
    for authorization in [None, token("alice")] {
        let mut request = request(authorization);
        *request.version_mut() = Version::HTTP_2;
        let service = layer.layer(service_fn(app(&seen)));
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(response.extensions().get::<Http11Required>().is_some());
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_password_is_asked_for_where_it_can_be_kept_secret() {
    let layer = AuthenticationLayer::new()
        .anonymous(false)
        .basic("a \"shop\"", Arc::new(Alice));
    let challenge = r#"Basic realm="a \"shop\"", charset="UTF-8""#.to_owned();
    let right = || request(password("alice:secret"));
    let https = layer.for_connection(connection(Scheme::Https));
    let seen = Seen::default();
    let answers = talk(
        &https,
        &seen,
        [right(), request(password("alice:wrong")), request(None)],
    )
    .await;
    let refused = (401, vec![challenge.clone()]);
    assert_eq!(answers, [(200, vec![]), refused.clone(), refused]);
    assert_eq!(*seen.lock().unwrap(), [user("alice")]);

    let http = layer.for_connection(connection(Scheme::Http));
    assert_eq!(talk(&http, &seen, [right()]).await, [(401, vec![])]);
    let anyway = layer
        .basic_over_cleartext(true)
        .for_connection(connection(Scheme::Http));
    assert_eq!(talk(&anyway, &seen, [right()]).await[0].0, 200);
}

/// Alice again; counts how often it is asked, and says when somebody may not be a user any more.
#[derive(Default)]
struct Counting {
    asked: AtomicUsize,
    revision: AtomicU64,
}

impl CheckPassword for Counting {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a> {
        self.asked.fetch_add(1, Relaxed);
        Alice.check(user, password)
    }

    fn revision(&self) -> Option<u64> {
        Some(self.revision.load(Relaxed))
    }
}

#[tokio::test]
async fn what_was_checked_is_not_checked_again_until_the_users_change() {
    let users = Arc::new(Counting::default());
    let layer = AuthenticationLayer::new()
        .anonymous(false)
        .basic("shop", users.clone());
    let one = layer.for_connection(connection(Scheme::Https));
    let other = layer.for_connection(connection(Scheme::Https));
    let seen = Seen::default();
    let (right, wrong) = ("alice:secret", "alice:wrong");
    for (layer, text, status, asked) in [
        (&one, right, 200, 1),
        (&one, right, 200, 1),
        (&one, wrong, 401, 2),
        (&one, wrong, 401, 2),
        (&one, right, 200, 2),
        (&other, right, 200, 2),
        (&other, wrong, 401, 2),
    ] {
        let answers = talk(layer, &seen, [request(password(text))]).await;
        assert_eq!(answers[0].0, status, "{text}");
        assert_eq!(users.asked.load(Relaxed), asked, "{text}");
    }
    users.revision.store(1, Relaxed);
    for (text, status, asked) in [(right, 200, 3), (wrong, 401, 4)] {
        let answers = talk(&one, &seen, [request(password(text))]).await;
        assert_eq!(answers[0].0, status, "{text}");
        assert_eq!(users.asked.load(Relaxed), asked, "{text}");
    }
    assert_eq!(seen.lock().unwrap().len(), 5);
}

/// The answer to a password that comes through a proxy.
async fn through_a_proxy(
    layer: &AuthenticationLayer,
    text: &str,
    client: &str,
) -> Response<crate::ResponseBody<()>> {
    let mut request = request(password(text));
    let client = client.parse().unwrap();
    request.headers_mut().insert("x-forwarded-for", client);
    let service = layer
        .for_connection(connection(Scheme::Https))
        .layer(service_fn(app(&Seen::default())));
    service.oneshot(request).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn after_too_many_wrong_passwords_an_address_is_told_when_to_come_again() {
    let layer = AuthenticationLayer::new()
        .anonymous(false)
        .basic("shop", Arc::new(Alice))
        .attempts(Attempts::new().wrong(2).time(Duration::from_secs(61)));
    let trusting = layer
        .clone()
        .trusted_proxies(["192.0.2.0/24".parse().unwrap()]);
    for (number, want) in [(0, 401), (1, 401), (2, 429)] {
        let text = format!("alice:{number}");
        let answer = through_a_proxy(&trusting, &text, "203.0.113.9").await;
        assert_eq!(answer.status(), want, "{number}");
        let challenged = answer.headers().contains_key(WWW_AUTHENTICATE);
        assert_eq!(challenged, want == 401);
        if want == 429 {
            assert_eq!(answer.headers()["retry-after"], "31");
            assert_eq!(answer.headers()["cache-control"], "no-store");
        }
    }
    // The right one comes too late: whoever guesses must not learn of it.
    let late = through_a_proxy(&trusting, "alice:secret", "203.0.113.9").await;
    assert_eq!(late.status(), 429);
    let another = through_a_proxy(&trusting, "alice:secret", "203.0.113.10").await;
    assert_eq!(another.status(), 200);
    // Who does not trust the proxy takes all it sends for its own.
    let layer = layer.basic("shop", Arc::new(Alice));
    for (number, want) in [(0, 401), (1, 401), (2, 429)] {
        let client = format!("203.0.113.{number}");
        let answer = through_a_proxy(&layer, &format!("alice:{number}"), &client).await;
        assert_eq!(answer.status(), want, "{number}");
    }
}

/// Never decides.
struct Never;

impl CheckPassword for Never {
    fn check<'a>(&'a self, _: &'a str, _: &'a str) -> Check<'a> {
        Box::pin(std::future::pending())
    }

    fn at_once(&self) -> usize {
        1
    }
}

#[tokio::test(start_paused = true)]
async fn where_too_many_are_checked_a_client_is_told_to_come_again_soon() {
    let layer = AuthenticationLayer::new()
        .anonymous(false)
        .basic("shop", Arc::new(Never));
    let first = tokio::spawn({
        let layer = layer.clone();
        async move { through_a_proxy(&layer, "alice:x", "203.0.113.9").await }
    });
    tokio::task::yield_now().await;
    let answer = through_a_proxy(&layer, "bob:y", "203.0.113.9").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    first.abort();
}

#[tokio::test]
async fn a_mechanism_that_panics_refuses() {
    let seen = Seen::default();
    let layer = negotiating(0).for_connection(connection(Scheme::Http));
    let answers = talk(
        &layer,
        &seen,
        [request(token("panic")), request(token("alice"))],
    )
    .await;
    assert_eq!((answers[0].0, answers[1].0), (401, 200));
}
