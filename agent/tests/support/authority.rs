//! An authority made by openssl for one test, and a broker that shows a certificate of it.

use crate::mosquitto::Mosquitto;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What openssl keeps its books by.
const CONFIG: &str = "[ca]\ndefault_ca = books\n[books]\ndatabase = index\nserial = serial\n\
    crlnumber = crlnumber\nnew_certs_dir = .\ncertificate = ca.pem\nprivate_key = ca.key\n\
    default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n\
    [req]\ndistinguished_name = none\n[none]\n";

/// What brokers and clients need to have in a certificate.
pub const OF_A_BROKER: &str = "subjectAltName=DNS:localhost";
pub const OF_A_CLIENT: &str = "extendedKeyUsage=clientAuth";

/// An authority, a broker certificate for `localhost` and a client certificate of it.
pub struct Authority {
    dir: TempDir,
}

impl Authority {
    /// Makes all of them.
    pub fn new() -> Authority {
        Authority::named("ca")
    }

    /// An authority of this name, with both certificates.
    pub fn named(name: &str) -> Authority {
        let authority = Authority {
            dir: tempfile::tempdir().unwrap(),
        };
        for (file, content) in [
            ("books.cnf", CONFIG),
            ("index", ""),
            ("serial", "01"),
            ("crlnumber", "01"),
        ] {
            fs::write(authority.file(file), content).unwrap();
        }
        authority.openssl(&format!(
            "req -config books.cnf -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
             -days 2 -subj /CN={name} -addext basicConstraints=critical,CA:true -keyout ca.key \
             -out ca.pem"
        ));
        fs::write(authority.file("names"), OF_A_BROKER).unwrap();
        authority.issue("broker", OF_A_BROKER);
        authority.issue("client", OF_A_CLIENT);
        authority
    }

    /// Issues a certificate that is valid now: `NAME.pem` with its key in `NAME.key`.
    pub fn issue(&self, name: &str, extension: &str) {
        self.issue_for(name, extension, "-days 2");
    }

    /// Issues one with a validity as openssl has it: `-days 2`.
    pub fn issue_for(&self, name: &str, extension: &str, validity: &str) {
        fs::write(self.file("ext"), extension).unwrap();
        self.openssl(&format!(
            "req -config books.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
             -subj /CN={name} -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "ca -config books.cnf -batch -notext -in {name}.csr -extfile ext {validity} \
             -out {name}.pem"
        ));
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

    /// Runs openssl in the folder of the authority.
    pub fn openssl(&self, arguments: &str) {
        openssl(self.dir.path(), arguments);
    }
}

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
