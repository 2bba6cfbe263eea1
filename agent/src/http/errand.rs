//! `GET /control/read`: one read of a Modbus device through the link that the agent holds, for
//! `andon probe` and `andon scan`. Answered on the control socket only: it takes the time of a bus.

use super::Door;
use super::answer::{Problem, json};
use crate::field::Answer;
use crate::field::modbus::errand::{Done, Refusal, Task};
use andon_core::tag::{LinkIndex, Table};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// Where it is asked for.
pub const PATH: &str = "/control/read";

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The link by its id.
    pub link: String,
    /// Unit id on the wire.
    pub unit: u8,
    /// Which table: `coil`, `discrete`, `holding` or `input`.
    pub table: String,
    /// First protocol address.
    pub start: u16,
    /// How many addresses.
    pub count: u16,
    /// Deadline of the answer in milliseconds.
    pub timeout_ms: u64,
}

/// What the device said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What came.
    #[serde(flatten)]
    pub what: What,
    /// From the request to that, in microseconds.
    pub took_us: u64,
}

/// What came of a read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Registers.
    Registers(Vec<u16>),
    /// Coils or discrete inputs.
    Bits(Vec<bool>),
    /// An exception code.
    Exception(u8),
    /// Nothing in time; in words.
    Silence(String),
    /// A wrong answer, or the connection was lost; in words.
    Fault(String),
}

impl Wanted {
    /// As it is asked for.
    pub fn path(&self) -> String {
        let Wanted {
            link,
            unit,
            table,
            start,
            count,
            timeout_ms,
        } = self;
        // An id and the name of a table have nothing that would have to be escaped.
        format!(
            "{PATH}?link={link}&unit={unit}&table={table}&start={start}&count={count}\
             &timeout_ms={timeout_ms}"
        )
    }
}

pub(super) async fn read(
    State(door): State<Door>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Problem> {
    let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let Query(wanted) = wanted.map_err(|rejection| bad(rejection.body_text()))?;
    let table = Table::ALL
        .into_iter()
        .find(|table| table.as_str() == wanted.table);
    let table = table.ok_or_else(|| bad(format!("there is no table `{}`", wanted.table)))?;
    let links = (0..).map(LinkIndex).zip(&door.plant.links);
    let mut named = links.filter(|(_, link)| *link.id == *wanted.link);
    let (link, _) = named.next().ok_or_else(|| {
        let what = format!("the running agent has no link `{}`", wanted.link);
        Problem::new(StatusCode::NOT_FOUND, what)
            .hint("it runs with an older configuration: restart it, or use the link's old id")
    })?;
    let task = Task::Read {
        unit: wanted.unit,
        table,
        start: wanted.start,
        count: wanted.count,
        patience: Some(Duration::from_millis(wanted.timeout_ms)),
    };
    let began = Instant::now();
    let done = door.errands.run(link, task).await;
    let waited = began.elapsed();
    let (what, took) = match done {
        Ok(Done { answer, took }) => match answer {
            Answer::Registers(registers) => (What::Registers(registers), took),
            Answer::Bits(bits) => (What::Bits(bits), took),
        },
        Err(Refusal::Exception(code)) => (What::Exception(code), waited),
        Err(Refusal::Silence(why)) => (What::Silence(why), waited),
        Err(Refusal::Fault(why)) => (What::Fault(why), waited),
        Err(refusal @ (Refusal::Count | Refusal::NotAllowed)) => {
            return Err(bad(refusal.to_string()));
        }
        Err(refusal @ Refusal::NoModbus) => {
            return Err(Problem::new(StatusCode::NOT_FOUND, refusal.to_string()));
        }
        Err(refusal @ (Refusal::Busy | Refusal::Disconnected | Refusal::Stopping)) => {
            return Err(Problem::busy(&refusal.to_string()));
        }
    };
    let told = Told {
        what,
        took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
    };
    let told = serde_json::to_vec(&told)
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(json(Bytes::from(told)))
}
