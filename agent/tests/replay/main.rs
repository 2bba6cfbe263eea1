//! Logs of real machines, with the disorder of their own clocks (`tests/replay/`), through
//! everything between the socket and the outbox: configuration, messages, engine, summaries as JSON.
//! Every window is what `tests/replay/totals.py` computes from the raw file.

#[cfg(test)]
mod agent;
#[cfg(test)]
mod log;
#[cfg(test)]
mod totals;
