//! `ancm run`: what it serves, and by what it is told.

use super::*;

#[test]
fn run_serves_a_command_under_its_path_base() {
    let dir = tempfile::tempdir().unwrap();
    let command = ["--path-base", "/shop", "--", ANCM, "demo-app"];
    let (_run, address) = Running::run(dir.path(), &command);
    let (status, page) = ask(address, "GET /shop/a%2fb?c=d", "text/html");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("<td>/shop</td>"), "{page}");
    assert!(page.contains("<td>/shop/a%2fb?c=d</td>"), "{page}");
    assert!(page.contains("<td>demo.test</td>"), "{page}");
    assert!(
        !page.to_lowercase().contains("ms-aspnetcore-token"),
        "{page}"
    );
}

/// What is said of the front in the file, and before it on the command line.
#[test]
fn the_limits_of_the_front_are_those_of_the_file_or_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let toml = format!(
        "processPath = '{}'\narguments = ['demo-app']\n[front]\nmaxHeaders = 3\n",
        env!("CARGO_BIN_EXE_ancm")
    );
    std::fs::write(dir.path().join("ancm.toml"), toml).unwrap();
    // Four lines.
    let (_server, address) = Running::run(dir.path(), &["--no-control"]);
    assert_eq!(ask(address, "GET /", "*/*").0, 431);
    let typed = ["--no-control", "--max-headers", "4"];
    let (_server, address) = Running::run(dir.path(), &typed);
    assert_eq!(ask(address, "GET /", "*/*").0, 200);
}

/// An app that answers every request with `name`, until this program ends; where it listens.
fn answering(name: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut stream = stream;
                head(&mut stream);
                let length = name.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}");
                let _ = write!(stream, "{head}\r\n\r\n{name}");
            });
        }
    });
    address
}

/// An address that nobody else can take, and at which nobody listens.
fn refusing() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

#[cfg(unix)]
#[test]
fn run_forwards_to_several_addresses_and_status_tells_of_each() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (answering("one"), answering("two"));
    let (_held, gone) = refusing();
    let to = ["--to", &*one, "--to", &two, "--to", &gone];
    let options = [&to[..], &["--control", "socket"]].concat();
    let (mut run, address) = Running::run(dir.path(), &options);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..40 {
        let (status, text) = ask(address, "GET /", "*/*");
        assert_eq!(status, 200, "{text}");
        seen.insert(text.lines().last().unwrap().to_owned());
    }
    assert_eq!(seen, ["one".to_owned(), "two".to_owned()].into());
    let down = run.logged("Address is down");
    assert_eq!(down["backend.addr"], *gone);
    let (status, text, stderr) = output(dir.path(), &["status", "--control", "socket"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(text.starts_with("state         ready\n"), "{text}");
    let row = |address: &str| {
        let mut rows = text.lines().filter(|row| row.starts_with(address));
        rows.next().unwrap_or_else(|| panic!("{address}: {text}"))
    };
    assert!(row(&one).contains("  up  "), "{text}");
    assert!(row(&two).contains("  up  "), "{text}");
    assert!(row(&gone).contains("  down  "), "{text}");
    assert!(row(&gone).contains("efused"), "{text}");
    let json = ["status", "--control", "socket", "--json"];
    let report: Value = serde_json::from_str(&output(dir.path(), &json).1).unwrap();
    let backends = report["backends"].as_array().unwrap();
    let total = backends.iter().map(|one| one["requests"].as_u64().unwrap());
    assert!(total.sum::<u64>() >= 40, "{report}");
    assert!(backends.iter().all(|one| one["in_flight"] == 0), "{report}");
    for command in ["restart", "stop", "offline", "online"] {
        let (status, _, stderr) = output(dir.path(), &[command, "--control", "socket"]);
        assert_eq!(status, 1, "{stderr}");
        assert!(stderr.contains("somebody else runs this app"), "{stderr}");
    }
}

#[test]
fn where_no_address_is_up_run_says_so_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (_held, gone) = refusing();
    let options = ["--to", &gone, "--health-path", "/"];
    let (mut run, address) = Running::run(dir.path(), &options);
    // The first one finds it out, unless a check was first.
    assert!([502, 503].contains(&ask(address, "GET /", "*/*").0));
    run.logged("Address is down");
    run.logged("No address of the app is up: requests get 503 until one is");
    let (status, text) = ask(address, "GET /", "*/*");
    assert_eq!(status, 503, "{text}");
    assert!(text.to_ascii_lowercase().contains("retry-after:"), "{text}");
    loop {
        let failed = run.logged("Request failed");
        if failed["http.status"] == 503 {
            assert_eq!(failed["error"], "no address of the app is up");
            assert!(
                failed["cause"].as_str().unwrap().contains(&gone),
                "{failed}"
            );
            return;
        }
    }
}

#[test]
fn run_reads_addresses_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (answering("one"), answering("two"));
    let name = two.replace("127.0.0.1", "localhost");
    let file = format!("[backends]\nto = [\"{one}\", \"{name}\"]\n[proxy]\nvia = \"front-1\"\n");
    std::fs::write(dir.path().join("ancm.toml"), file).unwrap();
    let (status, text, stderr) = output(dir.path(), &["check"]);
    assert_eq!(status, 0, "{stderr}");
    assert!(
        text.contains(&format!("forwards to               {one}, {two}")),
        "{text}"
    );
    assert!(!text.contains("hosted  "), "{text}");
    let (_run, address) = Running::run(dir.path(), &["--no-control"]);
    for _ in 0..10 {
        let (status, text) = ask(address, "GET /", "*/*");
        assert_eq!(status, 200, "{text}");
        assert!(
            text.to_ascii_lowercase().contains("via: 1.1 front-1"),
            "{text}"
        );
    }
}

#[test]
fn an_app_of_http_1_that_is_spoken_to_in_http_2_is_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let options = ["--protocol", "h2c"];
    let (app, mut run, address) = Running::before_an_app(dir.path(), &options);
    let client = thread::spawn(move || ask(address, "GET /", "*/*"));
    let (mut stream, _) = app.accept().unwrap();
    assert!(head(&mut stream).starts_with("PRI * HTTP/2.0"));
    write!(
        stream,
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    drop(stream);
    assert_eq!(client.join().unwrap().0, 502);
    let failed = run.logged("Request failed");
    let cause = failed["cause"].as_str().unwrap();
    assert!(
        cause.contains("it speaks HTTP/1.1 where HTTP/2 without TLS was expected"),
        "{cause}"
    );
    assert!(cause.contains("set `protocol` to \"http/1.1\""), "{cause}");
}

#[test]
fn run_forwards_to_an_address_and_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let another = ["--listen", "127.0.0.1:0"];
    let (app, mut run, first) = Running::before_an_app(dir.path(), &another);
    let second = run.listening();
    assert_ne!(first, second);
    for address in [first, second] {
        let client = thread::spawn(move || ask(address, "GET /x?y", "*/*"));
        let (mut stream, _) = app.accept().unwrap();
        let head = head(&mut stream);
        write!(
            stream,
            "HTTP/1.1 299 Fine\r\nConnection: close\r\n\r\nhello"
        )
        .unwrap();
        drop(stream);
        assert!(head.starts_with("GET /x?y HTTP/1.1\r\n"), "{head}");
        assert!(!head.to_lowercase().contains("ms-aspnetcore"), "{head}");
        let (status, answer) = client.join().unwrap();
        assert_eq!(status, 299);
        assert!(answer.contains("hello"), "{answer}");
    }
}
