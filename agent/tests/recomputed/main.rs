//! Every figure of every stored window follows from the exported segments and the parts of the exported
//! minutes: two days of a machine with breaks, outages, late data and restarts go through the engine and
//! the history, `andon export` writes them down, and what is computed again from the tables by
//! the formulas of `docs/figures.md`, slowly, is what the tables of windows say.

#[cfg(test)]
mod days;
#[cfg(test)]
mod formulas;
#[cfg(test)]
mod table;
