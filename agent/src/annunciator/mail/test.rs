//! `andon mail test`: one real mail, and what the server says to it.

use crate::annunciator::test::{self, NotSent, tell, told};
use crate::config;
use crate::settings::{Mailbox, Security, Settings};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::time::Instant;

/// Proves that mail reaches people.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Options {
    /// Send one mail, and show what the server says to it
    Test(Test),
}

/// To whom a test mail goes.
#[derive(Debug, Clone, clap::Args)]
pub struct Test {
    /// Who gets it: lead@example.com
    #[arg(value_parser = parse_address)]
    address: Mailbox,
    /// The configuration with [mail]
    #[arg(long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
}

fn parse_address(text: &str) -> Result<Mailbox, String> {
    config::parse_mailbox(text).ok_or_else(|| "a mailbox such as lead@example.com".into())
}

/// Sends a test mail: 0 the server has taken it, 1 it has not, 2 wrong usage.
pub fn command(options: &Options) -> ExitCode {
    let Options::Test(test) = options;
    test::run("mail", &test.config, async |settings| {
        send(test, settings).await
    })
}

async fn send(options: &Test, settings: &Settings) -> Result<(), NotSent> {
    let Some(mail) = &settings.mail else {
        let file = options.config.display();
        let why = format!("{file} has no [mail] with a `server` to send by");
        return Err(NotSent::Usage(why));
    };
    let security = match mail.security {
        Security::Tls => "TLS",
        Security::Starttls => "STARTTLS",
        Security::None => "not encrypted",
    };
    let server = &mail.server;
    tell(&format!(
        "server     {}:{}, {security}",
        server.host, server.port
    ))?;
    let message = test::message(&settings.plant.gateway.id);
    let to = &options.address;
    tell(&format!("sending    to {}: {}", to.address, message.text))?;
    let begun = Instant::now();
    let outcome = super::send(mail, to, &message).await;
    told(
        outcome,
        begun,
        "look into the mailbox, and among its unwanted mail",
    )
}
