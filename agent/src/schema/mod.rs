//! `andon schema`: the contract as files, made from the declarations that the messages themselves are
//! written by ([`andon_core::message::payloads`]).

mod asyncapi;
mod json;
mod payload;

use crate::check::say;
use andon_core::message::{Payload, payloads};
use json::Json;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The name of the AsyncAPI document beside those of payloads.
const ASYNCAPI: &str = "asyncapi";

/// What to print or to write.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which: a payload (kpi, tags, event, status, info, state, now, alarm, cmd), or asyncapi for the
    /// document of all topics. Without a name they are listed
    #[arg(conflicts_with = "out")]
    name: Option<String>,
    /// Write all of them into this directory, one file each
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// One file of the contract.
#[derive(Debug)]
struct Document {
    name: &'static str,
    about: String,
    content: Json,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.content.fmt(f)
    }
}

fn documents() -> Vec<Document> {
    let payloads = payloads();
    let of_payload = |payload: &Payload| Document {
        name: payload.name,
        about: payload.topic.to_owned(),
        content: payload::document(payload),
    };
    let mut documents: Vec<Document> = payloads.iter().map(of_payload).collect();
    documents.push(Document {
        name: ASYNCAPI,
        about: "all topics (AsyncAPI 3.0)".to_owned(),
        content: asyncapi::document(&payloads),
    });
    documents
}

/// Carries the command out; says on standard error why it cannot.
pub fn command(options: &Options) -> ExitCode {
    let documents = documents();
    if let Some(directory) = &options.out {
        return match write(directory, &documents) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("andon: {}: {error}", directory.display());
                ExitCode::FAILURE
            }
        };
    }
    let Some(name) = &options.name else {
        let line = |document: &Document| format!("{:10} {}", document.name, document.about);
        return print(&documents.iter().map(line).collect::<Vec<_>>().join("\n"));
    };
    match documents.iter().find(|document| document.name == name) {
        Some(document) => print(&document.to_string()),
        None => {
            let names: Vec<&str> = documents.iter().map(|document| document.name).collect();
            eprintln!("andon: no `{name}`; there are {}", names.join(", "));
            ExitCode::from(2)
        }
    }
}

fn print(text: &str) -> ExitCode {
    say(io::stdout(), text).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn write(directory: &Path, documents: &[Document]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for document in documents {
        let file = directory.join(document.name).with_extension("json");
        fs::write(file, format!("{document}\n"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
