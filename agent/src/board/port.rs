//! Opening the port of the board.

use crate::settings::Board;
use tokio_serial::{
    ClearBuffer, DataBits, ErrorKind, FlowControl, Parity, SerialPort as _, SerialStream, StopBits,
};

/// Opens the port for this agent alone. Its name is looked up each time: a board that was unplugged is
/// found under whatever number it has come back.
pub(super) async fn open(board: &Board) -> Result<SerialStream, String> {
    let board = board.clone();
    // An adapter on USB may take its time.
    let opened = tokio::task::spawn_blocking(move || open_now(&board)).await;
    opened.unwrap_or_else(|error| Err(error.to_string()))
}

fn open_now(board: &Board) -> Result<SerialStream, String> {
    let builder = tokio_serial::new(board.port.to_string_lossy(), board.baud)
        .data_bits(DataBits::Eight)
        .flow_control(FlowControl::None)
        .parity(Parity::None)
        .stop_bits(StopBits::One);
    let stream = SerialStream::open(&builder).map_err(|error| match error.kind() {
        _ if !board.port.exists() => format!("{error}; is it plugged in?"),
        // It says so of a port that is there but locked, too.
        ErrorKind::NoDevice => format!("{error}; does another program use it?"),
        _ => error.to_string(),
    })?;
    // What waits there was said to whoever was there before: a press must not be heard late.
    if let Err(error) = stream.clear(ClearBuffer::All) {
        tracing::debug!("what waits at the port of the board stays there: {error}");
    }
    Ok(stream)
}
