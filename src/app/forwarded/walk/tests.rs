use proptest::prelude::*;

use super::*;
use crate::app::forwarded::rules::Source;

/// `address|scheme|host|prefix`, nearest first; an empty part is none.
fn hops<'a>(texts: &[&'a str]) -> Vec<Hop<'a>> {
    let hop = |text: &&'a str| {
        let mut parts = text
            .split('|')
            .map(|part| Some(part).filter(|p| !p.is_empty()));
        let mut next = || parts.next().flatten();
        Hop {
            address: next(),
            scheme: next(),
            host: next(),
            prefix: next(),
        }
    };
    texts.iter().map(hop).collect()
}

fn rules(change: impl FnOnce(&mut Rules)) -> Rules {
    let mut rules = Rules::new(Source::XForwarded);
    rules.trusted.push("10.0.0.0/8".parse().unwrap());
    rules.limit = None;
    change(&mut rules);
    rules
}

/// `address scheme consumed`, `-` for none, and why it ended.
fn run(rules: &Rules, peer: &str, texts: &[&str]) -> (String, Stop) {
    let peer = peer.parse().ok().map(|ip| SocketAddr::new(ip, 1));
    let outcome = walk(rules, peer, hops(texts).into_iter());
    let address = outcome
        .address
        .map_or("-".to_owned(), |a| a.ip().to_string());
    let scheme = outcome.scheme.map_or("-", Scheme::as_str);
    (
        format!("{address} {scheme} {}", outcome.consumed),
        outcome.stop,
    )
}

fn untrusted(ip: &str) -> Stop {
    Stop::Untrusted(ip.parse().ok())
}

#[test]
fn walks_from_the_peer_to_the_first_that_is_not_trusted() {
    let rules = rules(|_| {});
    for (peer, texts, want, stop) in [
        ("127.0.0.1", &[] as &[&str], "- - 0", Stop::End),
        ("192.0.2.9", &[], "- - 0", Stop::End),
        (
            "127.0.0.1",
            &["192.0.2.1|https"],
            "192.0.2.1 https 1",
            Stop::End,
        ),
        (
            "::ffff:127.0.0.1",
            &["192.0.2.1|http"],
            "192.0.2.1 http 1",
            Stop::End,
        ),
        (
            "192.0.2.9",
            &["192.0.2.1|https"],
            "- - 0",
            untrusted("192.0.2.9"),
        ),
        (
            "unknown",
            &["192.0.2.1|https"],
            "- - 0",
            Stop::Untrusted(None),
        ),
        (
            "127.0.0.1",
            &["10.0.0.1|http", "10.0.0.2|http", "192.0.2.1|https"],
            "192.0.2.1 https 3",
            Stop::End,
        ),
        (
            "127.0.0.1",
            &["10.0.0.1|http", "192.0.2.1|https", "203.0.113.1|http"],
            "192.0.2.1 https 2",
            untrusted("192.0.2.1"),
        ),
    ] {
        assert_eq!(
            run(&rules, peer, texts),
            (want.to_owned(), stop),
            "{texts:?}"
        );
    }
}

#[test]
fn reads_no_further_than_the_limit() {
    for (limit, want) in [
        (Some(0), "- - 0"),
        (Some(1), "10.0.0.1 http 1"),
        (Some(2), "10.0.0.2 https 2"),
        (Some(9), "192.0.2.1 http 3"),
        (None, "192.0.2.1 http 3"),
    ] {
        let rules = rules(|rules| rules.limit = limit);
        let texts = ["10.0.0.1|http", "10.0.0.2|https", "192.0.2.1|http"];
        assert_eq!(run(&rules, "::1", &texts), (want.to_owned(), Stop::End));
    }
}

#[test]
fn an_unreadable_address_ends_the_walk_and_keeps_what_was_applied() {
    for bad in ["unknown", "_hidden", "1.2.3", "localhost"] {
        let text = format!("{bad}|https");
        let texts = ["10.0.0.1|http", &text, "192.0.2.1|https"];
        assert_eq!(
            run(&rules(|_| {}), "::1", &texts),
            ("10.0.0.1 http 1".to_owned(), Stop::Malformed)
        );
        assert_eq!(
            run(&rules(|rules| rules.strict = true), "::1", &texts),
            ("- - 0".to_owned(), Stop::Malformed)
        );
    }
}

#[test]
fn a_missing_or_invalid_part_is_left_out_unless_symmetry_is_required() {
    for (texts, want) in [
        (&["192.0.2.1|"] as &[&str], "192.0.2.1 - 1"),
        (&["|https"], "- https 1"),
        (&["192.0.2.1|ftp"], "192.0.2.1 - 1"),
        (&["10.0.0.1|https", "192.0.2.1|"], "192.0.2.1 https 2"),
        (&["10.0.0.1|https", "|http"], "10.0.0.1 http 2"),
    ] {
        assert_eq!(
            run(&rules(|_| {}), "::1", texts),
            (want.to_owned(), Stop::End)
        );
        assert_eq!(
            run(&rules(|rules| rules.symmetry = true), "::1", texts),
            ("- - 0".to_owned(), Stop::Asymmetric)
        );
    }
}

#[test]
fn a_part_that_is_not_read_is_not_missed() {
    let rules = rules(|rules| {
        rules.symmetry = true;
        rules.reads.scheme = false;
    });
    assert_eq!(
        run(&rules, "::1", &["192.0.2.1|"]),
        ("192.0.2.1 - 1".to_owned(), Stop::End)
    );
}

#[test]
fn without_addresses_the_peer_wrote_everything() {
    let rules = rules(|rules| rules.reads.address = false);
    assert_eq!(
        run(&rules, "::1", &["|http", "|https"]),
        ("- https 2".to_owned(), Stop::End)
    );
    assert_eq!(
        run(&rules, "192.0.2.1", &["|https"]),
        ("- - 0".to_owned(), untrusted("192.0.2.1"))
    );
}

#[test]
fn hosts_must_be_allowed_and_prefixes_well_formed() {
    let rules = rules(|rules| {
        rules.hosts = crate::app::forwarded::host::AllowedHosts::new(["*.example.com"]);
    });
    let outcome = |text: &str| walk(&rules, "[::1]:1".parse().ok(), hops(&[text]).into_iter());
    let good = outcome("192.0.2.1|https|a.example.com:8080|/shop");
    assert_eq!(good.host.unwrap().as_str(), "a.example.com:8080");
    assert_eq!(good.prefix.unwrap().as_str(), "/shop");
    let bad = outcome("192.0.2.1|https|evil.example|//evil.example");
    assert_eq!((bad.host, bad.prefix, bad.consumed), (None, None, 1));
}

#[test]
fn who_trusts_everyone_walks_to_the_end() {
    let rules = rules(|rules| {
        rules.trusted.clear();
        rules.trust_everyone = true;
    });
    assert_eq!(
        run(&rules, "unknown", &["192.0.2.1|http", "203.0.113.1|https"]),
        ("203.0.113.1 https 2".to_owned(), Stop::End)
    );
}

proptest! {
    /// The client can only add entries at the far end, so nothing it adds may change what a walk that stops at it says.
    #[test]
    fn what_the_client_adds_changes_nothing(
        trusted in proptest::collection::vec("10\\.0\\.0\\.[1-9]", 0..4),
        made_up in proptest::collection::vec("(10\\.0\\.0\\.[1-9]|203\\.0\\.113\\.1|unknown|x)", 0..4),
    ) {
        let mut texts: Vec<String> = trusted.iter().map(|ip| format!("{ip}|http")).collect();
        texts.push("192.0.2.1|https".to_owned());
        let mut more = texts.clone();
        more.extend(made_up.iter().map(|ip| format!("{ip}|http")));
        let refs = |texts: &[String]| texts.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
        let (texts, more) = (refs(&texts), refs(&more));
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let more: Vec<_> = more.iter().map(String::as_str).collect();
        let rules = rules(|_| {});
        let (honest, _) = run(&rules, "127.0.0.1", &texts);
        let (forged, _) = run(&rules, "127.0.0.1", &more);
        prop_assert_eq!(&honest, &forged);
        prop_assert!(honest.starts_with("192.0.2.1 https"));
    }

    #[test]
    fn never_uses_more_than_there_is_or_may_be_used(
        texts in proptest::collection::vec("(10\\.0\\.0\\.1|192\\.0\\.2\\.1|x)?\\|(https?|x)?", 0..6),
        limit in proptest::option::of(0_usize..8),
        strict: bool,
    ) {
        let rules = rules(|rules| {
            rules.limit = limit;
            rules.strict = strict;
            rules.symmetry = strict;
        });
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let outcome = walk(&rules, "127.0.0.1:1".parse().ok(), hops(&texts).into_iter());
        prop_assert!(outcome.consumed <= texts.len().min(limit.unwrap_or(usize::MAX)));
        prop_assert!(outcome.consumed > 0 || outcome.address.is_none());
    }
}
