//! Tokens: each alone in a file of its own.
//!
//! A file is read anew each time, so that replacing it is enough. One that does not exist is
//! written at the start with a random token, for nobody else to read.

use std::fmt::Display;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// Random bytes of a token that the agent makes.
const RANDOM: usize = 32;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// Larger files are no tokens.
const LONGEST: u64 = 4096;

/// Where a token is.
#[derive(Debug, Clone)]
pub struct TokenFile {
    path: Arc<Path>,
    /// The key of the configuration that names it.
    key: &'static str,
    /// Whose token it is, for the log.
    whose: &'static str,
}

impl TokenFile {
    /// The one at `path`, which `key` of the configuration names, and which is `whose`.
    pub fn new(path: PathBuf, key: &'static str, whose: &'static str) -> TokenFile {
        TokenFile {
            path: path.into(),
            key,
            whose,
        }
    }

    /// Makes sure that there is a token; why not, and what to do.
    pub async fn prepare(&self) -> Result<(), String> {
        self.on_disk(TokenFile::prepare_now).await
    }

    /// The token; why there is none, and what to do.
    pub async fn read(&self) -> Result<String, String> {
        self.on_disk(TokenFile::read_now).await
    }

    /// Works on the file without holding up the loop.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: fn(&TokenFile) -> Result<T, String>,
    ) -> Result<T, String> {
        let file = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        done.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// [`TokenFile::prepare`]. Blocks.
    fn prepare_now(&self) -> Result<(), String> {
        match self.write_new() {
            Ok(()) => {
                tracing::info!(
                    "wrote a new token {} to {}",
                    self.whose,
                    self.path.display()
                );
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let token = self.read_now()?;
                drop(token);
                self.warn_of_readers();
                Ok(())
            }
            Err(error) => Err(self.wrong(format_args!(
                "cannot be written: {error}; write a random token of at least {SHORTEST} \
                 characters into it, or let the agent write in its folder"
            ))),
        }
    }

    fn write_new(&self) -> io::Result<()> {
        let mut random = [0; RANDOM];
        crate::store::random(&mut random)?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)?;
        writeln!(file, "{token}")?;
        file.sync_all()
    }

    fn warn_of_readers(&self) {
        const OTHERS: u32 = 0o077;
        if fs::metadata(&self.path).is_ok_and(|of| of.permissions().mode() & OTHERS != 0) {
            let what = self.wrong("other users can read it (`chmod 600` ends that)");
            tracing::warn!("{what}");
        }
    }

    /// [`TokenFile::read`]. Blocks.
    fn read_now(&self) -> Result<String, String> {
        let size = fs::metadata(&self.path)
            .map_err(|error| self.wrong(error))?
            .len();
        if size > LONGEST {
            return Err(self.wrong("this is no token: it is larger than 4 KiB"));
        }
        let text = fs::read_to_string(&self.path).map_err(|error| self.wrong(error))?;
        let token = text.trim();
        if token.len() < SHORTEST {
            let short = format!("the token must have at least {SHORTEST} characters");
            return Err(self.wrong(short));
        }
        Ok(token.to_owned())
    }

    fn wrong(&self, what: impl Display) -> String {
        format!("{} {}: {what}", self.key, self.path.display())
    }
}

/// Whether two tokens are the same, in a time that does not depend on where they differ.
pub fn are_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &Path) -> TokenFile {
        TokenFile::new(path.into(), "token_file", "for scripts")
    }

    #[test]
    fn a_missing_token_is_written_once_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("push.token");
        let file = of(&path);
        file.prepare_now().unwrap();
        let token = file.read_now().unwrap();
        assert_eq!(token.len(), 2 * RANDOM);
        assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        file.prepare_now().unwrap();
        assert_eq!(file.read_now().unwrap(), token, "it stays");
    }

    #[test]
    fn a_file_that_holds_no_token_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("push.token");
        for text in ["", "\n", "short", &"x".repeat(5000)] {
            fs::write(&path, text).unwrap();
            let why = of(&path).prepare_now().unwrap_err();
            assert!(why.starts_with("token_file "), "{why}");
            assert!(why.contains("push.token"), "{why}");
        }
        let why = of(&folder.path().join("missing/push.token"))
            .prepare_now()
            .unwrap_err();
        assert!(why.contains("cannot be written"), "{why}");
    }

    #[test]
    fn only_the_same_token_is_the_same() {
        assert!(are_same("0123456789abcdef", "0123456789abcdef"));
        for other in [
            "0123456789abcdeF",
            "0123456789abcde",
            "0123456789abcdef0",
            "",
        ] {
            assert!(!are_same("0123456789abcdef", other));
        }
    }
}
