//! An authority made by openssl for one test, and a broker that shows a certificate of it.

use crate::mosquitto::Mosquitto;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// An authority, a broker certificate for `localhost` and a client certificate of it.
pub struct Authority {
    dir: TempDir,
}

impl Authority {
    /// Makes all of them.
    pub fn new() -> Authority {
        let dir = tempfile::tempdir().unwrap();
        let ca = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
                  -keyout ca.key -out ca.pem";
        openssl(dir.path(), ca);
        for (name, extension) in [
            ("broker", "subjectAltName=DNS:localhost"),
            ("client", "extendedKeyUsage=clientAuth"),
        ] {
            std::fs::write(dir.path().join(format!("{name}.ext")), extension).unwrap();
            let request = format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} \
                 -keyout {name}.key -out {name}.csr"
            );
            openssl(dir.path(), &request);
            let sign = format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile {name}.ext -out {name}.pem"
            );
            openssl(dir.path(), &sign);
        }
        Authority { dir }
    }

    /// The path of `ca.pem`, `broker.pem`, `client.pem`, `client.key` and so on.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A broker that shows its certificate, and whose configuration says who is let in.
    pub async fn broker(&self, config: &str) -> Mosquitto {
        let [ca, cert, key] = ["ca.pem", "broker.pem", "broker.key"].map(|name| self.file(name));
        let (ca, cert, key) = (ca.display(), cert.display(), key.display());
        let config = format!("cafile {ca}\ncertfile {cert}\nkeyfile {key}\n{config}");
        Mosquitto::start_with(&config).await
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let status = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "openssl {arguments}");
}
