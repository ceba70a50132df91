//! Middleware of ASP.NET Core that leans on its server.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use http::{Method, Request};

use crate::{
    run,
    site::{BOTH, Site},
    support::client::{Answer, Client, Protocol, empty},
};

async fn ask(
    client: &mut Client,
    method: Method,
    target: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.ask(request.body(empty()).unwrap()).await
}

#[test]
fn files_and_their_ranges_are_served() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let whole = "0123456789".repeat(20);
            site.client(way).await;
            for protocol in [Protocol::Http1, Protocol::Http2] {
                let mut client = Client::connect(site.address, protocol).await;
                let file = ask(&mut client, Method::GET, "/digits.txt", &[]).await;
                assert_eq!((file.status().as_u16(), file.text()), (200, &*whole));
                assert_eq!(file.values("content-length"), ["200"]);
                assert_eq!(file.values("accept-ranges"), ["bytes"]);
                let tag = file.values("etag")[0].to_owned();
                for (name, value, status, range, text) in [
                    ("range", "bytes=12-15", 206, "bytes 12-15/200", "2345"),
                    ("range", "bytes=195-", 206, "bytes 195-199/200", "56789"),
                    ("range", "bytes=-3", 206, "bytes 197-199/200", "789"),
                    ("range", "bytes=500-", 416, "bytes */200", ""),
                    ("if-none-match", &*tag, 304, "", ""),
                ] {
                    let part = ask(&mut client, Method::GET, "/digits.txt", &[(name, value)]).await;
                    assert_eq!(part.status(), status, "{value}");
                    let ranges: Vec<_> =
                        [range].into_iter().filter(|one| !one.is_empty()).collect();
                    assert_eq!(part.values("content-range"), ranges, "{value}");
                    assert_eq!(part.text(), text, "{value}");
                }
                let head = ask(&mut client, Method::HEAD, "/digits.txt", &[]).await;
                assert_eq!(
                    (head.values("content-length"), head.text()),
                    (vec!["200"], "")
                );
            }
            site.close().await;
        }
    });
}

#[test]
fn answers_are_compressed_for_who_takes_that() {
    run(async {
        for way in BOTH {
            let site = Site::new(way, |config| config);
            let mut client = site.client(way).await;
            let packed = ask(
                &mut client,
                Method::GET,
                "/digits.txt",
                &[("accept-encoding", "gzip")],
            );
            let packed = packed.await;
            assert_eq!(packed.values("content-encoding"), ["gzip"], "{way:?}");
            // Differs from Kestrel: what is whole before it is sent has its length.
            let length = packed.body.len().to_string();
            assert!(
                packed
                    .values("content-length")
                    .iter()
                    .all(|said| **said == length)
            );
            assert!(packed.body.len() < 100, "{}", packed.body.len());
            assert_eq!(unpacked(&packed.body), "0123456789".repeat(20));
            let plain = ask(&mut client, Method::GET, "/digits.txt", &[]).await;
            assert!(plain.values("content-encoding").is_empty());
            assert_eq!(plain.values("vary"), [""; 0]);
            site.close().await;
        }
    });
}

fn unpacked(bytes: &[u8]) -> String {
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(gzip.wait_with_output().unwrap().stdout).unwrap()
}
