//! Whether what horns sound through can be switched.

use crate::settings::Part;
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::watch;

/// One output, and how it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputHealth {
    /// The horn it belongs to.
    pub horn: Arc<str>,
    /// What it is, for people: `gpiochip0 line 3`.
    pub through: String,
    /// What it switches; none: sound and lamps, as a board does.
    #[serde(serialize_with = "part")]
    pub part: Option<Part>,
    /// Whether it could be switched when that was last tried; none if it was not tried yet.
    pub works: Option<bool>,
    /// Why not.
    pub why: Option<String>,
}

fn part<S: serde::Serializer>(part: &Option<Part>, serializer: S) -> Result<S::Ok, S::Error> {
    match part {
        Some(part) => serializer.serialize_str(part.as_str()),
        None => serializer.serialize_none(),
    }
}

/// How all outputs do, in the order of the configuration; may be waited for.
pub type Health = watch::Receiver<Vec<OutputHealth>>;

/// Where the driver of one output tells how it does.
#[derive(Debug, Clone)]
pub struct Report {
    all: Arc<watch::Sender<Vec<OutputHealth>>>,
    at: usize,
}

impl Report {
    /// A place for each of `outputs`, and where all of them are seen.
    pub(super) fn on(outputs: Vec<OutputHealth>) -> (Vec<Report>, Health) {
        let count = outputs.len();
        let (all, health) = watch::channel(outputs);
        let all = Arc::new(all);
        let reports = (0..count).map(|at| Report {
            all: Arc::clone(&all),
            at,
        });
        (reports.collect(), health)
    }

    /// It could be switched, or could not be: why. The log has it where that is news.
    pub fn tell(&self, outcome: Result<(), &str>) {
        self.all.send_if_modified(|all| {
            let Some(output) = all.get_mut(self.at) else {
                return false;
            };
            let (works, why) = (outcome.is_ok(), outcome.err());
            if output.works == Some(works) && output.why.as_deref() == why {
                return false;
            }
            let OutputHealth { horn, through, .. } = &*output;
            match why {
                None if output.works == Some(false) => {
                    tracing::info!("horn {horn}: {through} works again");
                }
                None => tracing::info!("horn {horn}: {through} works"),
                Some(why) => tracing::error!(
                    "horn {horn}: {through} cannot be switched: {why}; it is tried again"
                ),
            }
            output.works = Some(works);
            output.why = why.map(str::to_owned);
            true
        });
    }
}
