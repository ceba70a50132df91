use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use http::HeaderMap;

use super::*;
use crate::{authentication::Check, proxy::Ranges};

/// Everybody whose password is their name; a check waits until it is let go on.
struct Slow {
    asked: AtomicUsize,
    at_once: usize,
    most: AtomicUsize,
    under_way: AtomicUsize,
    revision: AtomicU64,
    go: Semaphore,
}

impl CheckPassword for Slow {
    fn check<'a>(&'a self, user: &'a str, password: &'a str) -> Check<'a> {
        Box::pin(async move {
            self.asked.fetch_add(1, Relaxed);
            let under_way = self.under_way.fetch_add(1, Relaxed) + 1;
            self.most.fetch_max(under_way, Relaxed);
            self.go.acquire().await.unwrap().forget();
            self.under_way.fetch_sub(1, Relaxed);
            (user == password).then(|| Identity::new("Basic", user))
        })
    }

    fn revision(&self) -> Option<u64> {
        Some(self.revision.load(Relaxed))
    }

    fn at_once(&self) -> usize {
        self.at_once
    }
}

/// Who lets `go` many checks end.
fn passwords(at_once: usize, go: usize) -> (Arc<Slow>, Arc<Passwords>) {
    let users = Arc::new(Slow {
        asked: AtomicUsize::new(0),
        at_once,
        most: AtomicUsize::new(0),
        under_way: AtomicUsize::new(0),
        revision: AtomicU64::new(1),
        go: Semaphore::new(go),
    });
    let passwords = Passwords::new(Arc::clone(&users) as _);
    (users, Arc::new(passwords))
}

fn client(address: &str) -> Client {
    let address: IpAddr = address.parse().unwrap();
    Client::of(Some(address), &HeaderMap::new(), &Ranges::default())
}

fn limits() -> Attempts {
    Attempts::new().wrong(3).time(Duration::from_secs(30))
}

/// What comes of it, in a task of its own.
fn ask(
    passwords: &Arc<Passwords>,
    address: &str,
    user: &str,
    password: &str,
) -> tokio::task::JoinHandle<Result<Identity, Refusal>> {
    let (passwords, client) = (Arc::clone(passwords), client(address));
    let (user, password) = (user.to_owned(), password.to_owned());
    tokio::spawn(async move {
        let limits = limits();
        passwords.prove(&limits, client, user, password).await
    })
}

/// Lets everything happen that needs no time.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

const WRONG: Refusal = Refusal::Wrong { known: false };
const STILL_WRONG: Refusal = Refusal::Wrong { known: true };

#[tokio::test(start_paused = true)]
async fn many_wrong_passwords_at_once_are_few_checks_and_stop_nobody_else() {
    let (users, passwords) = passwords(2, 1000);
    let wrong: Vec<_> = (0..500)
        .map(|number| ask(&passwords, "192.0.2.7", "alice", &number.to_string()))
        .collect();
    let alice = ask(&passwords, "198.51.100.1", "alice", "alice").await;
    assert_eq!(alice.unwrap().unwrap().name(), "alice");
    let mut refused = [0, 0];
    for answer in wrong {
        match answer.await.unwrap().unwrap_err() {
            Refusal::Wrong { known: false } => refused[0] += 1,
            Refusal::TooMany(time) => {
                assert_eq!(time, Duration::from_secs(10));
                refused[1] += 1;
            }
            other @ (Refusal::Wrong { known: true } | Refusal::Busy) => panic!("{other:?}"),
        }
    }
    assert_eq!(refused, [3, 497]);
    assert_eq!(users.asked.load(Relaxed), 4);
    assert!(users.most.load(Relaxed) <= 2);
    // She has been in, and comes in from where that was. From here nobody does before it is time: who is told that
    // her password is right could guess it.
    let alice = |address| ask(&passwords, address, "alice", "alice");
    assert!(alice("198.51.100.1").await.unwrap().is_ok());
    let later = Err(Refusal::TooMany(Duration::from_secs(10)));
    assert_eq!(alice("192.0.2.7").await.unwrap(), later);
    let bob = ask(&passwords, "192.0.2.7", "bob", "bob").await.unwrap();
    assert_eq!(bob, later);
    tokio::time::advance(Duration::from_secs(10)).await;
    let bob = ask(&passwords, "192.0.2.7", "bob", "bob").await.unwrap();
    assert!(bob.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_page_with_many_parts_is_one_check() {
    let (users, passwords) = passwords(8, 0);
    for (password, want) in [("alice", None), ("wrong", Some(STILL_WRONG))] {
        let before = users.asked.load(Relaxed);
        let asked: Vec<_> = (0..20)
            .map(|_| ask(&passwords, "192.0.2.7", "alice", password))
            .collect();
        settle().await;
        users.go.add_permits(1);
        let mut first = 0;
        for answer in asked {
            match answer.await.unwrap() {
                Err(refusal) if refusal == WRONG => first += 1,
                answer => assert_eq!(answer.err(), want),
            }
        }
        assert_eq!(first, usize::from(want.is_some()));
        assert_eq!(users.asked.load(Relaxed), before + 1, "{password}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_a_turn_is_told_to_come_again() {
    let (users, passwords) = passwords(1, 0);
    let first = ask(&passwords, "192.0.2.7", "alice", "alice");
    settle().await;
    let second = ask(&passwords, "198.51.100.1", "bob", "bob");
    // The clock goes on by itself: nothing else can happen.
    assert_eq!(second.await.unwrap(), Err(Refusal::Busy));
    users.go.add_permits(2);
    assert!(first.await.unwrap().is_ok());
    // That it was turned away is held against nobody.
    for _ in 0..5 {
        let bob = ask(&passwords, "198.51.100.1", "bob", "bob").await.unwrap();
        assert!(bob.is_ok());
    }
    assert_eq!(users.asked.load(Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn who_was_in_from_an_address_that_is_locked_now_still_is() {
    let (users, passwords) = passwords(1, 100);
    let alice = || ask(&passwords, "192.0.2.7", "alice", "alice");
    assert!(alice().await.unwrap().is_ok());
    for number in 0..4 {
        let guess = ask(&passwords, "192.0.2.7", "bob", &number.to_string());
        assert!(guess.await.unwrap().is_err());
    }
    assert_eq!(users.asked.load(Relaxed), 4, "the last one is not checked");
    assert!(alice().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_right_password_whose_client_hangs_up_is_right_and_costs_one_check() {
    let (users, passwords) = passwords(1, 0);
    let alice = || ask(&passwords, "192.0.2.7", "alice", "alice");
    let gone = alice();
    settle().await;
    gone.abort();
    assert!(gone.await.is_err());
    // It comes again before the check is over, and after.
    let again = alice();
    settle().await;
    users.go.add_permits(1);
    assert!(again.await.unwrap().is_ok());
    assert!(alice().await.unwrap().is_ok());
    assert_eq!(users.asked.load(Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn checks_that_nobody_waits_for_are_no_more_at_once() {
    let (users, passwords) = passwords(2, 0);
    for number in 0..10 {
        let from = format!("192.0.2.{number}");
        let gone = ask(&passwords, &from, "alice", "x");
        settle().await;
        gone.abort();
        assert!(gone.await.is_err());
    }
    assert_eq!(users.asked.load(Relaxed), 2);
    users.go.add_permits(10);
    settle().await;
    assert_eq!(users.asked.load(Relaxed), 2, "the others left before");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_does_not_end_is_given_up_and_counts_for_nothing() {
    let (users, passwords) = passwords(1, 0);
    let alice = || ask(&passwords, "192.0.2.7", "alice", "alice");
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(alice().await.unwrap(), Err(Refusal::Busy));
        assert_eq!(begun.elapsed(), CHECK);
    }
    users.go.add_permits(1);
    assert!(alice().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_has_used_its_attempt_if_its_check_began() {
    let (users, passwords) = passwords(3, 0);
    for number in 0..3 {
        let asked = ask(&passwords, "192.0.2.7", "alice", &number.to_string());
        settle().await;
        asked.abort();
        assert!(asked.await.is_err());
    }
    assert_eq!(users.asked.load(Relaxed), 3);
    users.go.add_permits(3);
    settle().await;
    let next = ask(&passwords, "192.0.2.7", "alice", "x").await.unwrap();
    assert_eq!(next, Err(Refusal::TooMany(Duration::from_secs(10))));
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_before_its_check_has_used_nothing() {
    let (users, passwords) = passwords(1, 0);
    let first = ask(&passwords, "198.51.100.1", "alice", "x");
    settle().await;
    for number in 0..3 {
        let asked = ask(&passwords, "198.51.100.2", "bob", &number.to_string());
        settle().await;
        asked.abort();
        assert!(asked.await.is_err());
    }
    users.go.add_permits(2);
    assert_eq!(first.await.unwrap(), Err(WRONG));
    let bob = ask(&passwords, "198.51.100.2", "bob", "bob").await.unwrap();
    assert!(bob.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_was_right_is_remembered_for_its_time_and_until_the_users_change() {
    let (users, passwords) = passwords(1, 100);
    let alice = || ask(&passwords, "192.0.2.7", "alice", "alice");
    for _ in 0..3 {
        assert!(alice().await.unwrap().is_ok());
    }
    assert_eq!(users.asked.load(Relaxed), 1);
    tokio::time::advance(Duration::from_secs(600)).await;
    assert!(alice().await.unwrap().is_ok());
    assert_eq!(users.asked.load(Relaxed), 2, "its time was over");
    users.revision.store(2, Relaxed);
    assert!(alice().await.unwrap().is_ok());
    assert_eq!(users.asked.load(Relaxed), 3, "the users changed");
}

#[tokio::test(start_paused = true)]
async fn an_old_password_shuts_nobody_out() {
    let (users, passwords) = passwords(1, 100);
    let mut answers = Vec::new();
    for _ in 0..50 {
        let old = ask(&passwords, "192.0.2.7", "alice", "old");
        answers.push(old.await.unwrap().unwrap_err());
    }
    assert_eq!(answers[0], WRONG);
    assert!(answers[1..].iter().all(|answer| *answer == STILL_WRONG));
    assert_eq!(users.asked.load(Relaxed), 1);
    let bob = ask(&passwords, "192.0.2.7", "bob", "bob").await.unwrap();
    assert!(bob.is_ok());
    // It may be the right one by now.
    users.revision.store(2, Relaxed);
    let again = ask(&passwords, "192.0.2.7", "alice", "old").await.unwrap();
    assert_eq!(again, Err(WRONG));
}

#[tokio::test]
async fn neither_a_password_nor_what_it_is_known_by_is_shown() {
    let (_, passwords) = passwords(1, 1);
    let said = format!("{passwords:?}");
    assert_eq!(said, "Passwords { .. }");
}
