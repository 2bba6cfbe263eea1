//! The number of the last connection, on disk: a host must never take the late death of an earlier
//! connection for that of the present one, also over a restart.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

const FILE: &str = "sparkplug-bdseq";

/// The file with the number.
#[derive(Debug, Clone)]
pub(super) struct NumberFile {
    file: PathBuf,
}

impl NumberFile {
    pub(super) fn in_dir(data_dir: &Path) -> NumberFile {
        NumberFile {
            file: data_dir.join(FILE),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.file
    }

    /// None if there was no connection yet. What cannot be read is told in the log and begins anew.
    pub(super) fn read(&self) -> Option<u8> {
        match std::fs::read_to_string(&self.file) {
            Ok(text) => {
                let number = text.trim().parse();
                if number.is_err() {
                    tracing::warn!(
                        "{}: no number from 0 to 255; begins at 0",
                        self.file.display()
                    );
                }
                number.ok()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!("{}: {error}; begins at 0", self.file.display());
                None
            }
        }
    }

    /// All or nothing, also over a power cut. It blocks.
    pub(super) fn write(&self, number: u8) -> io::Result<()> {
        let new = self.file.with_extension("new");
        let mut written = File::create(&new)?;
        writeln!(written, "{number}")?;
        written.sync_all()?;
        std::fs::rename(&new, &self.file)?;
        match self.file.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NumberFile;

    #[test]
    fn a_number_is_read_again_and_anything_else_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = NumberFile::in_dir(dir.path());
        assert_eq!(file.read(), None);
        file.write(255).unwrap();
        assert_eq!(file.read(), Some(255));
        for text in ["", "256", "seven"] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(file.read(), None, "{text}");
        }
    }
}
