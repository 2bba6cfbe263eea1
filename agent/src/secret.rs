//! Files that hold a secret and nothing else, and where systemd puts those that it hands to a service.

use std::path::{Path, PathBuf};

/// How the folder of the service's credentials is written in the configuration
/// (`LoadCredential=`, systemd.exec(5)); where it is, systemd says at each start.
pub(crate) const CREDENTIALS: &str = "$CREDENTIALS_DIRECTORY";

/// Where a file of the configuration is.
pub(crate) fn locate(file: &Path) -> Result<PathBuf, String> {
    place(
        file,
        std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
    )
}

/// The first line of a secret that is a name or a password; spaces belong to it.
pub(crate) fn read(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(locate(file)?).map_err(|error| error.to_string())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn place(file: &Path, credentials: Option<PathBuf>) -> Result<PathBuf, String> {
    let Ok(name) = file.strip_prefix(CREDENTIALS) else {
        return Ok(file.to_path_buf());
    };
    match credentials {
        Some(folder) => Ok(folder.join(name)),
        None => Err(format!(
            "systemd has handed no credentials over; add `LoadCredential={}:FILE` to the unit of \
             the service",
            name.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_where_systemd_says() {
        let credential = Path::new("$CREDENTIALS_DIRECTORY/broker");
        assert_eq!(
            place(credential, Some("/run/credentials/andon.service".into())),
            Ok("/run/credentials/andon.service/broker".into())
        );
        let why = place(credential, None).unwrap_err();
        assert!(why.contains("LoadCredential=broker:FILE"), "{why}");
        let file = Path::new("/etc/andon/broker");
        assert_eq!(place(file, Some("/run".into())), Ok(file.into()));
    }

    #[test]
    fn the_end_of_the_line_is_not_part_of_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (text, secret) in [
            ("right", "right"),
            ("right\n", "right"),
            ("\u{feff}right\r\n", "right"),
            (" r ight ", " r ight "),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(read(&file).unwrap(), secret);
        }
    }
}
