//! TLS as a client: rustls with ring, and the files of the configuration, read anew for each
//! connection so that replacing them is enough.
//!
//! - Certificates are always verified: name, time, authority, and with `crl_file` whether they are
//!   revoked. There is no setting for less.
//! - A certificate is judged by the agent's clock, which while nobody vouches for it shows no time
//!   before the latest one known (`clock::for_certificates`).
//! - What is refused is told with the certificate, the file it was held against, and what to do.

mod certificate;
mod examine;
mod refusal;

pub(crate) use certificate::moment;
pub(crate) use examine::{Finding, examine};
pub(crate) use refusal::explain;

use crate::clock;
use crate::secret;
use crate::settings::Tls;
use certificate::Certificate;
use refusal::Verifier;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where distributions keep the authorities that the system trusts.
const SYSTEM_ROOTS: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileError {
    /// The key of the configuration it is about.
    key: &'static str,
    file: Option<PathBuf>,
    why: String,
}

impl FileError {
    pub(crate) fn new(key: &'static str, file: &Path, why: &dyn fmt::Display) -> FileError {
        FileError {
            key,
            file: Some(file.to_path_buf()),
            why: why.to_string(),
        }
    }

    fn plain(key: &'static str, why: &dyn fmt::Display) -> FileError {
        FileError {
            key,
            file: None,
            why: why.to_string(),
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} {}: {}", self.key, file.display(), self.why),
            None => write!(f, "{}: {}", self.key, self.why),
        }
    }
}

/// How TLS connections are verified and encrypted. Reads certificates, so it may block.
pub(crate) fn config(tls: &Tls) -> Result<ClientConfig, FileError> {
    config_by(tls, Arc::new(AgentClock))
}

fn config_by(tls: &Tls, clock: Arc<dyn TimeProvider>) -> Result<ClientConfig, FileError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_details(Arc::clone(&provider), clock)
        .with_safe_default_protocol_versions()
        .map_err(|error| FileError::plain("TLS", &error))?;
    let builder = refusal::verified_by(builder, verifier(tls, provider)?);
    let mut config = match (&tls.cert_file, &tls.key_file) {
        (Some(cert_file), Some(key_file)) => {
            let chain = certificates("cert_file", cert_file)?;
            let wrong = |error: rustls::Error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    let why = format!(
                        "it is not the certificate of the key in key_file {}; put both there \
                         as they were made",
                        key_file.display()
                    );
                    FileError::new("cert_file", cert_file, &why)
                }
                other => FileError::new("cert_file", cert_file, &other),
            };
            let key = private_key(key_file)?;
            builder.with_client_auth_cert(chain, key).map_err(wrong)?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => {
            let why = "cert_file and key_file belong together; give both or neither";
            return Err(FileError::plain("upstream", &why));
        }
    };
    if let Some(alpn) = &tls.alpn {
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    }
    Ok(config)
}

fn verifier(tls: &Tls, provider: Arc<CryptoProvider>) -> Result<Verifier, FileError> {
    let ca_file = authorities_file(tls)?;
    let mut roots = RootCertStore::empty();
    let (added, ignored) = roots.add_parsable_certificates(certificates("ca_file", &ca_file)?);
    if added == 0 {
        let why = format!("none of its {ignored} certificates can be used as an authority");
        return Err(FileError::new("ca_file", &ca_file, &why));
    }
    let mut builder =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    if let Some(crl_file) = &tls.crl_file {
        builder = builder
            .with_crls(revocation_lists(crl_file)?)
            .enforce_revocation_expiration();
    }
    let about = tls.crl_file.as_deref().unwrap_or(&ca_file);
    let key = match tls.crl_file {
        Some(_) => "crl_file",
        None => "ca_file",
    };
    let verifier = builder
        .build()
        .map_err(|error| FileError::new(key, about, &error))?;
    Ok(Verifier {
        judge: verifier,
        authorities: match &tls.ca_file {
            Some(file) => format!("ca_file {}", file.display()),
            None => format!("the list of the system ({})", ca_file.display()),
        },
        crl_file: tls.crl_file.clone(),
    })
}

/// What this side shows of itself, in words; none if it shows nothing or that cannot be read. Blocks.
pub(crate) fn own_certificate(tls: &Tls) -> Option<String> {
    let file = tls.cert_file.as_ref()?;
    let chain = certificates("cert_file", file).ok()?;
    let certificate = Certificate::read(chain.first()?)?;
    let now = clock::for_certificates();
    let validity = if certificate.not_after < now {
        format!(", expired since {}", moment(certificate.not_after))
    } else if certificate.not_before > now {
        format!(", not valid before {}", moment(certificate.not_before))
    } else {
        String::new()
    };
    Some(format!("{} ({certificate}{validity})", file.display()))
}

/// The authorities that may vouch: those of the configuration, or those that the system trusts.
fn authorities_file(tls: &Tls) -> Result<PathBuf, FileError> {
    if let Some(file) = &tls.ca_file {
        return Ok(file.clone());
    }
    let mut known = SYSTEM_ROOTS.iter().map(Path::new);
    let found = known.find(|file| file.is_file()).map(Path::to_path_buf);
    found.ok_or_else(|| {
        let why = "this system has no list of trusted authorities (package ca-certificates); \
                   name the broker's with ca_file";
        FileError::plain("ca_file", &why)
    })
}

fn read(key: &'static str, file: &Path) -> Result<Vec<u8>, FileError> {
    let wrong = |why: &dyn fmt::Display| FileError::new(key, file, why);
    let path = secret::locate(file).map_err(|why| wrong(&why))?;
    std::fs::read(path).map_err(|error| wrong(&error))
}

fn certificates(key: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let bytes = read(key, file)?;
    let certificates = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| FileError::new(key, file, &error))?;
    if certificates.is_empty() {
        let why = "there is no PEM certificate in it";
        return Err(FileError::new(key, file, &why));
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let bytes = read("key_file", file)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            let why = "there is no PEM key in it; one with a passphrase cannot be used";
            FileError::new("key_file", file, &why)
        }
        other => FileError::new("key_file", file, &other),
    })
}

/// Authorities hand their lists out as PEM and, more often, as plain DER.
fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    let bytes = read("crl_file", file)?;
    if bytes.first() == Some(&certificate::SEQUENCE) {
        return Ok(vec![bytes.into()]);
    }
    let lists = CertificateRevocationListDer::pem_slice_iter(&bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| FileError::new("crl_file", file, &error))?;
    if lists.is_empty() {
        let why = "there is no list of revoked certificates in it, neither as PEM nor as DER";
        return Err(FileError::new("crl_file", file, &why));
    }
    Ok(lists)
}

/// rustls asks the agent's clock.
#[derive(Debug)]
struct AgentClock;

impl TimeProvider for AgentClock {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(clock::for_certificates().0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}
