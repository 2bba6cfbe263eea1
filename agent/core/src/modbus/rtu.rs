//! Frames of a serial line: whether what was heard is the answer to what was asked, and nothing
//! else (Modbus over Serial Line 1.02, §2.5.1; Modbus Application Protocol 1.1b3, §6).
//!
//! RTU has no transaction number and no length field. An answer is known by its unit, function and
//! byte count, by its checksum, and by being all that was heard; of everything else no byte is
//! looked at twice, in particular no frame is searched for inside of it.

use core::fmt;

/// The longest frame in bytes.
pub const LONGEST: usize = 256;

/// Bytes of a request that reads, or that writes one address.
pub const REQUEST: usize = 8;

/// Bytes of an exception.
const EXCEPTION: usize = 5;

/// What a frame has besides its content: unit, function, byte count, checksum.
const OVERHEAD: usize = 5;

const CRC: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_MODBUS);

/// The checksum of a frame's bytes; on the wire its low byte comes first.
pub const fn checksum(bytes: &[u8]) -> u16 {
    CRC.checksum(bytes)
}

/// A request of this agent on its way: what its answer must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    request: [u8; REQUEST],
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// This many bytes of registers or bits.
    Items(u8),
    /// The request itself.
    Echo,
}

/// How far what was heard has come to be the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The beginning of an answer; at least so many bytes are missing.
    Missing(usize),
    /// Exactly the answer, unless something follows.
    Whole,
    /// Whatever follows, it is no answer.
    Hopeless,
}

/// Why what was heard is not the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misheard {
    /// Nothing was heard.
    Nothing,
    /// Its checksum is wrong, or it is not one frame: noise, a collision, a cut.
    Damaged {
        /// Bytes heard.
        bytes: usize,
    },
    /// A sound frame of another unit.
    Unit {
        /// That unit.
        got: u8,
    },
    /// A sound frame of another function.
    Function {
        /// That function.
        got: u8,
    },
    /// A sound frame with another number of items.
    Size {
        /// Bytes it has in all.
        bytes: usize,
    },
    /// The request itself: the adapter hears what it sends.
    Echo,
}

impl fmt::Display for Misheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misheard::Nothing => f.write_str("nothing was heard"),
            Misheard::Damaged { bytes } => write!(f, "{bytes} bytes that are not one sound frame"),
            Misheard::Unit { got } => write!(f, "a frame of unit {got}"),
            Misheard::Function { got } => write!(f, "a frame of function {got}"),
            Misheard::Size { bytes } => write!(f, "a frame of {bytes} bytes, another length"),
            Misheard::Echo => f.write_str(
                "the request itself: turn off the echo of the adapter, or its receiver while it sends",
            ),
        }
    }
}

impl Asked {
    /// Of a request frame; none if it is not a sound frame with function 1 to 6.
    pub fn of(frame: &[u8]) -> Option<Asked> {
        let request: [u8; REQUEST] = frame.try_into().ok()?;
        if !is_sound(frame) {
            return None;
        }
        let count = u16::from_be_bytes([request[4], request[5]]);
        let form = match request[1] {
            1 | 2 => Form::Items(u8::try_from(count.div_ceil(8)).ok()?),
            3 | 4 => Form::Items(u8::try_from(count.checked_mul(2)?).ok()?),
            5 | 6 => Form::Echo,
            _ => return None,
        };
        Some(Asked { request, form })
    }

    /// Unit id.
    pub const fn unit(&self) -> u8 {
        self.request[0]
    }

    /// Bytes of the answer, if it is no exception.
    pub const fn answer_bytes(&self) -> usize {
        match self.form {
            Form::Items(size) => size as usize + OVERHEAD,
            Form::Echo => REQUEST,
        }
    }

    /// How far `heard`, everything that was heard since the request, has come.
    pub fn progress(&self, heard: &[u8]) -> Progress {
        let Some(&unit) = heard.first() else {
            return Progress::Missing(EXCEPTION);
        };
        if unit != self.request[0] {
            return Progress::Hopeless;
        }
        let Some(&function) = heard.get(1) else {
            return Progress::Missing(EXCEPTION - 1);
        };
        let whole = if function == self.request[1] | 0x80 {
            EXCEPTION
        } else if function != self.request[1] {
            return Progress::Hopeless;
        } else if let (Form::Items(size), Some(got)) = (self.form, heard.get(2))
            && size != *got
        {
            return Progress::Hopeless;
        } else {
            self.answer_bytes()
        };
        match whole.checked_sub(heard.len()) {
            Some(0) if self.is_right(heard) => Progress::Whole,
            Some(missing @ 1..) => Progress::Missing(missing),
            _ => Progress::Hopeless,
        }
    }

    /// Judges everything that was heard since the request, once nothing follows any more.
    pub fn judge(&self, heard: &[u8]) -> Result<(), Misheard> {
        if self.progress(heard) == Progress::Whole {
            return Ok(());
        }
        let bytes = heard.len();
        Err(match heard {
            [] => Misheard::Nothing,
            _ if *heard == self.request => Misheard::Echo,
            [unit, function, ..] if is_sound(heard) => {
                if *unit != self.request[0] {
                    Misheard::Unit { got: *unit }
                } else if function & 0x7F != self.request[1] {
                    Misheard::Function { got: *function }
                } else {
                    Misheard::Size { bytes }
                }
            }
            _ => Misheard::Damaged { bytes },
        })
    }

    /// The checksum is right, and of a write the echo too.
    fn is_right(&self, heard: &[u8]) -> bool {
        match self.form {
            Form::Echo if heard.len() == REQUEST => *heard == self.request,
            _ => is_sound(heard),
        }
    }
}

/// Long enough for a frame, and its checksum is right.
fn is_sound(frame: &[u8]) -> bool {
    let Some((content, sum)) = frame.split_last_chunk::<2>() else {
        return false;
    };
    content.len() >= 2 && checksum(content) == u16::from_le_bytes(*sum)
}

#[cfg(test)]
mod tests;
