//! What a stream comes to, worked out the slow way, from the whole of it.
//!
//! Everything that lasted is put on one axis: the milliseconds that the agent was able to tell, from
//! the start of the stream on. What was lost with a kill is taken out first, and what came late is put
//! where it belongs. Then, for each machine, the axis is cut into stretches of one state, and every
//! window looks through all of them, through all faults and through all readings of counters, for
//! what lies in it.

mod counter;
mod course;
mod heard;
mod life;
mod minutes;
mod shows;
mod windows;

pub use life::Life;
pub use minutes::minutes;
pub use windows::{Window, windows};
