//! What stands in a certificate and in a list of revoked ones (X.509, RFC 5280), as far as messages
//! speak of it. Nothing here decides whom to trust: rustls does.
//!
//! Both come from outside. What cannot be read is none, and names are cut to what a log can take.

use andon_core::time::Wall;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::fmt;

/// Characters of a name that are shown.
const NAME: usize = 120;

/// Tags of ASN.1 (ITU-T X.690).
pub(super) const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
/// The version of a certificate.
const EXPLICIT_0: u8 = 0xa0;

/// A certificate in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Whose it is: `CN=broker, O=Plant`.
    pub(crate) subject: String,
    /// Who vouches for that.
    pub(crate) issuer: String,
    /// From when on it is valid.
    pub(crate) not_before: Wall,
    /// Until when.
    pub(crate) not_after: Wall,
}

impl Certificate {
    /// Reads one (RFC 5280, §4.1).
    pub(crate) fn read(der: &[u8]) -> Option<Certificate> {
        let mut certificate = Der(Der(der).take(SEQUENCE)?);
        let mut signed = Der(certificate.take(SEQUENCE)?);
        signed.skip_if(EXPLICIT_0);
        signed.take(INTEGER)?;
        signed.take(SEQUENCE)?;
        let issuer = name(signed.take(SEQUENCE)?)?;
        let mut validity = Der(signed.take(SEQUENCE)?);
        Some(Certificate {
            not_before: time(&mut validity)?,
            not_after: time(&mut validity)?,
            subject: name(signed.take(SEQUENCE)?)?,
            issuer,
        })
    }

    /// Whether it is its own authority.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_self_signed() {
            true => f.write_str(&self.subject),
            false => write!(f, "{}, issued by {}", self.subject, self.issuer),
        }
    }
}

/// A list of revoked certificates in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RevocationList {
    /// The authority whose list it is.
    pub(crate) issuer: String,
    /// When the next one comes at the latest; it is of no use any more from then on.
    pub(crate) next_update: Option<Wall>,
}

impl RevocationList {
    /// Reads one (RFC 5280, §5.1).
    pub(crate) fn read(der: &[u8]) -> Option<RevocationList> {
        let mut list = Der(Der(der).take(SEQUENCE)?);
        let mut signed = Der(list.take(SEQUENCE)?);
        signed.skip_if(INTEGER);
        signed.take(SEQUENCE)?;
        let issuer = name(signed.take(SEQUENCE)?)?;
        time(&mut signed)?;
        Some(RevocationList {
            issuer,
            next_update: time(&mut signed),
        })
    }
}

/// A moment as people write it, in UTC.
pub(crate) fn moment(wall: Wall) -> String {
    match jiff::Timestamp::from_millisecond(wall.0) {
        Ok(timestamp) => timestamp
            .to_zoned(TimeZone::UTC)
            .strftime("%Y-%m-%d %H:%M UTC")
            .to_string(),
        Err(_) => format!("{} ms", wall.0),
    }
}

/// What is left of a value in DER.
#[derive(Debug, Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and what is in it.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            // No more than what can be here; the indefinite form is not DER.
            let bytes = usize::from(first & 0x7f);
            if !(1..=4).contains(&bytes) {
                return None;
            }
            let (of_length, after) = rest.split_at_checked(bytes)?;
            length = of_length
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// What is in the next element, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    fn skip_if(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            let _ = self.next();
        }
    }
}

/// A name in the order in which it is written there; what has no short name is left out.
fn name(content: &[u8]) -> Option<String> {
    let mut parts = Der(content);
    let mut shown = String::new();
    while !parts.0.is_empty() {
        let mut attributes = Der(parts.take(SET)?);
        while !attributes.0.is_empty() {
            let mut attribute = Der(attributes.take(SEQUENCE)?);
            let of = attribute.take(OID)?;
            let (tag, value) = attribute.next()?;
            let Some(short) = short_name(of) else {
                continue;
            };
            if !shown.is_empty() {
                shown.push_str(", ");
            }
            shown.push_str(short);
            shown.push('=');
            shown.push_str(&text(tag, value));
        }
    }
    if shown.is_empty() {
        shown.push_str("(no name)");
    }
    Some(shown.chars().take(NAME).collect())
}

/// The attributes that names of machines and plants are made of (RFC 4519).
fn short_name(oid: &[u8]) -> Option<&'static str> {
    let short = match oid {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x05] => "serialNumber",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0a] => "O",
        [0x55, 0x04, 0x0b] => "OU",
        _ => return None,
    };
    Some(short)
}

/// A text without anything that would do something to a log.
fn text(tag: u8, value: &[u8]) -> String {
    let text = match tag {
        BMP_STRING => {
            let units = value.chunks_exact(2).map(|pair| {
                let [high, low] = [pair[0], pair[1]];
                u16::from_be_bytes([high, low])
            });
            char::decode_utf16(units)
                .map(|char| char.unwrap_or('?'))
                .collect()
        }
        _ => String::from_utf8_lossy(value).into_owned(),
    };
    let plain = |char: char| if char.is_control() { '?' } else { char };
    text.chars().take(NAME).map(plain).collect()
}

/// A time in one of the two forms that certificates have (RFC 5280, §4.1.2.5).
fn time(der: &mut Der<'_>) -> Option<Wall> {
    let (tag, content) = der.next()?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| number::<i8>(rest.get(at..at + 2)?);
    let time = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    let zoned = time.to_zoned(TimeZone::UTC).ok()?;
    Some(Wall(zoned.timestamp().as_millisecond()))
}

fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(())?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

    /// openssl req -x509 -newkey ed25519 -nodes -days 3650 -subj "/C=CN/O=Plant/CN=line 1" ...
    const CERTIFICATE: &str = include_str!("testdata/line-1.pem");
    /// openssl ca -gencrl of the same.
    const LIST: &str = include_str!("testdata/line-1.crl");

    fn certificate() -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_until_when() {
        let certificate = Certificate::read(&certificate()).unwrap();
        assert_eq!(certificate.subject, "C=CN, O=Plant, OU=A?B, CN=冲压 1");
        assert!(certificate.is_self_signed());
        assert_eq!(moment(certificate.not_before), "2026-01-02 03:04 UTC");
        assert_eq!(moment(certificate.not_after), "2056-01-02 03:04 UTC");
    }

    #[test]
    fn a_list_says_whose_it_is_and_when_the_next_comes() {
        let list = CertificateRevocationListDer::from_pem_slice(LIST.as_bytes()).unwrap();
        let list = RevocationList::read(&list).unwrap();
        assert_eq!(list.issuer, "C=CN, O=Plant, OU=A?B, CN=冲压 1");
        let next = moment(list.next_update.unwrap());
        assert_eq!(next, "2027-01-02 03:04 UTC");
    }

    #[test]
    fn both_forms_of_a_time_are_read_and_nothing_else() {
        let read = |tag, text: &str| {
            let length = u8::try_from(text.len()).unwrap();
            let der = [&[tag, length], text.as_bytes()].concat();
            time(&mut Der(&der)).map(moment)
        };
        assert_eq!(
            read(UTC_TIME, "491231235959Z").unwrap(),
            "2049-12-31 23:59 UTC"
        );
        assert_eq!(
            read(UTC_TIME, "500101000000Z").unwrap(),
            "1950-01-01 00:00 UTC"
        );
        assert_eq!(
            read(GENERALIZED_TIME, "20500101000000Z").unwrap(),
            "2050-01-01 00:00 UTC"
        );
        for wrong in [
            "",
            "Z",
            "49123123595Z",
            "4912312359590",
            "+91231235959Z",
            "491331235959Z",
        ] {
            assert_eq!(read(UTC_TIME, wrong), None, "{wrong}");
        }
        assert_eq!(read(SEQUENCE, "491231235959Z"), None);
    }

    proptest! {
        /// A server that is not trusted yet chose every byte.
        #[test]
        fn no_bytes_do_harm(
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            length in any::<prop::sample::Index>(),
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut der = certificate().to_vec();
            let at = at.index(der.len());
            der[at] = byte;
            let length = length.index(der.len());
            for der in [&der[..], &der[..length], &noise[..]] {
                if let Some(read) = Certificate::read(der) {
                    prop_assert!(read.subject.chars().count() <= NAME);
                    prop_assert!(!read.to_string().chars().any(char::is_control));
                }
                let _ = RevocationList::read(der);
            }
        }
    }
}
