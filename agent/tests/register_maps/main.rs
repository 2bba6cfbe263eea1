//! Public register maps, read from a server that is not ours.
//!
//! `tests/maps/` holds one file for each map: registers, the tags that read them, and the values that
//! were published for them. pymodbus shows the registers, the field driver reads them as `andon run`
//! does, and what it read must be what was published. Every profile that comes with the agent has
//! such a file, and every tag of it a value.

#[cfg(test)]
mod map;
#[cfg(test)]
mod published;
#[cfg(test)]
mod server;
