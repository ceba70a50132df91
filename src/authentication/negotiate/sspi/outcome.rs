//! What the Security Support Provider Interface says, understood. Pure, so that it is tested on every system.

use std::time::{Duration, SystemTime};

use crate::Identity;

/// From `winerror.h`, as all that follow.
const SEC_E_OK: i32 = 0;
const SEC_I_CONTINUE_NEEDED: i32 = 0x0009_0312;
const SEC_I_COMPLETE_NEEDED: i32 = 0x0009_0313;
const SEC_I_COMPLETE_AND_CONTINUE: i32 = 0x0009_0314;
const SEC_E_INVALID_TOKEN: u32 = 0x8009_0308;
const SEC_E_LOGON_DENIED: u32 = 0x8009_030c;
const SEC_E_NO_CREDENTIALS: u32 = 0x8009_030e;
const SEC_E_MESSAGE_ALTERED: u32 = 0x8009_030f;
const SEC_E_OUT_OF_SEQUENCE: u32 = 0x8009_0310;
const SEC_E_NO_AUTHENTICATING_AUTHORITY: u32 = 0x8009_0311;
const SEC_E_CONTEXT_EXPIRED: u32 = 0x8009_0317;
const SEC_E_WRONG_PRINCIPAL: u32 = 0x8009_0322;
const SEC_E_TIME_SKEW: u32 = 0x8009_0324;

/// What came of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Whether the client is known; else it has to go on.
    pub(super) done: bool,
    /// Whether the answer's token has to be completed before it is sent.
    pub(super) complete: bool,
}

impl Outcome {
    /// That of the status of `AcceptSecurityContext`; `None` where it failed.
    pub(super) fn of(status: i32) -> Option<Self> {
        let (done, complete) = match status {
            SEC_E_OK => (true, false),
            SEC_I_COMPLETE_NEEDED => (true, true),
            SEC_I_CONTINUE_NEEDED => (false, false),
            SEC_I_COMPLETE_AND_CONTINUE => (false, true),
            _ => return None,
        };
        Some(Self { done, complete })
    }
}

/// A status that is a failure, in words that help who runs the service.
pub(super) fn reason(status: i32) -> String {
    let status = status.cast_unsigned();
    let known = match status {
        SEC_E_INVALID_TOKEN => "the token makes no sense here",
        SEC_E_LOGON_DENIED => "the system does not let the user in",
        SEC_E_NO_CREDENTIALS => "this process has no credentials to accept anybody with",
        SEC_E_MESSAGE_ALTERED => {
            "the ticket was not made for this service, or was changed: does the service's principal (HTTP/host) belong \
             to the account that this process runs as?"
        }
        SEC_E_OUT_OF_SEQUENCE => "the token does not follow what went before on this connection",
        SEC_E_NO_AUTHENTICATING_AUTHORITY => "no domain controller answers",
        SEC_E_CONTEXT_EXPIRED => "the ticket has expired",
        SEC_E_WRONG_PRINCIPAL => "the ticket is for another service",
        SEC_E_TIME_SKEW => {
            "the clocks of the client, of this machine and of the domain are too far apart"
        }
        _ => return format!("the system refuses with status {status:#010x}"),
    };
    format!("{known} (status {status:#010x})")
}

/// `DOMAIN\user`, or `user@domain` as Kerberos says it, or a bare name.
pub(super) fn identity(account: &str, ends: Option<SystemTime>) -> Identity {
    let (realm, name) = match (account.split_once('\\'), account.rsplit_once('@')) {
        (Some((domain, name)), _) => (domain, name),
        (None, Some((name, realm))) => (realm, name),
        (None, None) => ("", account),
    };
    let identity = Identity::new("Negotiate", name).with_realm(realm);
    match ends {
        Some(ends) => identity.with_expiry(ends),
        None => identity,
    }
}

/// Seconds from the beginning of Windows' time, 1601, to that of Unix, 1970.
const EPOCH: u64 = 11_644_473_600;

/// A time of Windows, in 100 ns since 1601 (UTC). `None`: never, which NTLM says with the last times there are.
pub(super) fn time(stamp: i64) -> Option<SystemTime> {
    /// The year 9999.
    const NEVER: u64 = 2_650_467_743_990_000_000;
    let stamp = u64::try_from(stamp).ok().filter(|stamp| *stamp < NEVER)?;
    let since = Duration::from_nanos((stamp % 10_000_000) * 100);
    let since = since + Duration::from_secs(stamp / 10_000_000);
    let since = since.checked_sub(Duration::from_secs(EPOCH))?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_of_four_or_a_failure() {
        for (status, want) in [
            (0, Some((true, false))),
            (0x0009_0312, Some((false, false))),
            (0x0009_0313, Some((true, true))),
            (0x0009_0314, Some((false, true))),
            // Half a message: there is nothing that could bring the other half.
            (0x8009_0318_u32.cast_signed(), None),
            (0x8009_030c_u32.cast_signed(), None),
            (1, None),
        ] {
            let outcome = Outcome::of(status).map(|one| (one.done, one.complete));
            assert_eq!(outcome, want, "{status:#x}");
        }
    }

    #[test]
    fn a_failure_is_told_with_its_number() {
        let denied = reason(SEC_E_LOGON_DENIED.cast_signed());
        assert!(denied.contains("let the user in") && denied.contains("0x8009030c"));
        let other = reason(0x8009_ffff_u32.cast_signed());
        assert!(other.contains("0x8009ffff"), "{other}");
    }

    #[test]
    fn an_account_is_a_name_and_where_it_is_known() {
        for (account, name, realm) in [
            (r"CORP\alice", "alice", "CORP"),
            ("alice@corp.test", "alice", "corp.test"),
            (r"CORP\al@ice", "al@ice", "CORP"),
            ("alice", "alice", ""),
        ] {
            let identity = identity(account, None);
            assert_eq!((identity.name(), identity.realm()), (name, realm));
            assert_eq!(identity.authentication_type(), "Negotiate");
            assert_eq!(identity.expires(), None);
        }
    }

    #[test]
    fn a_time_counts_from_another_beginning() {
        let unix = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(time(116_444_736_000_000_000), unix(0));
        assert_eq!(time(132_223_104_000_000_000), unix(1_577_836_800));
        for never in [i64::MAX, i64::MAX - 1, 0x7fff_ff36_d596_9fff, -1, 0] {
            assert_eq!(time(never), None, "{never}");
        }
        assert_eq!(identity("a", unix(9)).expires(), unix(9));
    }
}
