//! Kerberos by the system's GSSAPI.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use libgssapi::{
    context::{CtxFlags, SecurityContext, ServerCtx},
    credential::{Cred, CredUsage},
    name::Name,
    oid::{GSS_MECH_SPNEGO, GSS_NT_HOSTBASED_SERVICE, OidSet},
};

use super::{Exchange, Mechanism, Refused, Step};
use crate::Identity;

/// What the first bytes of an NTLM message are; a client that finds no ticket falls back to it.
const NTLM_MESSAGE: &[u8] = b"NTLMSSP\0";
/// The object identifier of NTLM (1.3.6.1.4.1.311.2.2.10) in the list of a SPNEGO token.
const NTLM_OID: &[u8] = b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
/// That of Kerberos 5 (1.2.840.113554.1.2.2), and the one that Microsoft once mistook for it.
const KERBEROS_OIDS: [&[u8]; 2] = [
    b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
    b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02",
];

/// Accepts Kerberos tickets for the services whose keys stand in a keytab.
///
/// The keytab is the system's (`/etc/krb5.keytab`) or the one that `KRB5_KTNAME` names. Tickets that were seen already are
/// refused by the system's replay cache. What a client delegates is thrown away.
#[derive(Clone)]
pub struct Kerberos {
    credential: Cred,
}

impl Kerberos {
    /// Accepts tickets for any service in the keytab.
    ///
    /// # Errors
    ///
    /// When there is no keytab, it can't be read, or it holds no key.
    pub fn new() -> Result<Self, KerberosError> {
        Self::acquire(None)
    }

    /// Accepts tickets for `service` alone, such as `HTTP@www.example.org`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when `service` has no key in the keytab.
    pub fn for_service(service: &str) -> Result<Self, KerberosError> {
        let name = Name::new(service.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE))
            .map_err(|error| KerberosError(error.to_string()))?;
        Self::acquire(Some(&name))
    }

    fn acquire(name: Option<&Name>) -> Result<Self, KerberosError> {
        let failed = |error: libgssapi::error::Error| KerberosError(error.to_string());
        let mut mechanisms = OidSet::new();
        mechanisms.add(GSS_MECH_SPNEGO).map_err(failed)?;
        let credential = Cred::acquire(name, None, CredUsage::Accept, Some(&mechanisms));
        Ok(Self {
            credential: credential.map_err(failed)?,
        })
    }
}

impl Mechanism for Kerberos {
    fn begin(&self) -> Box<dyn Exchange> {
        Box::new(Accepting(ServerCtx::new(Some(self.credential.clone()))))
    }
}

impl fmt::Debug for Kerberos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kerberos").finish_non_exhaustive()
    }
}

/// Why no ticket can be accepted.
#[derive(Debug)]
pub struct KerberosError(String);

impl fmt::Display for KerberosError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no key to accept Kerberos tickets with: {}; it has to stand in the keytab that KRB5_KTNAME names, or in \
             /etc/krb5.keytab, readable for this process",
            self.0
        )
    }
}

impl std::error::Error for KerberosError {}

struct Accepting(ServerCtx);

impl Exchange for Accepting {
    fn step(&mut self, token: &[u8]) -> Result<Step, Refused> {
        if token.starts_with(NTLM_MESSAGE) || offers_ntlm_alone(token) {
            return Err(Refused::new(
                "the client has no ticket for this service and offers NTLM, which this system can't check: is the \
                 service's principal (HTTP/host) known to the realm, and the host called by that name?",
            ));
        }
        let answer = self
            .0
            .step(token, None)
            .map_err(|error| Refused::new(error.to_string()))?;
        let answer = answer.map(|token| token.to_vec());
        if self.0.is_complete() {
            Ok(Step::Done(
                self.user()?,
                answer.filter(|token| !token.is_empty()),
            ))
        } else {
            Ok(Step::Continue(answer.unwrap_or_default()))
        }
    }
}

impl Accepting {
    fn user(&mut self) -> Result<Identity, Refused> {
        let refused = |error: libgssapi::error::Error| Refused::new(error.to_string());
        let info = self.0.info().map_err(refused)?;
        if info.flags.contains(CtxFlags::GSS_C_ANON_FLAG) {
            return Err(Refused::new("the ticket is of nobody in particular"));
        }
        // What was delegated must not stay: nobody asked for it.
        drop(self.0.take_delegated_cred());
        let name = info.source_name.display_name().map_err(refused)?;
        let name =
            std::str::from_utf8(&name).map_err(|_| Refused::new("the user's name is not UTF-8"))?;
        Ok(identity(name, info.lifetime))
    }
}

/// `alice@ANCM.TEST`; a name may hold an `@` itself, a realm does not.
fn identity(principal: &str, lifetime: Duration) -> Identity {
    let (name, realm) = principal.rsplit_once('@').unwrap_or((principal, ""));
    let identity = Identity::new("Negotiate", name).with_realm(realm);
    match SystemTime::now().checked_add(lifetime) {
        Some(end) => identity.with_expiry(end),
        None => identity,
    }
}

/// Whether the first token of SPNEGO lists NTLM and not Kerberos.
fn offers_ntlm_alone(token: &[u8]) -> bool {
    let lists = |oid: &[u8]| token.windows(oid.len()).any(|window| window == oid);
    // The list stands at the beginning; a ticket that holds these bytes by chance lists Kerberos, too.
    lists(NTLM_OID) && !KERBEROS_OIDS.iter().any(|oid| lists(oid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_a_name_and_a_realm() {
        for (principal, name, realm) in [
            ("alice@ANCM.TEST", "alice", "ANCM.TEST"),
            ("host/a@b@ANCM.TEST", "host/a@b", "ANCM.TEST"),
            ("alice", "alice", ""),
        ] {
            let identity = identity(principal, Duration::from_secs(60));
            assert_eq!((identity.name(), identity.realm()), (name, realm));
            assert!(identity.expires().is_some());
        }
    }

    #[test]
    fn ntlm_alone_is_told_from_kerberos() {
        let ntlm = [b"\x60\x28".as_slice(), NTLM_OID].concat();
        let both = [ntlm.as_slice(), KERBEROS_OIDS[0]].concat();
        assert!(offers_ntlm_alone(&ntlm));
        assert!(!offers_ntlm_alone(&both));
        assert!(!offers_ntlm_alone(b""));
    }
}
