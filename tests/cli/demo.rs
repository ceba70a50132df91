//! `ancm demo`.

use super::*;

#[cfg(target_os = "linux")]
#[test]
fn the_demo_shows_what_the_app_sees_and_replaces_a_killed_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Running::start(dir.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let address = demo.listening();
    let (status, page) = ask(address, "GET /", "text/html");
    assert_eq!(status, 200, "{page}");
    let first = pid(address);
    for want in [
        "It works.",
        &format!("kill {first}"),
        "127.0.0.1:",
        "<td>http</td>",
    ] {
        assert!(page.contains(want), "{want} in {page}");
    }
    assert_eq!(fact(address, "generation"), "1");

    ending::kill(first);
    demo.logged("Process ended by itself");
    demo.logged("Process is ready");
    let second = pid(address);
    assert_ne!(first, second);
    assert_eq!(fact(address, "generation"), "2");
    let (_, page) = ask(address, "GET /", "text/html");
    assert!(page.contains(&format!("Before it: {first}.")), "{page}");
}

#[test]
fn the_demo_goes_offline_with_the_file_that_its_page_names() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = Running::start(dir.path(), &["demo", "--listen", "127.0.0.1:0"]);
    let address = demo.listening();
    let (_, page) = ask(address, "GET /", "*/*");
    let file = value(&page, "echo Back soon >").trim_matches('"');
    std::fs::write(file, "Back soon").unwrap();
    demo.logged("Process stopped");
    let (status, page) = ask(address, "GET /", "*/*");
    assert_eq!(status, 503, "{page}");
    assert!(page.ends_with("Back soon"), "{page}");
    std::fs::remove_file(file).unwrap();
    demo.logged("App back online");
    assert_eq!(ask(address, "GET /", "*/*").0, 200);
}

#[test]
fn the_button_of_the_demo_ends_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--path-base", "/d"];
    let mut demo = Running::start(dir.path(), &arguments);
    let address = demo.listening();
    let (status, page) = ask(address, "POST /d/end", "text/html");
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("ends now"), "{page}");
    assert!(page.to_lowercase().contains("refresh: 1; url=/d"), "{page}");
}
