#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else it is, it panics"
)]

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    address::{Entered, Limits, Seats, Turn},
    budget::Budget,
    seat::Seat,
    waiting::Waiting,
};
use crate::{error::Error, proxy::dial::Why};

const LIMITS: Limits = Limits {
    connections: 1,
    waiting: 100,
    time: Some(Duration::from_secs(60)),
};

fn budget(limit: usize) -> &'static Budget {
    Box::leak(Box::new(Budget::new(limit)))
}

/// Of one address that no other one troubles.
fn seats() -> Arc<Seats> {
    Seats::of(budget(usize::MAX))
}

#[track_caller]
fn now(entered: Entered) -> Seat {
    match entered {
        Entered::Now(Turn::Seat(seat)) => seat,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn later(entered: Entered) -> Waiting {
    match entered {
        Entered::Later(waiting) => waiting,
        other => panic!("{other:?}"),
    }
}

fn enter(seats: &Arc<Seats>, limits: Limits) -> Entered {
    seats.enter(limits, false, || None)
}

/// Seats, and those that wait.
fn taken(seats: &Seats) -> (usize, usize) {
    let state = seats.lock();
    (state.open, state.live)
}

async fn seat(waiting: Waiting) -> Seat {
    match waiting.turn(LIMITS).await {
        Ok(Turn::Seat(seat)) => seat,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_longest_is_served_first_and_who_left_is_not() {
    let seats = seats();
    let first = now(enter(&seats, LIMITS));
    let [second, third, fourth] = [(); 3].map(|()| later(enter(&seats, LIMITS)));
    drop(third);
    drop(first);
    // Nobody overtakes those that wait.
    let last = later(enter(&seats, LIMITS));
    assert!(seats.try_take(LIMITS).is_none());
    let second = seat(second).await;
    assert!(seats.is_wanted());
    drop(second);
    drop(seat(fourth).await);
    drop(seat(last).await);
    assert!(!seats.is_wanted());
    assert_eq!(taken(&seats), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_one_was_given_who_left_is_the_next_ones() {
    let seats = seats();
    let first = now(enter(&seats, LIMITS));
    let [second, third] = [(); 2].map(|()| later(enter(&seats, LIMITS)));
    drop(first);
    drop(second);
    drop(seat(third).await);
    assert_eq!(seats.lock().open, 0);
}

#[tokio::test(start_paused = true)]
async fn who_could_make_nothing_of_a_turn_is_the_next() {
    let seats = seats();
    let first = now(enter(&seats, LIMITS));
    let second = later(enter(&seats, LIMITS));
    let again = later(seats.enter(LIMITS, true, || None));
    drop(first);
    drop(seat(again).await);
    drop(seat(second).await);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_limited_in_number_and_in_time() {
    let seats = seats();
    let few = Limits {
        waiting: 1,
        time: Some(Duration::from_secs(7)),
        ..LIMITS
    };
    let held = now(enter(&seats, few));
    let waiting = later(enter(&seats, few));
    assert!(matches!(enter(&seats, few), Entered::Full));
    let begun = Instant::now();
    let error = waiting.turn(few).await.unwrap_err();
    assert_eq!(begun.elapsed(), Duration::from_secs(7));
    assert_eq!(error.status(), 503);
    assert!(error.is_transient());
    // Its place is free, and so is the seat in the end.
    let waiting = later(enter(&seats, few));
    drop(held);
    drop(waiting);
    drop(now(enter(&seats, few)));
}

#[tokio::test(start_paused = true)]
async fn those_that_left_do_not_fill_the_queue() {
    let seats = seats();
    let held = now(enter(&seats, LIMITS));
    let stays = later(enter(&seats, LIMITS));
    for _ in 0..10_000 {
        drop(later(enter(&seats, LIMITS)));
    }
    assert!(format!("{seats:?}").contains("waiting: 1"));
    drop(held);
    drop(seat(stays).await);
}

#[tokio::test(start_paused = true)]
async fn only_so_many_connections_are_opened_at_once() {
    let seats = seats();
    let many = Limits {
        connections: 1000,
        ..LIMITS
    };
    let dialling: Vec<_> = (0..64).map(|_| now(enter(&seats, many))).collect();
    let waits = later(enter(&seats, many));
    // One that stands is no obstacle.
    let stands = dialling.into_iter().map(Seat::held);
    let stands: Vec<_> = stands.collect();
    let next = seat(waits).await;
    assert_eq!(seats.lock().tunnels, 64);
    drop((stands, next));
    assert_eq!(taken(&seats), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn where_none_can_be_opened_nobody_waits_in_vain() {
    let seats = seats();
    let why = Why::of(&Error::connect("refused"));
    let dialling = now(enter(&seats, LIMITS));
    let waits = later(enter(&seats, LIMITS));
    seats.despair(&why);
    assert!(matches!(waits.turn(LIMITS).await, Ok(Turn::Failed(_))));
    // One that stands may be free soon.
    let stands = dialling.held();
    let waits = later(enter(&seats, LIMITS));
    seats.despair(&why);
    drop(stands);
    drop(seat(waits).await);
}

#[tokio::test(start_paused = true)]
async fn what_one_address_gives_back_is_for_another_that_waits() {
    let budget = budget(2);
    let (one, other) = (Seats::of(budget), Seats::of(budget));
    let many = Limits {
        connections: 9,
        ..LIMITS
    };
    let held = [(); 2].map(|()| now(enter(&one, many)));
    assert!(!budget.is_short());
    let waits = [(); 2].map(|()| later(enter(&other, many)));
    assert!(budget.is_short() && one.is_wanted_elsewhere());
    drop(held);
    let [first, second] = waits;
    let (first, second) = (seat(first).await, seat(second).await);
    // And back again, though the address that is served next does not want it any more.
    drop(later(enter(&one, many)));
    drop((first, second));
    assert_eq!(budget.open(), 0);
    drop(now(enter(&one, many)));
}

#[tokio::test(start_paused = true)]
async fn less_room_than_was_thought_is_tried_again_after_a_while() {
    let budget = budget(100);
    let seats = Seats::of(budget);
    let many = Limits {
        connections: NonZeroUsize::MAX.get(),
        ..LIMITS
    };
    let mut held: Vec<_> = (0..5).map(|_| now(enter(&seats, many))).collect();
    // No file was left for the last one.
    budget.shrink();
    held.pop();
    assert!(seats.try_take(many).is_none());
    sleep(Duration::from_secs(1)).await;
    let tried = seats.try_take(many);
    assert!(tried.is_some());
    assert!(seats.try_take(many).is_none(), "one at a time");
    budget.grow();
    assert!(seats.try_take(many).is_some(), "it went well");
}

/// Many threads, each of which takes what it gets and gives it back, with some that leave meanwhile.
#[test]
fn nobody_is_forgotten() {
    let budget = budget(5);
    let addresses = [Seats::of(budget), Seats::of(budget)];
    let threads: Vec<_> = (0..4)
        .map(|number: usize| {
            let addresses = addresses.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                let local = tokio::task::LocalSet::new();
                for one in 0..50 {
                    let seats = Arc::clone(&addresses[(number + one) % 2]);
                    local.spawn_local(async move {
                        for turn in 0..100 {
                            let limits = Limits {
                                connections: 3,
                                ..LIMITS
                            };
                            let entered = enter(&seats, limits);
                            tokio::task::yield_now().await;
                            let seat = match entered {
                                Entered::Now(Turn::Seat(seat)) => seat,
                                Entered::Later(_) if turn % 7 == 3 => continue,
                                Entered::Later(waiting) => seat(waiting).await,
                                other => panic!("{other:?}"),
                            };
                            tokio::task::yield_now().await;
                            drop(seat);
                        }
                    });
                }
                runtime.block_on(local);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(budget.open(), 0);
    for seats in &addresses {
        assert_eq!(taken(seats), (0, 0));
    }
}
