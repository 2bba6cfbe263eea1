//! The `andon` command line.

fn main() {}
