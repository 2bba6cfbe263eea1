//! What lies in the files of TLS, for `andon check` and for the log: whose certificates, until when.

use super::certificate::{Certificate, RevocationList, moment};
use super::{FileError, certificates, config, private_key, revocation_lists};
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
    if let Some(file) = &tls.key_file
        && let Err(error) = private_key(file)
    {
        add("key_file", file, Err(error));
    }
    // What only shows when everything is put together: the key, an authority that is none.
    if let Err(error) = config(tls) {
        let wrong = Some(error.to_string());
        if found.iter().all(|file| file.wrong != wrong) {
            let what = error.file.map(|file| file.display().to_string());
            found.push(Finding {
                key: error.key,
                what: what.unwrap_or_default(),
                wrong,
            });
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Valid from 2026-01-02 to 2056-01-02.
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/testdata/line-1.pem");
    /// Next update 2027-01-02.
    const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/testdata/line-1.crl");
    const DAY: i64 = 86_400_000;
    const END_OF_2055: Wall = Wall(2_714_000_000_000);

    fn wrong(file: &str, now: Wall) -> Option<String> {
        own(Path::new(file), now).unwrap().1
    }

    #[test]
    fn what_has_expired_or_soon_will_is_told() {
        let until = Certificate::read(&certificates("cert_file", Path::new(FILE)).unwrap()[0])
            .unwrap()
            .not_after;
        let at = |days: i64| wrong(FILE, Wall(until.0 + days * DAY));
        assert_eq!(at(-31), None);
        let soon = at(-7).unwrap();
        assert!(
            soon.contains("CN=冲压 1 expires on 2056-01-02 03:04 UTC, in 7 days"),
            "{soon}"
        );
        let past = at(1).unwrap();
        assert!(
            past.contains("has expired on 2056-01-02 03:04 UTC"),
            "{past}"
        );
        let unset = wrong(FILE, Wall(0)).unwrap();
        assert!(
            unset.contains("is not valid before 2026-01-02 03:04 UTC"),
            "{unset}"
        );
    }

    #[test]
    fn a_list_that_is_out_of_date_is_told() {
        let (what, wrong) = lists(Path::new(LIST), END_OF_2055).unwrap();
        assert!(what.contains("until 2027-01-02 03:04 UTC"), "{what}");
        let wrong = wrong.unwrap();
        assert!(
            wrong.contains("is out of date since 2027-01-02 03:04 UTC"),
            "{wrong}"
        );
    }

    /// One thing that is wrong must not hide another.
    #[test]
    fn each_file_that_is_wrong_is_told() {
        let tls = Tls {
            cert_file: Some(FILE.into()),
            key_file: Some("missing.key".into()),
            crl_file: Some("missing.crl".into()),
            ca_file: Some("missing.pem".into()),
            alpn: None,
        };
        let found = examine(&tls, END_OF_2055);
        let wrong: Vec<&str> = found
            .iter()
            .filter(|file| file.wrong.is_some())
            .map(|file| file.key)
            .collect();
        assert_eq!(wrong, ["ca_file", "cert_file", "crl_file", "key_file"]);
    }
}
