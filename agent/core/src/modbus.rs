//! Modbus without the wire: which reads to make, and what their answers mean.

pub mod answer;
pub mod cost;
pub mod decode;
pub mod load;
pub mod order;
pub mod permit;
pub mod plan;
pub mod refused;
pub mod rtu;
