//! Holds the import rule: a stage sees the vocabulary and the stages to its right in its own half, nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that can't go on panics"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Values that every stage may speak of.
const VOCABULARY: &[&str] = &[
    "body",
    "config",
    "connection",
    "error",
    "files",
    "headers",
    "informational",
    "lines",
    "occasionally",
    "path_base",
    "samples",
    "sealed",
    "shutdown",
    "token",
    "websocket",
    "within",
];

/// The host half, in the order in which a request passes it.
const HOST: &[&str] = &[
    "front",
    "control",
    "watch",
    "authentication",
    "offline",
    "supervisor",
    // The rest of that folder is a program of its own, the worker, which speaks the supervisor's protocol.
    "in_process/service",
    "proxy",
];

/// The app half's stages, in the order in which a request passes them; `app/mod.rs` sees them all.
const APP: &str = "app";

#[test]
fn a_host_stage_sees_only_what_stands_to_its_right() {
    for (place, stage) in HOST.iter().enumerate() {
        let right = &HOST[place..];
        for (file, seen) in imports(stage) {
            for name in seen {
                let is_right = right
                    .iter()
                    .any(|stage| stage.split('/').next() == Some(&*name));
                let allowed = is_right || VOCABULARY.contains(&&*name);
                assert!(
                    allowed,
                    "{}: a {stage} may not see crate::{name}",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn the_app_half_sees_nothing_of_the_host_half() {
    for (file, seen) in imports(APP) {
        for name in seen {
            let host_only = matches!(&*name, "config" | "error");
            let allowed = name == APP || (VOCABULARY.contains(&&*name) && !host_only);
            assert!(
                allowed,
                "{}: the app half may not see crate::{name}",
                file.display()
            );
        }
    }
}

#[test]
fn the_vocabulary_sees_only_itself() {
    for word in VOCABULARY {
        for (file, seen) in imports(word) {
            for name in seen {
                let allowed = VOCABULARY.contains(&&*name);
                assert!(
                    allowed,
                    "{}: {word} may not see crate::{name}",
                    file.display()
                );
            }
        }
    }
}

/// The modules of this crate that each file of `src/<module>` names outside its comments and tests.
fn imports(module: &str) -> Vec<(PathBuf, BTreeSet<String>)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src.join(module), &mut files);
    files.extend(Some(src.join(module).with_extension("rs")).filter(|file| file.is_file()));
    assert!(
        !files.is_empty(),
        "src/{module} is empty or gone: mend this test's lists"
    );
    files
        .into_iter()
        .map(|file| (file.clone(), named(&fs::read_to_string(file).unwrap())))
        .collect()
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        match path.extension() {
            _ if path.is_dir() => collect(&path, files),
            Some(extension) if extension == "rs" && !path.ends_with("tests.rs") => files.push(path),
            _ => {}
        }
    }
}

fn named(source: &str) -> BTreeSet<String> {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_members(group)),
            None => names.extend(first_word(rest)),
        }
    }
    // Types that `lib.rs` gives out belong to the vocabulary: modules are lower case.
    names.retain(|name| name.starts_with(|first: char| first.is_ascii_lowercase()));
    names
}

/// The first words of `a::b, c::{d, e}, f}`: `a`, `c`, `f`.
fn group_members(group: &str) -> Vec<String> {
    let (mut depth, mut members, mut member) = (0, Vec::new(), String::new());
    for char in group.chars() {
        match char {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => members.extend(first_word(&std::mem::take(&mut member))),
            _ if depth == 0 => member.push(char),
            _ => {}
        }
    }
    members.extend(first_word(&member));
    members
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

#[test]
fn imports_are_read_from_groups_and_paths() {
    let source = "use crate::{Connection, config::{a, b}, error::Error};\n// crate::front\nfn f() { crate::proxy::g() }\n#[cfg(test)]\nmod tests { use crate::host; }\n";
    let want = ["config", "error", "proxy"].map(str::to_owned);
    assert_eq!(named(source), BTreeSet::from(want));
}
