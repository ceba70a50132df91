//! Which of several gets the next request. Pure.

use std::cell::Cell;

/// The place of one of `count` with little `load`: the better of two random ones.
///
/// Asks for two loads at most, however many there are.
pub(super) fn choose(count: usize, random: u64, load: impl Fn(usize) -> usize) -> Option<usize> {
    let first = below(random, count)?;
    // Another one, each as likely as every other.
    let Some(step) = below(random.rotate_left(32), count - 1) else {
        return Some(first);
    };
    let second = (first + 1 + step) % count;
    let better = load(second) < load(first);
    Some(if better { second } else { first })
}

/// A number below `count`, as even as makes no difference; `None` where there is none.
fn below(random: u64, count: usize) -> Option<usize> {
    let high = random >> 32;
    (count > 0).then(|| (high.wrapping_mul(count as u64) >> 32) as usize % count)
}

/// A number that is good enough for this, at the cost of a few instructions (xorshift64*, Vigna 2016).
pub(super) fn random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(getrandom::u64().unwrap_or(1).max(1));
    }
    STATE.with(|state| {
        let mut next = state.get();
        next ^= next >> 12;
        next ^= next << 25;
        next ^= next >> 27;
        state.set(next);
        next.wrapping_mul(0x2545_F491_4F6C_DD1D)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_the_one_with_fewer_requests_is_taken() {
        for _ in 0..1000 {
            assert_eq!(choose(2, random(), |place| [3, 2][place]), Some(1));
            assert_eq!(choose(2, random(), |place| [0, 1][place]), Some(0));
        }
        assert_eq!(choose(1, random(), |_| panic!("nobody else")), Some(0));
        assert_eq!(choose(0, random(), |_| 0), None);
    }

    #[test]
    fn what_it_costs_does_not_grow_with_how_many_there_are() {
        for count in [2, 3, 10, 1000, 100_000] {
            let asked = Cell::new(0);
            for _ in 0..100 {
                choose(count, random(), |_| {
                    asked.set(asked.get() + 1);
                    0
                });
            }
            assert_eq!(asked.get(), 200, "{count}");
        }
    }

    #[test]
    fn every_one_gets_its_share() {
        // Without any load that tells them apart, and with the load that was given so far.
        let count = 7;
        let mut even = vec![0; count];
        let mut loads = vec![0; count];
        for _ in 0..7000 {
            even[choose(count, random(), |_| 0).unwrap()] += 1;
            let chosen = choose(count, random(), |place| loads[place]).unwrap();
            loads[chosen] += 1;
        }
        assert!(
            even.iter().all(|share| (800..1200).contains(share)),
            "{even:?}"
        );
        let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
        assert!(most - least < 20, "{loads:?}");
    }

    #[test]
    fn the_busiest_gets_nothing() {
        let loads = [0, 0, 0, 9];
        for _ in 0..1000 {
            assert_ne!(choose(4, random(), |place| loads[place]), Some(3));
        }
    }
}
