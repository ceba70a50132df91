//! Users of Basic authentication.

use super::*;

#[test]
fn a_password_becomes_a_line_for_the_file_and_is_no_argument() {
    let dir = tempfile::tempdir().unwrap();
    let line = |typed: &str| {
        let mut command = ancm(dir.path(), &["password", "alice"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may have ended before it has read all of it.
        let _ = stdin.write_all(typed.as_bytes());
        drop(stdin);
        texts(child.wait_with_output().unwrap())
    };
    let (status, out, err) = line("correct horse\n");
    assert_eq!((status, &*err), (0, ""));
    assert!(out.starts_with("alice:$argon2id$"), "{out}");
    assert!(out.ends_with('\n') && !out.contains("horse"), "{out}");
    for wrong in ["", "\n", "a\tb\n"] {
        let (status, out, err) = line(wrong);
        assert_eq!((status, &*out), (2, ""), "{wrong:?}: {err}");
    }
    let (status, _, err) = output(dir.path(), &["password", "a:b"]);
    assert_eq!(status, 2, "{err}");
}

/// `NAME:HASH` of the password `correct horse`, as cheap to check as can be.
fn user(name: &str) -> String {
    use argon2::PasswordHasher as _;
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(Default::default(), Default::default(), params);
    let hash: argon2::PasswordHash = argon2.hash_password(b"correct horse").unwrap();
    format!("{name}:{hash}\n")
}

/// A folder whose app is served to users alone, by a `web.config` or an `ancm.toml`.
fn for_users(over_cleartext: bool, toml: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("users.txt"), user("alice")).unwrap();
    if toml {
        let text = format!(
            "processPath = '{ANCM}'\narguments = ['demo-app']\n[authentication]\nbasic = true\nanonymous = false\n\
             basicUsers = 'users.txt'\nbasicRealm = 'the shop'\nbasicOverCleartext = {over_cleartext}\n\
             userHeader = 'x-user'\n"
        );
        std::fs::write(dir.path().join("ancm.toml"), text).unwrap();
        return dir;
    }
    let text = format!(
        r#"<configuration><system.webServer>
          <aspNetCore processPath="{ANCM}" arguments="demo-app">
            <handlerSettings>
              <handlerSetting name="basicUsers" value=".\users.txt" />
              <handlerSetting name="basicOverCleartext" value="{over_cleartext}" />
              <handlerSetting name="userHeader" value="x-user" />
            </handlerSettings>
          </aspNetCore>
          <security><authentication>
            <basicAuthentication enabled="true" realm="the shop" />
            <anonymousAuthentication enabled="false" />
          </authentication></security>
        </system.webServer></configuration>"#
    );
    std::fs::write(dir.path().join("web.config"), text).unwrap();
    dir
}

/// `user:correct horse` and `alice:wrong`, as Basic authentication carries them.
fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let text = format!("{user}:{password}");
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    format!("*/*\r\nAuthorization: Basic {encoded}")
}

#[test]
fn users_of_a_file_come_in_by_their_passwords_and_nobody_else() {
    for toml in [false, true] {
        let dir = for_users(true, toml);
        let mut running = Running::start(dir.path(), &["run", "--listen", "127.0.0.1:0"]);
        assert_eq!(running.logged("Users loaded")["users"], 1);
        let address = running.listening();
        let (status, answer) = ask(address, "GET /", "*/*");
        assert_eq!(status, 401, "{answer}");
        let challenge = "www-authenticate: Basic realm=\"the shop\", charset=\"UTF-8\"\r\n";
        assert!(answer.contains(challenge), "{answer}");
        for (name, password) in [("alice", "wrong"), ("bob", "correct horse"), ("", "")] {
            let (status, answer) = ask(address, "GET /", &basic(name, password));
            assert_eq!(status, 401, "{name}: {answer}");
        }
        let (status, page) = ask(address, "GET /", &basic("alice", "correct horse"));
        assert_eq!(status, 200, "{page}");
        assert_eq!(value(&page, "x-user"), "alice");

        std::fs::write(dir.path().join("new"), user("bob")).unwrap();
        let file = dir.path().join("users.txt");
        std::fs::rename(dir.path().join("new"), file).unwrap();
        assert_eq!(running.logged("Users reloaded")["users"], 1);
        let (status, page) = ask(address, "GET /", &basic("bob", "correct horse"));
        assert_eq!(status, 200, "{page}");
        let (status, _) = ask(address, "GET /", &basic("alice", "correct horse"));
        assert_eq!(status, 401);
    }
}

#[test]
fn guesses_are_limited_by_address_and_keep_no_user_out() {
    const WRONG: &str = "never-to-be-seen";
    let dir = for_users(true, true);
    let file = dir.path().join("ancm.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let limits = "basicAttempts = 2\n[proxy]\ntrustedProxies = ['127.0.0.0/8']\n";
    std::fs::write(&file, text + limits).unwrap();
    let (mut running, address) = Running::run(dir.path(), &[]);
    let ask_from = move |client: String, name: &str, password: &str| {
        let from = format!("{}\r\nX-Forwarded-For: {client}", basic(name, password));
        ask(address, "GET /", &from)
    };
    let guesses: Vec<_> = (0..60)
        .map(|guess| {
            let client = format!("203.0.113.{}", guess % 6);
            let password = format!("{WRONG}-{guess}");
            std::thread::spawn(move || ask_from(client, "alice", &password))
        })
        .collect();
    let (status, page) = ask_from("198.51.100.1".to_owned(), "alice", "correct horse");
    assert_eq!(status, 200, "{page}");
    let mut refused = [0, 0];
    for guess in guesses {
        let (status, answer) = guess.join().unwrap();
        match status {
            401 => refused[0] += 1,
            429 => {
                let head = answer.to_ascii_lowercase();
                let after = head.split_once("\r\nretry-after: ").unwrap().1;
                let after: u32 = after.split_once('\r').unwrap().0.parse().unwrap();
                assert!((1..=150).contains(&after), "{answer}");
                refused[1] += 1;
            }
            _ => panic!("{answer}"),
        }
    }
    assert_eq!(refused, [12, 48], "two of each address");
    let told = running.logged("Too many wrong passwords from one address");
    let client = told["client.addr"].as_str().unwrap();
    assert!(client.starts_with("203.0.113."), "{told}");
    // She has been in, and comes in from there; from elsewhere that would tell who guesses that it was right.
    for (client, want) in [("198.51.100.1", 200), ("203.0.113.0", 429)] {
        let (status, page) = ask_from(client.to_owned(), "alice", "correct horse");
        assert_eq!(status, want, "{page}");
    }
    running.child.kill().unwrap();
    running.seen.extend(running.log.iter());
    let log = running.seen.join("\n");
    assert!(
        !log.contains(WRONG) && !log.contains("correct horse"),
        "{log}"
    );
}

#[test]
fn no_password_is_asked_for_where_everybody_could_read_it() {
    let dir = for_users(false, true);
    let (_running, address) = Running::run(dir.path(), &[]);
    for accept in ["*/*", &basic("alice", "correct horse")] {
        let (status, answer) = ask(address, "GET /", accept);
        assert_eq!(status, 401, "{answer}");
        assert!(!answer.contains("www-authenticate"), "{answer}");
    }
}

#[test]
fn a_wrong_file_of_users_is_told_before_anything_is_served() {
    let dir = for_users(true, true);
    let file = dir.path().join("users.txt");
    std::fs::write(&file, "# people\nalice:secret\n").unwrap();
    for what in ["check", "run"] {
        let (status, _, err) = output(dir.path(), &[what]);
        assert_eq!(status, 2, "{err}");
        assert!(err.contains("users.txt:2: "), "{err}");
        assert!(err.contains("`basicUsers`"), "{err}");
        assert!(!err.contains("secret"), "{err}");
    }
    std::fs::remove_file(&file).unwrap();
    let (status, _, err) = output(dir.path(), &["check"]);
    assert_eq!(status, 2, "{err}");
    assert!(
        err.contains("users.txt: the file of users can't be read"),
        "{err}"
    );
}
