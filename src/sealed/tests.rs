use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn token() -> PairingToken {
    PairingToken::new("0f8fad5bd9cb469fa16570867728950e").unwrap()
}

/// A time of day: whole seconds, as an end is written.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn alice() -> Identity {
    Identity::new("Negotiate", "alice")
        .with_realm("EXAMPLE.ORG")
        .with_groups(["staff", "", "caf\u{e9}"])
}

#[test]
fn what_was_sealed_is_opened_until_it_ends() {
    let sealed = alice().seal(&token(), now(), MINUTE).unwrap();
    let want = alice().with_expiry(now() + MINUTE);
    for (later, opened) in [
        (Duration::ZERO, true),
        (Duration::from_secs(59), true),
        (MINUTE, false),
        (MINUTE * 60, false),
    ] {
        let got = Identity::open(sealed.as_bytes(), &token(), now() + later);
        let expected = if opened {
            Ok(want.clone())
        } else {
            Err(SealError(Kind::Expired))
        };
        assert_eq!(got, expected, "{later:?}");
    }
}

#[test]
fn ends_with_the_proof_at_the_latest() {
    let ticket = now() + MINUTE / 2;
    let sealed = alice()
        .with_expiry(ticket)
        .seal(&token(), now(), MINUTE)
        .unwrap();
    let opened = Identity::open(sealed.as_bytes(), &token(), now()).unwrap();
    assert_eq!(opened.expires(), Some(ticket));
    let late = alice().with_expiry(now()).seal(&token(), now(), MINUTE);
    assert_eq!(late, Err(SealError(Kind::Expired)));
}

#[test]
fn another_process_does_not_believe_it() {
    let sealed = alice()
        .seal(&PairingToken::generate(), now(), MINUTE)
        .unwrap();
    let opened = Identity::open(sealed.as_bytes(), &token(), now());
    assert_eq!(opened, Err(SealError(Kind::Broken)));
}

#[test]
fn no_bit_of_it_can_be_changed() {
    let sealed = alice().seal(&token(), now(), MINUTE).unwrap().into_bytes();
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let opened = Identity::open(&changed, &token(), now());
        assert_eq!(opened, Err(SealError(Kind::Broken)), "bit {bit}");
    }
}

#[test]
fn no_part_of_it_will_do() {
    let sealed = alice().seal(&token(), now(), MINUTE).unwrap();
    for length in 0..sealed.len() {
        let opened = Identity::open(&sealed.as_bytes()[..length], &token(), now());
        assert_eq!(opened, Err(SealError(Kind::Broken)), "{length}");
    }
    for more in [".", "A", "AAAA", "=", " "] {
        let longer = format!("{sealed}{more}");
        assert!(
            Identity::open(longer.as_bytes(), &token(), now()).is_err(),
            "{more}"
        );
    }
}

#[test]
fn is_no_longer_than_a_header_may_be() {
    let many = |count: usize| alice().with_groups((0..count).map(|n| format!("group {n:03}")));
    let sealed = many(700).seal(&token(), now(), MINUTE).unwrap();
    assert!(Identity::open(sealed.as_bytes(), &token(), now()).is_ok());
    for too_long in [many(900), alice().with_realm("x".repeat(70_000))] {
        let sealed = too_long.seal(&token(), now(), MINUTE);
        assert_eq!(sealed, Err(SealError(Kind::TooLong)));
    }
    let opened = Identity::open(&[b'A'; LONGEST + 1], &token(), now());
    assert_eq!(opened, Err(SealError(Kind::TooLong)));
}

#[test]
fn is_a_header_value_as_it_is() {
    let sealed = alice().seal(&token(), now(), MINUTE).unwrap();
    assert!(http::HeaderValue::from_str(&sealed).is_ok());
    assert!(
        sealed
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    );
}

proptest! {
    #[test]
    fn every_identity_comes_out_as_it_went_in(
        texts in proptest::collection::vec("\\PC{0,12}", 3..8),
        seconds in 1_u64..1_000_000,
    ) {
        let identity = Identity::new(&*texts[0], &*texts[1]).with_realm(&*texts[2]).with_groups(&texts[3..]);
        let lifetime = Duration::from_secs(seconds);
        let sealed = identity.seal(&token(), now(), lifetime).unwrap();
        let opened = Identity::open(sealed.as_bytes(), &token(), now()).unwrap();
        prop_assert_eq!(opened, identity.with_expiry(now() + lifetime));
    }

    #[test]
    fn nothing_that_was_not_sealed_is_opened(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        prop_assert!(Identity::open(&bytes, &token(), now()).is_err());
        prop_assert!(format::read(&bytes).is_none_or(|read| format::write(&read, read.expires().unwrap()).is_some()));
    }
}
