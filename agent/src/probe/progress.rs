//! How far a search is, on a terminal; nothing in a pipe.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// A bar on standard error.
#[derive(Debug)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A bar for so many steps.
    pub fn of(steps: u64) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        // The template is a constant: with the default one there is a bar all the same.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}  {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Progress(bar)
    }

    /// A step more, and what is being done.
    pub fn step(&self, doing: String) {
        self.0.set_message(doing);
        self.0.inc(1);
    }

    /// There are so many steps left.
    pub fn left(&self, steps: u64) {
        self.0.set_length(self.0.position() + steps);
    }

    /// There are more steps than was known.
    pub fn more(&self, steps: u64) {
        self.0.inc_length(steps);
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
