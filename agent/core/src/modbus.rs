//! Modbus without the wire: which reads to make, and what their answers mean.

pub mod answer;
pub mod decode;
pub mod order;
pub mod permit;
pub mod pieces;
pub mod plan;
pub mod rtu;
