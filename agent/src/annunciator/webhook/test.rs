//! `andon webhook test`: one real message, and what the other end says to it.

use super::Secrets;
use crate::annunciator::test::{self, NotSent, tell, told};
use crate::config::nearest::suggest;
use crate::settings::{Product, Settings};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::time::Instant;

/// Proves what tells groups and programs.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Options {
    /// Send one message, and show what the robot or the program says to it
    Test(Test),
}

/// To whom a test message goes.
#[derive(Debug, Clone, clap::Args)]
pub struct Test {
    /// The `name` of the [[webhook]]
    name: String,
    /// The configuration with it
    #[arg(long, value_name = "FILE", default_value = "andon.toml")]
    config: PathBuf,
}

/// Sends a test message: 0 it was taken, 1 it was not, 2 wrong usage.
pub fn command(options: &Options) -> ExitCode {
    let Options::Test(test) = options;
    test::run("webhook", &test.config, async |settings| {
        send(test, settings).await
    })
}

async fn send(options: &Test, settings: &Settings) -> Result<(), NotSent> {
    let webhooks = &settings.webhooks;
    let Some(webhook) = webhooks
        .iter()
        .find(|webhook| *webhook.name == options.name)
    else {
        return Err(NotSent::Usage(unknown(options, settings)));
    };
    // Where it goes, without the part of the address that is a secret.
    let place = match Secrets::read(webhook).await {
        Ok(Secrets { address, .. }) => format!("{}:{}", address.host, address.port),
        Err(why) => return Err(NotSent::Failed(why)),
    };
    tell(&format!(
        "webhook    {}: {} at {place}",
        webhook.name,
        webhook.product.name()
    ))?;
    let message = test::message(&settings.plant.gateway.id);
    tell(&format!("sending    {}", message.text))?;
    let begun = Instant::now();
    let outcome = super::send(webhook, &message).await;
    let taken = match webhook.product {
        Product::Json => "the program has it",
        _ => "look into the group",
    };
    told(outcome, begun, taken)
}

fn unknown(options: &Test, settings: &Settings) -> String {
    let file = options.config.display();
    if settings.webhooks.is_empty() {
        return format!("{file} has no [[webhook]] to send to");
    }
    let names: Vec<&str> = settings
        .webhooks
        .iter()
        .map(|webhook| &*webhook.name)
        .collect();
    let hint = suggest(&options.name, names.iter().copied(), "");
    format!("{file} has no webhook `{}`; {hint}", options.name)
}
