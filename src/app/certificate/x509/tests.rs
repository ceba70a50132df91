use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, SanType, SerialNumber, date_time_ymd,
    string::Ia5String,
};

use super::*;

fn certificate() -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "J\u{f6}rg");
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Example");
    params.not_before = date_time_ymd(2020, 1, 2);
    params.not_after = date_time_ymd(2060, 1, 2);
    params.serial_number = Some(SerialNumber::from(vec![0x0a, 0x00, 0xff]));
    let text = |text: &str| Ia5String::try_from(text).unwrap();
    params.subject_alt_names = vec![
        SanType::DnsName(text("client.example")),
        SanType::Rfc822Name(text("a@client.example")),
        SanType::URI(text("spiffe://example/client")),
        SanType::IpAddress("192.0.2.7".parse().unwrap()),
        SanType::IpAddress("2001:db8::7".parse().unwrap()),
    ];
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

#[test]
fn says_whom_it_is_for_and_who_issued_it() {
    let details = CertificateDetails::parse(&certificate()).unwrap();
    assert_eq!(details.subject(), "CN=J\u{f6}rg, O=Example");
    assert_eq!(details.common_name(), Some("J\u{f6}rg"));
    assert_eq!(details.issuer(), details.subject());
    assert_eq!(details.serial(), "0a00ff");
    let want = [
        CertificateName::Dns("client.example".to_owned()),
        CertificateName::Email("a@client.example".to_owned()),
        CertificateName::Uri("spiffe://example/client".to_owned()),
        CertificateName::Ip("192.0.2.7".parse().unwrap()),
        CertificateName::Ip("2001:db8::7".parse().unwrap()),
    ];
    assert_eq!(details.names(), want);
}

#[test]
fn is_valid_from_its_first_second_to_the_end_of_its_last() {
    let details = CertificateDetails::parse(&certificate()).unwrap();
    let first = SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_923_200);
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(2_840_227_200);
    assert_eq!((details.not_before(), details.not_after()), (first, last));
    let (second, instant) = (Duration::from_secs(1), Duration::from_millis(1));
    for (time, valid) in [
        (first - instant, false),
        (first, true),
        (last, true),
        (last + second - instant, true),
        (last + second, false),
    ] {
        assert_eq!(details.is_valid_at(time), valid, "{time:?}");
    }
}

#[test]
fn a_certificate_without_names_has_none() {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let details = CertificateDetails::parse(&der).unwrap();
    assert_eq!((details.subject(), details.common_name()), ("", None));
    assert!(details.names().is_empty());
}

#[test]
fn what_is_not_one_certificate_is_an_error() {
    let mut longer = certificate();
    longer.push(0);
    let trailing = CertificateDetails::parse(&longer).unwrap_err();
    assert_eq!(trailing, CertificateError(Kind::Trailing));
    for der in [&[] as &[u8], &[0x30, 3, 2, 1, 1], &certificate()[..100]] {
        let error = CertificateDetails::parse(der).unwrap_err();
        assert_eq!(error, CertificateError(Kind::Malformed));
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    #[test]
    fn no_damage_panics(at in 0_usize..400, byte: u8, cut in 0_usize..400) {
        let mut der = certificate();
        let length = der.len();
        der[at % length] = byte;
        let _ = CertificateDetails::parse(&der);
        let _ = CertificateDetails::parse(&der[..cut % length]);
    }
}
