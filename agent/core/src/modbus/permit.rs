//! What may leave the agent: reading, and the writes that the configuration allows.
//!
//! A [`Permit`] can be had from an [`Allowed`] only, an `Allowed` is what the configuration says
//! under `allow_write`, and every frame passes [`may_leave`] on its way to the wire. A mistake
//! elsewhere in the agent can therefore not write to a machine.

use crate::tag::Table;
use core::ops::RangeInclusive;

/// Function codes of a write to one coil and to one register.
const WRITE_COIL: u8 = 5;
const WRITE_REGISTER: u8 = 6;

/// How a coil is switched on, on the wire (Modbus Application Protocol 1.1b3, §6.5).
const ON: u16 = 0xFF00;

/// What can be written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A coil.
    Coil,
    /// A holding register.
    Holding,
}

impl Target {
    /// The table it is in.
    pub const fn table(self) -> Table {
        match self {
            Target::Coil => Table::Coil,
            Target::Holding => Table::Holding,
        }
    }
}

/// One address that the configuration allows to write, with the values it may be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// Unit id on the wire.
    pub unit: u8,
    /// Coil or register.
    pub target: Target,
    /// Protocol address.
    pub address: u16,
    /// Values: of a coil 0 and 1.
    pub values: RangeInclusive<u16>,
}

impl Allowed {
    /// The permit to write `value`, if it is one of the values.
    pub fn permit(&self, value: u16) -> Option<Permit> {
        let is_one = self.target == Target::Holding || value <= 1;
        (is_one && self.values.contains(&value)).then_some(Permit {
            unit: self.unit,
            target: self.target,
            address: self.address,
            value,
        })
    }
}

/// The permit to write one value to one address, once.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    unit: u8,
    target: Target,
    address: u16,
    value: u16,
}

impl Permit {
    /// Unit id on the wire.
    pub const fn unit(&self) -> u8 {
        self.unit
    }

    /// Coil or register.
    pub const fn target(&self) -> Target {
        self.target
    }

    /// Protocol address.
    pub const fn address(&self) -> u16 {
        self.address
    }

    /// The value; of a coil 0 or 1.
    pub const fn value(&self) -> u16 {
        self.value
    }

    /// The function and its data, as they must be on the wire.
    const fn pdu(&self) -> [u8; 5] {
        let (function, value) = match self.target {
            Target::Coil if self.value == 0 => (WRITE_COIL, 0),
            Target::Coil => (WRITE_COIL, ON),
            Target::Holding => (WRITE_REGISTER, self.value),
        };
        let [high, low] = self.address.to_be_bytes();
        let [most, least] = value.to_be_bytes();
        [function, high, low, most, least]
    }
}

/// Whether a request may leave: one that reads (functions 1 to 4), or exactly what `permit` names.
pub fn may_leave(unit: u8, pdu: &[u8], permit: Option<&Permit>) -> bool {
    match pdu {
        [1..=4, _, _, _, _] => true,
        _ => permit.is_some_and(|permit| permit.unit == unit && permit.pdu() == *pdu),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allowed(target: Target, values: RangeInclusive<u16>) -> Allowed {
        Allowed {
            unit: 9,
            target,
            address: 0x0105,
            values,
        }
    }

    #[test]
    fn a_permit_is_given_for_allowed_values_only() {
        let register = allowed(Target::Holding, 2..=3);
        let given: [bool; 6] =
            [0, 1, 2, 3, 4, 0xFF00].map(|value| register.permit(value).is_some());
        assert_eq!(given, [false, false, true, true, false, false]);
        let coil = allowed(Target::Coil, 0..=u16::MAX);
        let given = [0, 1, 2, 0xFF00].map(|value| coil.permit(value).is_some());
        assert_eq!(given, [true, true, false, false]);
    }

    #[test]
    fn a_permit_lets_exactly_its_own_frame_leave() {
        let permit = allowed(Target::Holding, 0..=3).permit(2).unwrap();
        assert!(may_leave(9, &[6, 1, 5, 0, 2], Some(&permit)));
        assert!(!may_leave(8, &[6, 1, 5, 0, 2], Some(&permit)));
        assert!(!may_leave(9, &[6, 1, 5, 0, 3], Some(&permit)));
        assert!(!may_leave(9, &[6, 1, 6, 0, 2], Some(&permit)));
        assert!(!may_leave(9, &[6, 1, 5, 0, 2], None));
        let permit = allowed(Target::Coil, 0..=1).permit(1).unwrap();
        assert!(may_leave(9, &[5, 1, 5, 0xFF, 0], Some(&permit)));
        assert!(!may_leave(9, &[5, 1, 5, 0, 0], Some(&permit)));
    }

    proptest! {
        #[test]
        fn without_a_permit_only_reading_leaves(
            unit in any::<u8>(),
            pdu in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let reads = pdu.len() == 5 && (1..=4).contains(&pdu[0]);
            prop_assert_eq!(may_leave(unit, &pdu, None), reads);
        }
    }
}
