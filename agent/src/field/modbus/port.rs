//! Opening a serial port.

use super::connection::OpenError;
use crate::settings::{Parity, Rs485, SerialPort};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use tokio_serial::{DataBits, ErrorKind, FlowControl, SerialStream, StopBits};

/// Major numbers of pseudo-terminals (Linux, `Documentation/admin-guide/devices.txt`).
const PSEUDO_TERMINALS: std::ops::RangeInclusive<u32> = 136..=143;

/// Opens a port for this agent alone. Its name is looked up each time, so a port that was unplugged
/// is found under whatever number it has come back.
pub(super) async fn open(port: &SerialPort) -> Result<SerialStream, OpenError> {
    let wanted = port.clone();
    // Opening an adapter on USB takes as long as the adapter does.
    let opened = tokio::task::spawn_blocking(move || open_now(&wanted)).await;
    opened.map_err(|error| OpenError::Other(error.to_string()))?
}

fn open_now(port: &SerialPort) -> Result<SerialStream, OpenError> {
    let parity = match port.parity {
        Parity::None => tokio_serial::Parity::None,
        Parity::Even => tokio_serial::Parity::Even,
        Parity::Odd => tokio_serial::Parity::Odd,
    };
    let stop_bits = if port.stop_bits == 2 {
        StopBits::Two
    } else {
        StopBits::One
    };
    let builder = tokio_serial::new(port.path.to_string_lossy(), port.baud)
        .data_bits(DataBits::Eight)
        .flow_control(FlowControl::None)
        .parity(parity)
        .stop_bits(stop_bits);
    let stream = SerialStream::open(&builder).map_err(|error| match error.kind() {
        // It says so of a port that is there but locked, too.
        ErrorKind::NoDevice if port.path.exists() => OpenError::InUse(error.to_string()),
        _ if !port.path.exists() => OpenError::Other(format!("{error}; is it plugged in?")),
        _ => OpenError::Other(error.to_string()),
    })?;
    switch_driver(&stream, port.rs485).map_err(OpenError::Other)?;
    hurry(&stream);
    Ok(stream)
}

/// Whether it is a pseudo-terminal, which has no wire.
pub(super) fn is_pseudo_terminal(path: &Path) -> bool {
    let device = std::fs::metadata(path).map(|found| libc::major(found.rdev()));
    device.is_ok_and(|major| PSEUDO_TERMINALS.contains(&major))
}

/// Whether it could be opened now, and is a serial port.
pub(in crate::field) fn probe(path: &Path) -> io::Result<()> {
    let port = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(path)?;
    if rustix::termios::isatty(port) {
        Ok(())
    } else {
        Err(io::Error::other("this is not a serial port"))
    }
}

/// Has the kernel switch the driver of the line, if it is to and can. How the board is wired is
/// known to whoever has described it to the kernel: what is switched on already stays as it is.
fn switch_driver(stream: &SerialStream, rs485: Rs485) -> Result<(), String> {
    const ENABLED: u32 = 1 << 0;
    const RTS_ON_SEND: u32 = 1 << 1;
    if rs485 == Rs485::Adapter {
        return Ok(());
    }
    // `struct serial_rs485` begins with its flags.
    let mut settings = Words::default();
    let switched = ioctl(stream, libc::TIOCGRS485, &mut settings).and_then(|()| {
        if settings.0[0] & ENABLED != 0 {
            return Ok(());
        }
        settings.0[0] |= ENABLED | RTS_ON_SEND;
        ioctl(stream, libc::TIOCSRS485, &mut settings)
    });
    match switched {
        Err(error) if rs485 == Rs485::Kernel => Err(format!(
            "it does not switch the driver of an RS-485 line: {error}; leave `rs485` out if the \
             adapter does that by itself"
        )),
        Err(error) => {
            tracing::debug!("the driver of the line is the adapter's business: {error}");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Asks the port to hand over at once what it hears. Adapters of FTDI keep it for 16 ms otherwise,
/// which is as long as a whole exchange.
fn hurry(stream: &SerialStream) {
    // `flags` of `struct serial_struct`, after four integers, and `ASYNC_LOW_LATENCY` among them
    // (`include/uapi/linux/serial.h`, `tty_flags.h`).
    const FLAGS: usize = 4;
    const LOW_LATENCY: u32 = 1 << 13;
    let mut settings = Words::default();
    let hurried = ioctl(stream, libc::TIOCGSERIAL, &mut settings).and_then(|()| {
        settings.0[FLAGS] |= LOW_LATENCY;
        ioctl(stream, libc::TIOCSSERIAL, &mut settings)
    });
    if let Err(error) = hurried {
        tracing::debug!("the port hands over what it hears when it likes to: {error}");
    }
}

/// Room for the structures of the requests in this file, the largest of which has 72 bytes.
#[repr(C, align(8))]
#[derive(Default)]
struct Words([u32; 32]);

#[expect(unsafe_code, reason = "no crate in the tree wraps these requests")]
fn ioctl(stream: &SerialStream, request: libc::Ioctl, settings: &mut Words) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as the stream is borrowed, and each of the requests
    // reads and writes a plain structure for which there is more than enough room.
    let done = unsafe { libc::ioctl(stream.as_raw_fd(), request, settings) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
