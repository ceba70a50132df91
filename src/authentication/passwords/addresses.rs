//! How many wrong passwords came from where. No clock.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{Client, Outcome, memory::Seal};
use crate::config::Attempts;

/// How many addresses are kept, of those from which something wrong came lately: about 8 MiB in all. Of more, those
/// that are the nearest to be forgotten are.
const MOST: usize = 8192;
/// How many of the last wrong ones are known again.
const KNOWN_WRONG: usize = 16;

/// By what an attempt is known again: the users' revision, and what was tried.
pub(super) type Tried = (u64, Seal);

#[derive(Default)]
pub(super) struct Addresses {
    clients: HashMap<Client, Tries>,
}

/// What came from one address.
struct Tries {
    /// When all that was wrong is forgotten: each wrong one adds its part of the time, which passes.
    forgotten: Instant,
    under_way: Vec<Option<Tried>>,
    wrong: VecDeque<Tried>,
    /// Told of each end.
    over: Arc<Notify>,
}

/// What an attempt is to do.
pub(super) enum Turn {
    /// It is under way; its end has to be told.
    Now,
    /// As it was before.
    KnownWrong,
    /// Until something of the address is over, and then to ask again.
    Wait(Arc<Notify>),
    /// Too many were wrong. After this time one more may be tried.
    Later(Duration),
}

impl Addresses {
    /// An attempt begins, or is told why not.
    pub(super) fn begin(
        &mut self,
        client: Client,
        tried: Option<Tried>,
        limits: &Attempts,
        now: Instant,
    ) -> Turn {
        let Some((most, part)) = parts(limits) else {
            return Turn::Now;
        };
        self.make_room(client, now);
        let tries = self.clients.entry(client).or_insert_with(|| Tries {
            forgotten: now,
            under_way: Vec::new(),
            wrong: VecDeque::new(),
            over: Arc::default(),
        });
        if tried.is_some_and(|tried| tries.wrong.contains(&tried)) {
            return Turn::KnownWrong;
        }
        // Until when all would be forgotten if everything under way, and this one, were wrong.
        let full = part * most;
        let left = tries.forgotten.saturating_duration_since(now).min(full);
        // The limits may have been other ones, and far longer.
        tries.forgotten = now + left;
        if left + part > full {
            return Turn::Later(left + part - full);
        }
        let under_way = u32::try_from(tries.under_way.len()).unwrap_or(u32::MAX);
        let same = tried.is_some() && tries.under_way.contains(&tried);
        if same || left + part.saturating_mul(under_way.saturating_add(1)) > full {
            return Turn::Wait(Arc::clone(&tries.over));
        }
        tries.under_way.push(tried);
        Turn::Now
    }

    /// What began is over.
    pub(super) fn end(
        &mut self,
        client: Client,
        tried: Option<Tried>,
        outcome: Outcome,
        limits: &Attempts,
        now: Instant,
    ) {
        let Some(tries) = self.clients.get_mut(&client) else {
            return;
        };
        if let Some(at) = tries.under_way.iter().position(|one| *one == tried) {
            tries.under_way.swap_remove(at);
        }
        if tries.under_way.is_empty() {
            // What many at once took is not kept.
            tries.under_way = Vec::new();
        }
        if let (Outcome::Wrong, Some((_, part))) = (outcome, parts(limits)) {
            tries.forgotten = tries.forgotten.max(now) + part;
            tries.know(tried);
        }
        tries.over.notify_waiters();
        if tries.is_nothing(now) {
            self.clients.remove(&client);
        }
    }

    /// Forgets some, where there are too many and `client` would be another one.
    fn make_room(&mut self, client: Client, now: Instant) {
        if self.clients.len() < MOST || self.clients.contains_key(&client) {
            return;
        }
        self.clients.retain(|_, tries| !tries.is_nothing(now));
        let may_go = |tries: &Tries| tries.under_way.is_empty();
        if self.clients.len() < MOST || !self.clients.values().any(may_go) {
            return;
        }
        let mut ends: Vec<_> = self.clients.values().map(|one| one.forgotten).collect();
        let (_, quarter, _) = ends.select_nth_unstable(MOST / 4);
        let quarter = *quarter;
        // Whose attempts are under way stay: of these there are as many as requests.
        let stays = |tries: &Tries| tries.forgotten > quarter || !may_go(tries);
        self.clients.retain(|_, tries| stays(tries));
    }
}

impl Tries {
    fn is_nothing(&self, now: Instant) -> bool {
        self.under_way.is_empty() && self.forgotten <= now
    }

    fn know(&mut self, tried: Option<Tried>) {
        let Some(tried) = tried else {
            return;
        };
        // Of users that have changed nothing is known.
        self.wrong.retain(|(revision, _)| *revision == tried.0);
        if self.wrong.len() >= KNOWN_WRONG {
            self.wrong.pop_front();
        }
        self.wrong.push_back(tried);
    }
}

/// How many may be wrong, and in what time one of them is forgotten.
fn parts(limits: &Attempts) -> Option<(u32, Duration)> {
    let (wrong, time) = limits.wrong_in_time()?;
    Some((wrong, time / wrong))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(number: u32) -> Client {
        Client::Address(Ipv4Addr::from_bits(number).into())
    }

    fn tried(number: u32) -> Option<Tried> {
        let mut seal = [0; 32];
        seal[..4].copy_from_slice(&number.to_le_bytes());
        Some((1, seal))
    }

    fn limits() -> Attempts {
        Attempts::new().wrong(3).time(Duration::from_secs(30))
    }

    fn fail(addresses: &mut Addresses, from: u32, what: u32, now: Instant) {
        let turn = addresses.begin(client(from), tried(what), &limits(), now);
        assert!(matches!(turn, Turn::Now), "{what}");
        let wrong = Outcome::Wrong;
        addresses.end(client(from), tried(what), wrong, &limits(), now);
    }

    fn turn(addresses: &mut Addresses, what: u32, now: Instant) -> Turn {
        addresses.begin(client(1), tried(what), &limits(), now)
    }

    #[test]
    fn after_so_many_wrong_ones_there_is_one_more_in_each_part_of_the_time() {
        let (mut addresses, begun) = (Addresses::default(), Instant::now());
        let at = |seconds| begun + Duration::from_secs(seconds);
        for what in 0..3 {
            fail(&mut addresses, 1, what, begun);
        }
        for (now, wait) in [(0, 10), (1, 9), (9, 1)] {
            match turn(&mut addresses, 7, at(now)) {
                Turn::Later(time) => assert_eq!(time, Duration::from_secs(wait)),
                Turn::Now | Turn::Wait(_) | Turn::KnownWrong => panic!("at {now}"),
            }
        }
        fail(&mut addresses, 1, 8, at(10));
        assert!(matches!(turn(&mut addresses, 9, at(19)), Turn::Later(_)));
        fail(&mut addresses, 2, 9, at(19));
        // And all of them again, when nothing came for the whole time.
        for what in 10..13 {
            fail(&mut addresses, 1, what, at(40));
        }
        assert!(matches!(turn(&mut addresses, 20, at(40)), Turn::Later(_)));
    }

    #[test]
    fn many_at_once_are_no_way_around_it() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        for what in 0..3 {
            assert!(matches!(turn(&mut addresses, what, now), Turn::Now));
        }
        assert!(matches!(turn(&mut addresses, 3, now), Turn::Wait(_)));
        addresses.end(client(1), tried(0), Outcome::Right, &limits(), now);
        assert!(matches!(turn(&mut addresses, 3, now), Turn::Now));
        addresses.end(client(1), tried(1), Outcome::Left, &limits(), now);
        assert!(matches!(turn(&mut addresses, 4, now), Turn::Now));
        for what in 2..5 {
            addresses.end(client(1), tried(what), Outcome::Wrong, &limits(), now);
        }
        assert!(matches!(turn(&mut addresses, 6, now), Turn::Later(_)));
    }

    #[test]
    fn the_same_one_is_tried_once() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        assert!(matches!(turn(&mut addresses, 1, now), Turn::Now));
        assert!(matches!(turn(&mut addresses, 1, now), Turn::Wait(_)));
        addresses.end(client(1), tried(1), Outcome::Wrong, &limits(), now);
        for _ in 0..100 {
            assert!(matches!(turn(&mut addresses, 1, now), Turn::KnownWrong));
        }
        fail(&mut addresses, 1, 2, now);
        // The users may be others by then.
        let other = tried(1).map(|(_, seal)| (2, seal));
        let again = addresses.begin(client(1), other, &limits(), now);
        assert!(matches!(again, Turn::Now));
    }

    #[test]
    fn without_a_limit_nothing_is_kept() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        let unlimited = Attempts::new().wrong(0);
        for _ in 0..100 {
            let turn = addresses.begin(client(1), tried(1), &unlimited, now);
            assert!(matches!(turn, Turn::Now));
            addresses.end(client(1), tried(1), Outcome::Wrong, &unlimited, now);
        }
        assert!(addresses.clients.is_empty());
    }

    #[test]
    fn who_is_right_leaves_nothing_behind() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        for outcome in [Outcome::Right, Outcome::Left] {
            assert!(matches!(turn(&mut addresses, 1, now), Turn::Now));
            addresses.end(client(1), tried(1), outcome, &limits(), now);
            assert!(addresses.clients.is_empty());
        }
    }

    #[test]
    fn however_many_addresses_there_are_so_many_are_kept() {
        let (mut addresses, begun) = (Addresses::default(), Instant::now());
        let most = u32::try_from(MOST).unwrap();
        // The first one has its limit, and tries on.
        for what in 0..3 {
            fail(&mut addresses, 1, what, begun);
        }
        for number in 2..most * 3 {
            fail(&mut addresses, number, 0, begun);
            assert!(addresses.clients.len() <= MOST);
        }
        assert!(matches!(turn(&mut addresses, 9, begun), Turn::Later(_)));
        let known: usize = addresses.clients.values().map(|one| one.wrong.len()).sum();
        assert!(known <= MOST * KNOWN_WRONG);
        // What is forgotten goes first.
        let later = begun + Duration::from_secs(60);
        fail(&mut addresses, most * 4, 0, later);
        assert!(addresses.clients.len() <= MOST);
    }

    #[test]
    fn other_limits_hold_for_what_was_wrong_before() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        let day = Attempts::new().wrong(3).time(Duration::from_secs(86_400));
        for what in 0..3 {
            let _ = addresses.begin(client(1), tried(what), &day, now);
            addresses.end(client(1), tried(what), Outcome::Wrong, &day, now);
        }
        match turn(&mut addresses, 7, now) {
            Turn::Later(time) => assert_eq!(time, Duration::from_secs(10)),
            Turn::Now | Turn::Wait(_) | Turn::KnownWrong => panic!("none is left"),
        }
        fail(&mut addresses, 1, 8, now + Duration::from_secs(10));
    }

    #[test]
    fn whose_attempts_are_under_way_stay() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        let most = u32::try_from(MOST).unwrap();
        for number in 0..most + 10 {
            let turn = addresses.begin(client(number), tried(1), &limits(), now);
            assert!(matches!(turn, Turn::Now));
        }
        assert_eq!(addresses.clients.len(), MOST + 10);
        for number in 0..most + 10 {
            addresses.end(client(number), tried(1), Outcome::Left, &limits(), now);
        }
        assert!(addresses.clients.is_empty());
    }

    #[test]
    fn so_many_wrong_ones_of_an_address_are_known() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        let many = limits().wrong(1000);
        for what in 0..100 {
            let _ = addresses.begin(client(1), tried(what), &many, now);
            addresses.end(client(1), tried(what), Outcome::Wrong, &many, now);
        }
        assert_eq!(addresses.clients[&client(1)].wrong.len(), KNOWN_WRONG);
    }
}
