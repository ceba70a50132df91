//! The fuzz targets on their seeds, each as it is and damaged: what a stable compiler can do without libFuzzer.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::{fs, path::Path};

/// How many ways each seed is damaged in.
const DAMAGES: u64 = 1000;

fn run(target: fn(&[u8]), name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(name);
    let mut seeds = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let seed = fs::read(entry.unwrap().path()).unwrap();
        target(&seed);
        for n in 0..DAMAGES {
            target(&damaged(&seed, n));
        }
        seeds += 1;
    }
    assert!(
        seeds > 1,
        "{name}: a seed for what is right and one for what is not"
    );
}

/// `seed` with a few bytes changed, put in, taken out or repeated; the same for the same `n`.
fn damaged(seed: &[u8], n: u64) -> Vec<u8> {
    const TELLING: &[u8] = b",;=\"\\%/.:[]\0\n \x7f\xffaA0";
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut roll = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound.max(1) as u64).unwrap()
    };
    let mut bytes = seed.to_vec();
    for _ in 0..=roll(4) {
        let at = roll(bytes.len());
        let byte = TELLING[roll(TELLING.len())];
        match roll(5) {
            0 => bytes.insert(at, byte),
            1 if !bytes.is_empty() => bytes[at] = byte,
            2 if !bytes.is_empty() => bytes[at] ^= 1 << roll(8),
            3 => bytes.truncate(at),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

macro_rules! tests {
    ($($target:ident)+) => { $(
        #[test]
        fn $target() {
            run(targets::$target, stringify!($target));
        }
    )+ };
}

tests! { certificate forwarded heads path_base sealed token web_config x_forwarded }
