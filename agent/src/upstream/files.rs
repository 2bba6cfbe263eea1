//! The files that a connection was made with: certificates, keys, lists of revoked ones, user name and
//! password. Replacing them is enough; a connection that lasts for months must not keep the old ones.

use crate::secret;
use crate::settings::{Broker, Tls};
use ring::digest::{Context, SHA256};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// How often they are looked at.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// How they were when they were last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
    /// Enough to know that nobody touched them: inode, length and time of each.
    touched: Vec<Option<[i64; 4]>>,
    /// What is in them.
    content: [u8; 32],
}

impl Files {
    /// Reads all that belong to a broker; none if there are none. Blocks.
    pub(super) fn of(broker: &Broker) -> Option<Files> {
        let mut paths = vec![broker.username_file.clone(), broker.password_file.clone()];
        if let Some(Tls {
            ca_file,
            cert_file,
            key_file,
            crl_file,
            alpn: _,
        }) = broker.tls.clone()
        {
            paths.extend([ca_file, cert_file, key_file, crl_file]);
        }
        let paths: Vec<PathBuf> = paths.into_iter().flatten().collect();
        (!paths.is_empty()).then(|| Files {
            // In this order: what is written in between shows as touched the next time.
            touched: touched(&paths),
            content: content(&paths),
            paths,
        })
    }

    /// How they are now, if anything else is in them. Blocks.
    pub(super) fn changed(&self) -> Option<Files> {
        let touched = touched(&self.paths);
        if touched == self.touched {
            return None;
        }
        let content = content(&self.paths);
        (content != self.content).then(|| Files {
            paths: self.paths.clone(),
            touched,
            content,
        })
    }
}

fn touched(paths: &[PathBuf]) -> Vec<Option<[i64; 4]>> {
    let of = |path: &PathBuf| {
        let of = fs::metadata(secret::locate(path).ok()?).ok()?;
        let number = |number: u64| number.cast_signed();
        Some([
            number(of.ino()),
            number(of.size()),
            of.mtime(),
            of.mtime_nsec(),
        ])
    };
    paths.iter().map(of).collect()
}

fn content(paths: &[PathBuf]) -> [u8; 32] {
    let mut digest = Context::new(&SHA256);
    for path in paths {
        let bytes = secret::locate(path)
            .ok()
            .and_then(|path| fs::read(path).ok());
        let length = bytes.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64);
        digest.update(&length.to_le_bytes());
        digest.update(&bytes.unwrap_or_default());
    }
    let mut content = [0; 32];
    content.copy_from_slice(digest.finish().as_ref());
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_a_change_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str| fs::write(path(name), text).unwrap();
        let broker = |password, key| Broker {
            host: "broker".into(),
            port: 1,
            tls: Some(Tls {
                key_file: key,
                ..Tls::default()
            }),
            username: None,
            username_file: None,
            password_file: password,
        };
        assert_eq!(Files::of(&broker(None, None)), None);
        write("password", "a");
        write("key", "b");
        let files = Files::of(&broker(Some(path("password")), Some(path("key")))).unwrap();
        assert_eq!(files.changed(), None);

        // Written anew with the same in it, as programs that look after files do.
        write("new", "a");
        fs::rename(path("new"), path("password")).unwrap();
        assert_ne!(touched(&files.paths), files.touched);
        assert_eq!(files.changed(), None);

        write("new", "c");
        fs::rename(path("new"), path("password")).unwrap();
        let changed = files.changed().unwrap();
        assert_eq!(changed.changed(), None);
        fs::remove_file(path("key")).unwrap();
        let changed = changed.changed().unwrap();
        assert_eq!(changed.changed(), None, "it has gone once");
        // The end of one is not the beginning of the next.
        write("key", "");
        assert!(changed.changed().is_some());
    }
}
