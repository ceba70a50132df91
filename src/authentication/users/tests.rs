use std::{
    fs,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Params, Version};
use tempfile::tempdir;

use super::{table::parse, *};

/// A line that is as cheap to check as Argon2 can be, or of so many KiB.
fn cheap(user: &str, password: &str, memory: u32) -> String {
    let params = Params::new(memory, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon2.hash_password(password.as_bytes()).unwrap();
    format!("{user}:{hash}\n")
}

fn users(text: &str) -> (tempfile::TempDir, Users) {
    let folder = tempdir().unwrap();
    let file = folder.path().join("users.txt");
    fs::write(&file, text).unwrap();
    let users = Users::load(file).unwrap();
    (folder, users)
}

#[tokio::test]
async fn the_right_password_of_a_user_is_right() {
    let text = format!(
        "# people\n\n{}  {}",
        cheap("alice", "correct horse", 8),
        cheap("ä b", "ü:x", 16)
    );
    let (_folder, users) = users(&text);
    assert_eq!(users.len(), 2);
    for (user, password, want) in [
        ("alice", "correct horse", true),
        ("alice", "correct Horse", false),
        ("alice", "", false),
        ("Alice", "correct horse", false),
        ("ä b", "ü:x", true),
        ("nobody", "correct horse", false),
        ("", "", false),
    ] {
        let found = users.check(user, password).await;
        assert_eq!(found.is_some(), want, "{user}");
        let name = found.as_ref().map(Identity::name);
        assert_eq!(name, want.then_some(user));
    }
}

#[tokio::test]
async fn nobody_comes_in_by_an_empty_file() {
    let (_folder, users) = users("# nobody yet\n");
    assert!(users.is_empty());
    assert!(users.check("alice", "").await.is_none());
}

#[test]
fn a_user_who_is_not_there_costs_what_another_costs() {
    let text: String = [("a", 8), ("b", 16), ("c", 24)]
        .map(|(user, memory)| cheap(user, "x", memory))
        .concat();
    let table = parse(&text).map_err(|(line, _)| line).unwrap();
    assert!(table.hash_for("b").1);
    let mut stand_ins = std::collections::HashSet::new();
    for number in 0..200 {
        let user = format!("nobody{number}");
        let (hash, known) = table.hash_for(&user);
        assert!(!known);
        assert_eq!(table.hash_for(&user).0, hash, "always the same");
        stand_ins.insert(hash.to_string());
    }
    assert_eq!(stand_ins.len(), 3, "that of anybody");
}

#[tokio::test]
async fn a_wrong_user_takes_the_time_of_a_wrong_password() {
    let (_folder, users) = users(&cheap("alice", "correct horse", 2048));
    let mut times = [Duration::MAX, Duration::MAX];
    // The shortest of several: whatever else the machine does only adds.
    for _ in 0..5 {
        for (time, user) in times.iter_mut().zip(["alice", "nobody"]) {
            let begun = clock();
            assert!(users.check(user, "wrong").await.is_none());
            *time = (*time).min(begun.elapsed());
        }
    }
    let [password, user] = times;
    // A check that was left out would take thousandths of it.
    assert!(user * 5 > password && password * 5 > user, "{times:?}");
}

#[allow(clippy::disallowed_methods, reason = "a time that is really measured")]
fn clock() -> Instant {
    Instant::now()
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_nothing_of_it() {
    let good = cheap("alice", "x", 8);
    let hash = good.split_once(':').unwrap().1;
    for (text, line, want) in [
        ("alice".to_owned(), 1, "NAME:HASH"),
        (format!("\n{good}alice"), 3, "NAME:HASH"),
        (format!(":{hash}"), 1, "name is empty"),
        (format!("{good}{good}"), 2, "`alice` is there twice"),
        ("alice:secret".to_owned(), 1, "none of Argon2"),
        (
            "alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC".to_owned(),
            1,
            "none of Argon2",
        ),
        (
            "alice:$argon2id$v=19$m=8,t=1,p=1".to_owned(),
            1,
            "without a salt",
        ),
        (
            format!("alice:{}", hash.replace("m=8,", "m=2000000,")),
            1,
            "more than 1 GiB",
        ),
    ] {
        let (at, kind) = parse(&text).err().unwrap_or_else(|| panic!("{text}"));
        let said = kind.to_string();
        assert_eq!(at, line, "{text}: {said}");
        assert!(said.contains(want), "{text}: {said}");
        assert!(!said.contains("secret") && !said.contains("c4Wo"), "{said}");
    }
    let missing = Users::load("no/such/file").unwrap_err().to_string();
    assert!(
        missing.contains("file: the file of users can't be read"),
        "{missing}"
    );
}

#[test]
fn a_line_is_what_the_file_takes() {
    let text = line("alice", "correct horse").unwrap();
    assert!(
        text.starts_with("alice:$argon2id$v=19$m=19456,t=2,p=1$"),
        "{text}"
    );
    assert!(!text.contains("horse"));
    assert_eq!(parse(&text).map(|table| table.len()).ok(), Some(1));
    for user in ["", "a:b", "a\nb"] {
        assert!(line(user, "x").is_err(), "{user:?}");
    }
}

#[tokio::test]
async fn a_file_that_changes_counts_at_once_and_a_wrong_one_not_at_all() {
    let (folder, users) = users(&cheap("alice", "x", 8));
    let before = users.revision();
    let file = folder.path().join("users.txt");
    // Each written beside it and put in its place, so that no half of one is read.
    let put = |text: &str| {
        let new = folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &file).unwrap();
    };
    put("nonsense");
    put(&cheap("bob", "y", 8));
    while users.revision() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(users.check("bob", "y").await.is_some());
    assert!(users.check("alice", "x").await.is_none());
    let debug = format!("{users:?}");
    assert!(!debug.contains("argon2"), "{debug}");
}
