//! An authority made by openssl for one scenario, and a certificate of it for `localhost`.

use crate::scenario::Scenario;
use crate::{Failure, Outcome};
use std::process::{Command, Stdio};

/// Paths of what was made.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The certificate of the authority.
    pub ca: String,
    /// A certificate of it for `localhost`.
    pub cert: String,
    /// The key of that.
    pub key: String,
}

impl Authority {
    /// Makes all of it in the directory of the scenario.
    pub fn new(scenario: &Scenario) -> Outcome<Self> {
        scenario.write("names", "subjectAltName=DNS:localhost")?;
        openssl(
            scenario,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
             -keyout ca.key -out ca.pem",
        )?;
        openssl(
            scenario,
            "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server \
             -keyout server.key -out server.csr",
        )?;
        openssl(
            scenario,
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
             -extfile names -out server.pem",
        )?;
        let path = |file: &str| scenario.path(file).display().to_string();
        Ok(Self {
            ca: path("ca.pem"),
            cert: path("server.pem"),
            key: path("server.key"),
        })
    }
}

/// Runs openssl in the directory of the scenario.
pub fn openssl(scenario: &Scenario, arguments: &str) -> Outcome {
    let status = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(scenario.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("openssl {arguments}: {status}")))
}
