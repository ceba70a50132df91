//! Keeps `docs/parity.md` true: what it names exists, and every marked difference stands in it. And `docs/life-of-a-request.md`:
//! its files exist, and so do its lines of the log.

#![allow(clippy::unwrap_used, reason = "a test that can't go on panics")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const DOCUMENT: &str = "docs/parity.md";
/// It names files as `src/` sees them.
const LIFE: &str = "docs/life-of-a-request.md";
/// The mark of a deliberate difference in the code.
const MARK: &str = "Differs from ANCM";
/// The part of the document that may name tests that are ignored for now.
const NOT_YET: &str = "## Not yet";

#[test]
fn every_file_that_is_named_exists() {
    let missing: Vec<_> = words(&document())
        .into_iter()
        .filter(|word| is_path(word) && !root().join(word).exists())
        .collect();
    assert!(missing.is_empty(), "{DOCUMENT} names {missing:?}");
}

#[test]
fn every_test_that_is_named_exists_and_runs() {
    let tests = tests();
    let document = document();
    let (there, not_yet) = document.split_once(NOT_YET).unwrap();
    let wrong: Vec<_> = words(there)
        .into_iter()
        .filter(|word| is_name(word) && tests.get(word) != Some(&Runs::Always))
        .chain(
            words(not_yet)
                .into_iter()
                .filter(|word| is_name(word) && !tests.contains_key(word)),
        )
        .collect();
    assert!(
        wrong.is_empty(),
        "{DOCUMENT} names {wrong:?}, which is no test, or one that is ignored"
    );
}

#[test]
fn every_file_with_a_difference_is_named() {
    let named = words(&document());
    let forgotten: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| path.starts_with("src/") && text.contains(MARK))
        .map(|(path, _)| path)
        .filter(|path| !named.contains(path))
        .collect();
    assert!(forgotten.is_empty(), "{DOCUMENT} lacks {forgotten:?}");
}

#[test]
fn every_file_of_a_request_s_life_exists() {
    let text = fs::read_to_string(root().join(LIFE)).unwrap();
    let missing: Vec<_> = words(&text)
        .into_iter()
        .filter(|word| word.ends_with(".rs") || word.ends_with('/'))
        .filter(|word| word.len() > 1 && !root().join("src").join(word).exists())
        .collect();
    assert!(missing.is_empty(), "{LIFE} names {missing:?}");
}

#[test]
fn every_line_of_the_log_of_a_request_s_life_is_written() {
    let text = fs::read_to_string(root().join(LIFE)).unwrap();
    let sources = sources();
    let written = |message: &str| {
        let literal = format!("\"{message}");
        let mut code = sources.iter().filter(|(path, _)| path.starts_with("src/"));
        code.any(|(_, text)| text.contains(&literal))
    };
    let messages: BTreeSet<_> = words(&text)
        .into_iter()
        .filter_map(|word| message(&word).map(str::to_owned))
        .collect();
    assert!(messages.len() > 20, "{messages:?}");
    let never: Vec<_> = messages
        .iter()
        .filter(|message| !written(message))
        .collect();
    assert!(never.is_empty(), "{LIFE} has {never:?}");
}

#[test]
fn what_counts_as_a_line_of_the_log_is_seen() {
    for (word, want) in [
        ("WARN Request failed", Some("Request failed")),
        ("DEBUG Request rejected: …", Some("Request rejected")),
        ("INFO Stopped", Some("Stopped")),
        ("INFORM", None),
        ("Request failed", None),
    ] {
        assert_eq!(message(word), want, "{word}");
    }
}

#[test]
fn what_counts_as_a_test_is_seen() {
    let source = "
#[test]
fn one_that_runs() {}

#[tokio::test(start_paused = true)]
#[ignore = \"why\"]
async fn one_that_waits() {}

tests! { listed_in_a_macro, defined_elsewhere }
async fn listed_in_a_macro() {}
fn a_mere_helper() {}
// Of words_in_a_comment, nothing follows.
";
    let mut tests = BTreeMap::new();
    attributed(source, &mut tests);
    listed(source, &mut tests);
    let seen: Vec<_> = tests
        .iter()
        .map(|(name, runs)| (name.as_str(), *runs))
        .collect();
    assert_eq!(
        seen,
        [
            ("listed_in_a_macro", Runs::Always),
            ("one_that_runs", Runs::Always),
            ("one_that_waits", Runs::OnRequest),
        ]
    );
    assert!(is_name("a_test") && !is_name("atest") && !is_name("A_TEST") && !is_name("a.rs"));
    assert!(is_path("src/lib.rs") && is_path("src/app/forwarded/") && !is_path("`a/b`c"));
}

/// Whether a test runs with all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    Always,
    OnRequest,
}

/// Every test by its name; of several with one name it is enough that one runs.
fn tests() -> BTreeMap<String, Runs> {
    let mut tests = BTreeMap::new();
    let mut scenarios = String::new();
    for (path, text) in sources() {
        attributed(&text, &mut tests);
        if path.starts_with("tests/scenarios/") {
            scenarios.push_str(&text);
        }
    }
    listed(&scenarios, &mut tests);
    tests
}

/// The functions with an attribute that makes a test of them.
fn attributed(text: &str, tests: &mut BTreeMap<String, Runs>) {
    let mut seen = None;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            seen = Some(Runs::Always);
        } else if line.starts_with("#[ignore") && seen.is_some() {
            seen = Some(Runs::OnRequest);
        } else if let Some(name) = function(line)
            && let Some(runs) = seen.take()
        {
            enter(tests, name, runs);
        }
    }
}

/// The functions that a macro makes tests of: each is defined, and named once more outside of comments.
fn listed(text: &str, tests: &mut BTreeMap<String, Runs>) {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut counts = BTreeMap::<&str, u32>::new();
    for word in code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        *counts.entry(word).or_default() += 1;
    }
    for name in code.lines().map(str::trim).filter_map(function) {
        if !tests.contains_key(name) && counts.get(name).is_some_and(|&count| count > 1) {
            enter(tests, name, Runs::Always);
        }
    }
}

fn enter(tests: &mut BTreeMap<String, Runs>, name: &str, runs: Runs) {
    let entry = tests.entry(name.to_owned()).or_insert(runs);
    if runs == Runs::Always {
        *entry = runs;
    }
}

/// The name of the function that a line begins.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualified = before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || matches!(word, "async" | "unsafe" | "const"));
    let name = after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    qualified.then(|| name.into_iter().next().unwrap_or_default())
}

/// A word that can only be the name of a test here: lower case, with an underscore.
fn is_name(word: &str) -> bool {
    word.contains('_')
        && word
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A word that can only be a path in the repository.
fn is_path(word: &str) -> bool {
    let top = ["src/", "tests/", "docs/", "examples/"];
    top.iter().any(|top| word.starts_with(top))
}

/// The beginning of the message, where a word is a line of the log.
fn message(word: &str) -> Option<&str> {
    let (level, message) = word.split_once(' ')?;
    let known = matches!(level, "DEBUG" | "INFO" | "WARN" | "ERROR");
    known.then(|| message.trim_end_matches([' ', ':', '…']))
}

/// What stands in code type.
fn words(markdown: &str) -> BTreeSet<String> {
    let parts = markdown.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

fn document() -> String {
    fs::read_to_string(root().join(DOCUMENT)).unwrap()
}

/// Every Rust file of the crate and its tests, with its path from the root and its text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for top in ["src", "tests", "examples"] {
        collect(&root().join(top), &mut found);
    }
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap();
            let name: Vec<_> = name.iter().map(|part| part.to_str().unwrap()).collect();
            found.push((name.join("/"), fs::read_to_string(&path).unwrap()));
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
