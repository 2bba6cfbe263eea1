//! Whether a tag still is the value that it was before the configuration was changed.

use super::Source;
use core::fmt::{self, Write};

impl Source {
    /// Another number where the value comes from elsewhere or is read in another way, in the device with
    /// this Modbus unit. Where a counter stood says nothing of the parts made since then.
    pub fn fingerprint(&self, unit: u8) -> u32 {
        let mut hash = Fnv(0x811c_9dc5);
        let written = match self {
            Source::Modbus(point) => write!(
                hash,
                "{unit} {:?} {} {:?} {:?} {:?} {} {:?} {} {}",
                point.table,
                point.address,
                point.kind,
                point.order,
                point.bits,
                point.length,
                point.packing,
                point.scale,
                point.offset,
            ),
            Source::Message(place) => write!(
                hash,
                "{:?} {:?} {:?} {} {}",
                place.topic, place.format, place.kind, place.scale, place.offset,
            ),
            Source::Board(pin) => write!(hash, "board {pin:?}"),
        };
        // Adding up bytes has no way to fail.
        written.map_or(0, |()| hash.0)
    }
}

/// FNV-1a, 32 bits: changes of a configuration are not made by an adversary.
struct Fnv(u32);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::tag::{Kind, Order, Place, Point, Source, Table};

    #[test]
    fn another_place_order_scale_or_unit_is_another_value() {
        let point = Point::new(Table::Holding, 1, Kind::U32);
        let same = Source::Modbus(point.clone()).fingerprint(1);
        assert_eq!(Source::Modbus(point.clone()).fingerprint(1), same);
        let mut others = [point.clone(), point.clone(), point.clone(), point.clone()];
        others[0].address = 2;
        others[1].order = Order::Cdab;
        others[2].scale = 0.1;
        others[3].table = Table::Input;
        for other in others {
            assert_ne!(
                Source::Modbus(other.clone()).fingerprint(1),
                same,
                "{other:?}"
            );
        }
        assert_ne!(Source::Modbus(point).fingerprint(2), same);
        let place = |topic: &str| {
            let place = Place::bare(Some(topic.into()), Kind::U32);
            Source::Message(place).fingerprint(0)
        };
        assert_ne!(place("oven/7/parts"), place("oven/8/parts"));
    }
}
