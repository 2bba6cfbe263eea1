//! Certificates that are refused, by us and by the other side, in words that say which and what to do.

use super::certificate::{Certificate, RevocationList, moment};
use super::revocation_lists;
use crate::clock;
use andon_core::time::{ClockState, Wall};
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct,
    DistinguishedName, Error, OtherError, SignatureScheme, WantsVerifier,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Decides exactly as the verifier of rustls does; what that refuses gets words.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) judge: Arc<rustls::client::WebPkiServerVerifier>,
    /// Where the authorities come from.
    pub(super) authorities: String,
    pub(super) crl_file: Option<PathBuf>,
}

/// Has certificates verified by `verifier`.
#[expect(
    clippy::disallowed_methods,
    reason = "the only verifier besides that of rustls; it asks that one and changes no verdict"
)]
pub(super) fn verified_by(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    verifier: Verifier,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.judge.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        verdict.map_err(|error| match error {
            Error::InvalidCertificate(why) => {
                let chain = std::iter::once(end_entity).chain(intermediates);
                let chain = chain.filter_map(|der| Certificate::read(der)).collect();
                let refusal = self.refusal(why, chain, server_name, now);
                CertificateError::Other(OtherError(Arc::new(refusal))).into()
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.judge.root_hint_subjects()
    }
}

impl Verifier {
    /// What was refused and why. It is the certificate of the server itself, unless another one of the
    /// chain is out of its time.
    fn refusal(
        &self,
        why: CertificateError,
        chain: Vec<Certificate>,
        server: &ServerName<'_>,
        now: UnixTime,
    ) -> Refusal {
        let now = wall(now);
        let out_of_time = chain
            .iter()
            .find(|certificate| !(certificate.not_before..=certificate.not_after).contains(&now));
        let is_about_time = matches!(
            why,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        );
        let shown = match is_about_time {
            true => out_of_time.or(chain.first()),
            false => chain.first(),
        };
        Refusal {
            certificate: shown.cloned(),
            server: server.to_str().into_owned(),
            authorities: self.authorities.clone(),
            // Only to say what is in it: it has been read for this connection before.
            lists: match (&why, &self.crl_file) {
                (
                    CertificateError::ExpiredRevocationList
                    | CertificateError::ExpiredRevocationListContext { .. }
                    | CertificateError::UnknownRevocationStatus,
                    Some(file),
                ) => revocation_lists(file).map_or(Vec::new(), |lists| {
                    let lists = lists.iter();
                    lists.filter_map(|der| RevocationList::read(der)).collect()
                }),
                _ => Vec::new(),
            },
            crl_file: self.crl_file.clone().unwrap_or_default(),
            clock_is_unset: clock::now().clock == ClockState::Unsynced,
            why,
            now,
        }
    }
}

fn wall(time: UnixTime) -> Wall {
    let ms = time.as_secs().saturating_mul(1000);
    Wall(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// A certificate of a server that was refused.
#[derive(Debug)]
struct Refusal {
    why: CertificateError,
    certificate: Option<Certificate>,
    server: String,
    authorities: String,
    crl_file: PathBuf,
    lists: Vec<RevocationList>,
    /// By which it was judged.
    now: Wall,
    clock_is_unset: bool,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.certificate {
            Some(certificate) => write!(f, "the server's certificate ({certificate}) ")?,
            None => f.write_str("the server's certificate ")?,
        }
        let until = |at: fn(&Certificate) -> Wall| {
            let at = self.certificate.as_ref().map(at);
            at.map_or_else(|| "?".to_owned(), moment)
        };
        let crl_file = self.crl_file.display();
        match &self.why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => write!(
                f,
                "was not issued by an authority in {}; if it is to be trusted, the certificate of \
                 its authority belongs in the file of `ca_file`",
                self.authorities
            ),
            CertificateError::NotValidForNameContext { presented, .. } => write!(
                f,
                "is for another name: it is valid for {}, and the address says {}; write a name of \
                 the certificate there, or have one issued for this name",
                names(presented),
                self.server
            ),
            CertificateError::NotValidForName => write!(
                f,
                "is for another name than {}; check the host in the address",
                self.server
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                write!(
                    f,
                    "has expired: it was valid until {}, and it is {}",
                    until(|certificate| certificate.not_after),
                    moment(self.now)
                )?;
                f.write_str("; the server needs a new one, if the gateway's clock is right")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                write!(
                    f,
                    "is not valid yet: it is from {} on, and here it is {}",
                    until(|certificate| certificate.not_before),
                    moment(self.now)
                )?;
                f.write_str(match self.clock_is_unset {
                    true => {
                        "; the gateway's clock is not set: it is tried again as soon as it is \
                         (a time server of the plant, or `date -s` by hand)"
                    }
                    false => {
                        "; check the gateway's clock, and the server's certificate if it is right"
                    }
                })
            }
            CertificateError::Revoked => write!(
                f,
                "has been revoked, says crl_file {crl_file}; the server needs a new one"
            ),
            CertificateError::UnknownRevocationStatus => write!(
                f,
                "may have been revoked: crl_file {crl_file} has no list of the authority that issued \
                 it or another one of its chain, only of {}; add that list to the file",
                self.issuers()
            ),
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => write!(
                f,
                "may have been revoked meanwhile: the list in crl_file {crl_file} is out of date \
                 ({}), and it is {}; put a new one of the authority there",
                self.issuers(),
                moment(self.now)
            ),
            other => write!(f, "cannot be accepted: {other}"),
        }
    }
}

impl Refusal {
    /// The authorities of the lists, and until when these hold.
    fn issuers(&self) -> String {
        let list = |list: &RevocationList| match list.next_update {
            Some(at) => format!("{}, valid until {}", list.issuer, moment(at)),
            None => list.issuer.clone(),
        };
        let lists: Vec<String> = self.lists.iter().take(5).map(list).collect();
        match lists.is_empty() {
            true => "nobody".to_owned(),
            false => lists.join("; "),
        }
    }
}

/// The names of a certificate as people write them: rustls has `DnsName("broker")`.
fn names(presented: &[String]) -> String {
    let plain = |name: &String| match name.split_once("(\"") {
        Some((_, rest)) => rest.trim_end_matches("\")").to_owned(),
        None => name
            .trim_start_matches("IpAddress(")
            .trim_end_matches(')')
            .to_owned(),
    };
    let names: Vec<String> = presented.iter().take(10).map(plain).collect();
    match names.is_empty() {
        true => "no name".to_owned(),
        false => names.join(", "),
    }
}

/// What TLS ended with, and what to check. `own` is what this side shows of itself.
pub(crate) fn explain(error: &Error, own: Option<&str>) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Other(why)) => why.to_string(),
        Error::InvalidCertificate(why) => {
            format!("the server's certificate cannot be accepted: {why}")
        }
        Error::AlertReceived(alert) => explain_alert(*alert, own),
        Error::NoApplicationProtocol => {
            "TLS: the server does not know the protocol in `alpn`; check it".to_owned()
        }
        Error::InvalidMessage(_) => {
            "what listens there does not speak TLS; check the port, or write the address without TLS"
                .to_owned()
        }
        other => format!("TLS: {other}"),
    }
}

fn explain_alert(alert: AlertDescription, own: Option<&str>) -> String {
    let shown = own.unwrap_or("none is configured");
    let what = match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
            if own.is_none() =>
        {
            "wants a certificate of this gateway"
        }
        AlertDescription::CertificateExpired => "says that this gateway's certificate has expired",
        AlertDescription::CertificateRevoked => "says that this gateway's certificate is revoked",
        AlertDescription::UnknownCA => {
            "does not know the authority that issued this gateway's certificate"
        }
        AlertDescription::CertificateRequired => "wants another certificate of this gateway",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied => "does not accept this gateway's certificate",
        AlertDescription::HandshakeFailure if own.is_none() => {
            "breaks off; it may want a certificate of this gateway, or ciphers of before TLS 1.2"
        }
        AlertDescription::ProtocolVersion => {
            return "TLS: the server speaks neither TLS 1.2 nor 1.3".to_owned();
        }
        AlertDescription::NoApplicationProtocol => {
            return "TLS: the server does not know the protocol in `alpn`; check it".to_owned();
        }
        AlertDescription::UnrecognisedName => {
            return "TLS: the server knows no such name; check the host in the address".to_owned();
        }
        other => return format!("TLS: the server breaks off with {other:?}; its log says why"),
    };
    format!("the server {what}; check cert_file: {shown}")
}
