//! The tokens of scripts: each alone in a file of its own.
//!
//! A file is read anew for each request, so that replacing it is enough. One that does not exist
//! is written at the start with a random token, for nobody else to read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use subtle::ConstantTimeEq as _;

/// Random bytes of a token that the agent makes.
const RANDOM: usize = 32;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;

/// Larger files are no tokens.
const LONGEST: u64 = 4096;

/// Makes sure that there is a token in `file`; why not, and what to do. Blocks.
pub fn prepare(file: &Path) -> Result<(), String> {
    match write_new(file) {
        Ok(()) => {
            tracing::info!("wrote a new token for scripts to {}", file.display());
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let token = read(file)?;
            drop(token);
            warn_of_readers(file);
            Ok(())
        }
        Err(error) => Err(format!(
            "token_file {}: cannot be written: {error}; write a random token of at least \
             {SHORTEST} characters into it, or let the agent write in its folder",
            file.display()
        )),
    }
}

fn write_new(file: &Path) -> io::Result<()> {
    let mut random = [0; RANDOM];
    crate::store::random(&mut random)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    writeln!(file, "{token}")?;
    file.sync_all()
}

fn warn_of_readers(file: &Path) {
    const OTHERS: u32 = 0o077;
    if fs::metadata(file).is_ok_and(|of| of.permissions().mode() & OTHERS != 0) {
        tracing::warn!(
            "token_file {}: other users can read it (`chmod 600` ends that)",
            file.display()
        );
    }
}

/// The token in `file`; why there is none, and what to do. Blocks.
pub(super) fn read(file: &Path) -> Result<String, String> {
    let why = |what: &dyn std::fmt::Display| format!("token_file {}: {what}", file.display());
    let size = fs::metadata(file).map_err(|error| why(&error))?.len();
    if size > LONGEST {
        return Err(why(&"this is no token: it is larger than 4 KiB"));
    }
    let text = fs::read_to_string(file).map_err(|error| why(&error))?;
    let token = text.trim();
    if token.len() < SHORTEST {
        let short = format!("the token must have at least {SHORTEST} characters");
        return Err(why(&short));
    }
    Ok(token.to_owned())
}

/// Whether two tokens are the same, in a time that does not depend on where they differ.
pub(super) fn are_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_token_is_written_once_for_nobody_else_to_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("push.token");
        prepare(&file).unwrap();
        let token = read(&file).unwrap();
        assert_eq!(token.len(), 2 * RANDOM);
        assert!(token.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        prepare(&file).unwrap();
        assert_eq!(read(&file).unwrap(), token, "it stays");
    }

    #[test]
    fn a_file_that_holds_no_token_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("push.token");
        for text in ["", "\n", "short", &"x".repeat(5000)] {
            fs::write(&file, text).unwrap();
            let why = prepare(&file).unwrap_err();
            assert!(why.contains("push.token"), "{why}");
        }
        let why = prepare(&folder.path().join("missing/push.token")).unwrap_err();
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
