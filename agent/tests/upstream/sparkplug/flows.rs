//! What an edge node does beyond the assertions: what leaves the disk when, what is historical, what
//! an earlier configuration has left.
