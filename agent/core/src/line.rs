//! What a serial line takes for its bytes (Modbus over Serial Line 1.02, §2.5.1).
//!
//! Times are in microseconds: at 115,200 baud a character takes 96 of them.

/// A serial line with its speed and the form of its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Bits per second.
    pub baud: u32,
    /// Bits of a character on the wire: start, eight data bits, parity if any, one or two stop
    /// bits; 10 to 12.
    pub char_bits: u8,
}

/// Above 19,200 baud the standard fixes the silent interval instead of deriving it (ibid.,
/// §2.5.1.1): 1.75 ms.
const SILENT_AT_SPEED_US: u64 = 1_750;
const AT_SPEED: u32 = 19_200;

impl Line {
    /// Microseconds that `characters` take on the wire, rounded up.
    pub const fn characters_us(self, characters: u64) -> u64 {
        (characters * self.char_bits as u64 * 1_000_000).div_ceil(self.baud as u64)
    }

    /// Silence in microseconds that separates two frames: 3.5 characters, 1.75 ms above
    /// 19,200 baud.
    pub const fn silent_us(self) -> u64 {
        if self.baud > AT_SPEED {
            return SILENT_AT_SPEED_US;
        }
        (7 * self.char_bits as u64 * 1_000_000).div_ceil(2 * self.baud as u64)
    }

    /// Silence in microseconds beyond [`Line::silent_us`] before a frame to another unit than the
    /// last one, so that the driver of that one has let go of the line: as long again.
    pub const fn turnaround_us(self) -> u64 {
        self.silent_us()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_three_and_a_half_characters_up_to_19200_baud() {
        let line = |baud| Line {
            baud,
            char_bits: 11,
        };
        assert_eq!(line(9_600).characters_us(8), 9_167);
        assert_eq!(line(9_600).silent_us(), 4_011);
        assert_eq!(line(19_200).silent_us(), 2_006);
        assert_eq!(line(38_400).silent_us(), 1_750);
        assert_eq!(line(115_200).silent_us(), 1_750);
        assert_eq!(line(115_200).characters_us(1), 96);
    }
}
