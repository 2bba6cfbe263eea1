//! What lies in the files of TLS, for `andon check` and for the log: whose certificates, until when.

use super::certificate::{Certificate, RevocationList, moment};
use super::{FileError, certificates, config, revocation_lists};
use crate::settings::Tls;
use andon_core::time::Wall;
use std::path::Path;

/// Somebody should renew a certificate that ends within this time: 30 days.
const SOON_MS: i64 = 30 * 86_400_000;

/// So many certificates of a file are named.
const MOST: usize = 3;

/// What one file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its key in the configuration.
    pub(crate) key: &'static str,
    /// The file and what is in it.
    pub(crate) what: String,
    /// What is wrong with it or soon will be, and what to do.
    pub(crate) wrong: Option<String>,
}

/// Looks into all of them, by the clock `now`. Blocks.
pub(crate) fn examine(tls: &Tls, now: Wall) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |key, file: &Path, examined: Result<(String, Option<String>), FileError>| {
        found.push(match examined {
            Ok((what, wrong)) => Finding {
                key,
                what: format!("{}: {what}", file.display()),
                wrong,
            },
            Err(error) => Finding {
                key,
                what: file.display().to_string(),
                wrong: Some(error.to_string()),
            },
        });
    };
    if let Some(file) = &tls.ca_file {
        add("ca_file", file, authorities(file, now));
    }
    if let Some(file) = &tls.cert_file {
        add("cert_file", file, own(file, now));
    }
    if let Some(file) = &tls.crl_file {
        add("crl_file", file, lists(file, now));
    }
    // What only shows when everything is put together: the key, an authority that is none.
    if let (Err(error), true) = (config(tls), found.iter().all(|file| file.wrong.is_none())) {
        let (key, what) = match &tls.key_file {
            Some(file) => ("key_file", file.display().to_string()),
            None => ("TLS", String::new()),
        };
        found.push(Finding {
            key,
            what,
            wrong: Some(error.to_string()),
        });
    }
    found
}

fn authorities(file: &Path, now: Wall) -> Result<(String, Option<String>), FileError> {
    let all = read(certificates("ca_file", file)?);
    let mut shown: Vec<String> = all.iter().take(MOST).map(shown).collect();
    if let Some(more @ 1..) = all.len().checked_sub(MOST) {
        shown.push(format!("{more} more"));
    }
    // One of many that has expired is nothing to worry about.
    let wrong = all
        .iter()
        .find_map(|one| trouble(one, now, "the broker's authority"));
    let wrong = wrong.filter(|_| all.len() <= MOST);
    Ok((shown.join("; "), wrong))
}

fn own(file: &Path, now: Wall) -> Result<(String, Option<String>), FileError> {
    let all = read(certificates("cert_file", file)?);
    let wrong = all.iter().find_map(|one| trouble(one, now, "its issuer"));
    let shown: Vec<String> = all.iter().take(MOST).map(shown).collect();
    Ok((shown.join("; "), wrong))
}

fn lists(file: &Path, now: Wall) -> Result<(String, Option<String>), FileError> {
    let lists = revocation_lists(file)?;
    let lists: Vec<RevocationList> = lists
        .iter()
        .filter_map(|der| RevocationList::read(der))
        .collect();
    let shown = lists.iter().take(MOST).map(|list| match list.next_update {
        Some(at) => format!("revoked by {}, until {}", list.issuer, moment(at)),
        None => format!("revoked by {}", list.issuer),
    });
    let shown = shown.collect::<Vec<_>>().join("; ");
    let past = lists.iter().find_map(|list| {
        let at = list.next_update.filter(|at| *at < now)?;
        Some(format!(
            "the list of {} is out of date since {}: no connection is made by it; get a new one \
             from the authority",
            list.issuer,
            moment(at)
        ))
    });
    Ok((shown, past))
}

fn read(ders: Vec<rustls_pki_types::CertificateDer<'_>>) -> Vec<Certificate> {
    ders.iter()
        .filter_map(|der| Certificate::read(der))
        .collect()
}

fn shown(certificate: &Certificate) -> String {
    format!("{certificate}, until {}", moment(certificate.not_after))
}

fn trouble(certificate: &Certificate, now: Wall, from: &str) -> Option<String> {
    let subject = &certificate.subject;
    let (before, after) = (certificate.not_before, certificate.not_after);
    if now < before {
        return Some(format!(
            "{subject} is not valid before {}; it is {} here: check the clock",
            moment(before),
            moment(now)
        ));
    }
    if now > after {
        return Some(format!(
            "{subject} has expired on {}; get a new one from {from} and put it there: the file is \
             taken up while the agent runs",
            moment(after)
        ));
    }
    let left = after.0 - now.0;
    (left < SOON_MS).then(|| {
        format!(
            "{subject} expires on {}, in {} days; get a new one from {from} and put it there: the \
             file is taken up while the agent runs",
            moment(after),
            left / 86_400_000
        )
    })
}
