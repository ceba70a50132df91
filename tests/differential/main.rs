//! The app half beside ASP.NET Core's own: the same requests to a stock app on Kestrel and to its twin on axum, both
//! started with the variables that the module sets. What they report of each request agrees, or is one of
//! [`DIFFERENCES`](differences::DIFFERENCES).
//!
//! The requests come from a seed, so that a failure comes out the same again:
//!
//! - `ANCM_DIFFERENTIAL_REQUESTS`: how many, 12 000 where it is not set;
//! - `ANCM_DIFFERENTIAL_SEED`: other ones;
//! - `ANCM_DIFFERENTIAL_STOCK`: the ports of stock apps that run already, one of each place and separated by commas, because
//!   this system has no .NET.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod cases;
mod dice;
mod differences;
mod hosted;
#[cfg(unix)]
mod inherited;
mod report;
#[path = "../support/mod.rs"]
mod support;
mod wire;

use std::{collections::BTreeSet, env, thread};

use crate::{
    cases::{Case, PLACES, Place},
    dice::Dice,
    differences::DIFFERENCES,
    hosted::Hosted,
    report::Report,
    support::apps::App,
    wire::Wire,
};

/// How many disagreements are shown of each place; the first says most.
const SHOWN: usize = 12;

/// Of one place: which differences were met, and what nobody expected.
#[derive(Debug, Default)]
struct Findings {
    met: BTreeSet<&'static str>,
    unexpected: Vec<String>,
}

#[test]
#[cfg_attr(
    windows,
    ignore = "needs stock apps on a system that has .NET, see ANCM_DIFFERENTIAL_STOCK; .ci/windows runs it"
)]
fn the_twin_tells_what_the_stock_app_tells() {
    let requests = number("ANCM_DIFFERENTIAL_REQUESTS").unwrap_or(12_000);
    let seed = number("ANCM_DIFFERENTIAL_SEED").unwrap_or(20_261_122);
    let share = usize::try_from(requests).unwrap() / PLACES.len();
    let all: Vec<Findings> = thread::scope(|scope| {
        let threads: Vec<_> = (0_u64..)
            .zip(&PLACES)
            .map(|(n, place)| scope.spawn(move || compare(place, seed.wrapping_add(n), share)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let unexpected: Vec<_> = all
        .iter()
        .flat_map(|found| &found.unexpected)
        .cloned()
        .collect();
    assert!(
        unexpected.is_empty(),
        "seed {seed}: {} disagreements, such as\n{}",
        unexpected.len(),
        unexpected
            .iter()
            .take(SHOWN * 3)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n")
    );
    // A difference that no request shows is none, or the requests have become too tame.
    for difference in DIFFERENCES {
        let met = all.iter().any(|found| found.met.contains(difference.name));
        assert!(met, "never met: {}", difference.name);
    }
}

/// Who reads the document reads the table too.
#[test]
fn every_difference_stands_in_the_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/parity.md");
    let document = std::fs::read_to_string(path).unwrap();
    for difference in DIFFERENCES {
        let row = format!("| {} | {} |", difference.name, difference.reason);
        assert!(document.contains(&row), "docs/parity.md lacks: {row}");
    }
}

/// Sends `count` requests to both apps at `place`.
fn compare(place: &'static Place, seed: u64, count: usize) -> Findings {
    let stock = Hosted::start(App::Stock, place);
    let twin = Hosted::start(App::Twin, place);
    let (mut to_stock, mut to_twin) = (Wire::to(stock.address), Wire::to(twin.address));
    let mut dice = Dice::new(seed);
    let mut findings = Findings::default();
    for _ in 0..count {
        let case = Case::roll(&mut dice, place);
        let request = case.wire();
        let is_head = case.method == "HEAD";
        let theirs = report::of(&to_stock.ask(&request, is_head), false);
        let ours = report::of(&to_twin.ask(&request, is_head), true);
        findings.add(&case, &theirs, &ours);
    }
    findings
}

impl Findings {
    fn add(&mut self, case: &Case, theirs: &Report, ours: &Report) {
        let status_differs = theirs.get("status") != ours.get("status");
        let names: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
        let mut unexpected = String::new();
        for name in names {
            // Of an answer that is another altogether, the rest says nothing.
            if theirs.get(name) == ours.get(name) || status_differs && name != "status" {
                continue;
            }
            let known = DIFFERENCES
                .iter()
                .find(|known| known.fields.contains(&name.as_str()) && (known.when)(case));
            match known {
                Some(known) => drop(self.met.insert(known.name)),
                None => {
                    let (theirs, ours) = (theirs.get(name), ours.get(name));
                    unexpected.push_str(&format!("{name}: theirs {theirs:?}, ours {ours:?}\n"));
                }
            }
        }
        if !unexpected.is_empty() {
            let request = case.wire();
            self.unexpected.push(format!(
                "{unexpected}{}\n",
                String::from_utf8_lossy(&request)
            ));
        }
    }
}

/// The number that a variable says, if it is set.
fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}
