//! What the registers of a tag mean: type, bits, order, scale.

use super::address::address;
use crate::config::report::Finding;
use crate::config::values::{integer, number, one_of, some, text};
use crate::config::walk::{At, Findings, Item, Section};
use andon_core::tag::{Bits, Kind, Order, Packing, Point, Table};
use std::ops::Range;
use toml::de::DeValue;

/// An order of bytes by its name, which tells how many of them it is about.
#[derive(Debug, Clone, Copy)]
struct Named {
    bytes: usize,
    order: Order,
    packing: Packing,
}

const fn named(name: &'static str, order: Order, packing: Packing) -> (&'static str, Named) {
    let bytes = name.len();
    let named = Named {
        bytes,
        order,
        packing,
    };
    (name, named)
}

const ORDERS: [(&str, Named); 8] = [
    named("abcd", Order::Abcd, Packing::Pairs),
    named("cdab", Order::Cdab, Packing::Pairs),
    named("badc", Order::Badc, Packing::Pairs),
    named("dcba", Order::Dcba, Packing::Pairs),
    named("ab", Order::Abcd, Packing::Pairs),
    named("ba", Order::Badc, Packing::Pairs),
    named("a", Order::Abcd, Packing::High),
    named("b", Order::Abcd, Packing::Low),
];

/// Registers that one request may ask for.
const MOST: i64 = Table::Holding.limit() as i64;

/// Characters in as many registers.
const LONGEST: i64 = 2 * MOST;

/// A point, its address as it stands in the file, and the name of the tag that scales it: which one
/// that is depends on the device.
pub(super) struct PointPart {
    pub(super) point: Point,
    pub(super) at: At<(Table, u16)>,
    pub(super) power_of_ten: Option<At<String>>,
}

/// The keys of a tag that is read by Modbus.
struct Keys<'a> {
    order: Option<At<Named>>,
    bit: Option<At<Bits>>,
    bits: Option<At<Bits>>,
    length: Option<At<i64>>,
    absent: Option<At<Vec<At<i128>>>>,
    scale: Option<At<f64>>,
    offset: Option<At<f64>>,
    power_of_ten: Option<At<String>>,
    out: &'a Findings,
}

/// The point that a tag is read from.
pub(super) fn point(section: &mut Section<'_>, kind: Option<&At<Kind>>) -> Option<PointPart> {
    let mistakes = section.out().count();
    let at = section.need("at", "at = \"holding:0\"", address);
    let keys = Keys {
        order: section.place("order", one_of(&ORDERS)),
        bit: section.place("bit", bit),
        bits: section.place("bits", bits),
        length: section.place("length", integer(1, LONGEST)),
        absent: section.place(
            "absent",
            some("a list of raw values, such as [0x8000]", raw_value),
        ),
        scale: section.place("scale", scale),
        offset: section.place("offset", number),
        power_of_ten: section.place("power_of_ten", |item| text(item).map(str::to_owned)),
        out: section.out(),
    };
    let (at, kind) = (at?, kind?);
    // What is wrong in itself is not compared with anything.
    if keys.out.count() > mistakes {
        return None;
    }
    let (table, address) = at.value;
    if table.is_bits() {
        keys.fit_one_bit(table, kind);
    } else {
        keys.fit(kind);
    }
    if keys.out.count() > mistakes {
        return None;
    }
    let order = keys.order.as_ref().map(|at| at.value);
    let absent = keys.absent.iter().flat_map(|list| &list.value);
    let point = Point {
        order: order.map_or(Order::Abcd, |named| named.order),
        packing: order.map_or(Packing::Pairs, |named| named.packing),
        bits: keys.bit.or(keys.bits).map(|at| at.value),
        length: keys
            .length
            .map_or(Some(0), |at| u8::try_from(at.value).ok())?,
        absent: absent
            .filter_map(|at| pattern(at.value, kind.value))
            .collect(),
        scale: keys.scale.map_or(1.0, |at| at.value),
        offset: keys.offset.map_or(0.0, |at| at.value),
        ..Point::new(table, address, kind.value)
    };
    let last = u32::from(address) + u32::from(point.width().max(1)) - 1;
    if last > u32::from(u16::MAX) {
        let what = format!("this value would end at address {last}");
        keys.out
            .mistake(Finding::at(at.span, what).hint("the last address is 65535"));
        return None;
    }
    Some(PointPart {
        point,
        at,
        power_of_ten: keys.power_of_ten,
    })
}

impl Keys<'_> {
    fn wrong(&self, span: &Range<usize>, what: impl Into<String>, hint: impl Into<String>) {
        self.out.mistake(Finding::at(span.clone(), what).hint(hint));
    }

    /// Coils and discrete inputs leave nothing to be said.
    fn fit_one_bit(&self, table: Table, kind: &At<Kind>) {
        let what = format!("a {} is one bit", table.as_str());
        if kind.value != Kind::Bool {
            let hint = "write `type = \"bool\"`, or read a `holding:` or `input:` register";
            self.wrong(&kind.span, what, hint);
            return;
        }
        self.fit_scale(Kind::Bool);
        let spans = [
            ("order", self.order.as_ref().map(|at| &at.span)),
            ("bit", self.bit.as_ref().map(|at| &at.span)),
            ("bits", self.bits.as_ref().map(|at| &at.span)),
            ("length", self.length.as_ref().map(|at| &at.span)),
            ("absent", self.absent.as_ref().map(|at| &at.span)),
        ];
        for (key, span) in spans {
            if let Some(span) = span {
                self.wrong(span, what.clone(), format!("leave `{key}` out"));
            }
        }
    }

    /// What is said must be something that a value of this type can have.
    fn fit(&self, kind: &At<Kind>) {
        self.fit_order(kind.value);
        self.fit_scale(kind.value);
        self.fit_bits(kind.value);
        self.fit_absent(kind.value);
        self.fit_length(kind);
    }

    fn fit_order(&self, kind: Kind) {
        let Some(order) = &self.order else {
            return;
        };
        let named = order.value;
        let (what, hint) = match (kind, kind.registers(), named.bytes) {
            (Kind::Text, ..) if matches!(named.order, Order::Cdab | Order::Dcba) => (
                "a text has no order of words",
                "write \"badc\" if the two bytes of each register are swapped",
            ),
            (Kind::Text, ..) | (_, 1, 2) | (_, 2.., 4) => return,
            (_, _, 1) => (
                "only a text may have one byte in each register",
                "use `bits = \"0..7\"` or `bits = \"8..15\"` for half a register",
            ),
            (_, 1, _) => (
                "a value of one register has no order of words",
                "leave `order` out, or write \"ba\" if its two bytes are swapped",
            ),
            _ => (
                "this is the order of the bytes of one register",
                "write \"abcd\", \"cdab\", \"badc\" or \"dcba\"",
            ),
        };
        self.wrong(&order.span, what, hint);
    }

    fn fit_scale(&self, kind: Kind) {
        let scale = self.scale.as_ref().map(|at| &at.span);
        let offset = self.offset.as_ref().map(|at| &at.span);
        let power = self.power_of_ten.as_ref().map(|at| &at.span);
        let Some(span) = scale.or(offset).or(power) else {
            return;
        };
        let (what, hint) = match kind {
            Kind::Bool => (
                "true and false cannot be scaled",
                "leave it out, or use a number type such as u16",
            ),
            Kind::Text => (
                "a text cannot be scaled",
                "leave it out, or use a number type such as u16",
            ),
            kind if kind.is_time() => (
                "a time cannot be scaled",
                "leave it out: the value is in milliseconds since 1970 UTC",
            ),
            _ => return,
        };
        self.wrong(span, what, hint);
    }

    fn fit_bits(&self, kind: Kind) {
        if let Some(bit) = self.bit.as_ref().filter(|_| kind != Kind::Bool) {
            let high = bit.value.high();
            let hint = format!("write `type = \"bool\"`, or `bits = \"{high}..{high}\"`");
            self.wrong(&bit.span, "a single bit is true or false", hint);
        }
        let Some(bits) = &self.bits else {
            return;
        };
        let high = bits.value.high();
        let last = 16 * kind.registers() - 1;
        match kind {
            Kind::Bool => self.wrong(
                &bits.span,
                "true and false are one bit",
                format!("write `bit = {high}`, or use a number type such as u16"),
            ),
            Kind::U16 | Kind::U32 | Kind::U64 | Kind::I16 | Kind::I32 | Kind::I64
                if u16::from(high) > last =>
            {
                self.wrong(
                    &bits.span,
                    format!("`{}` has no bit {high}", kind.name()),
                    format!("its bits go from 0 to {last}"),
                );
            }
            Kind::U16 | Kind::U32 | Kind::U64 | Kind::I16 | Kind::I32 | Kind::I64 => {}
            _ => self.wrong(
                &bits.span,
                format!("`{}` is not made of single bits", kind.name()),
                "use u16, u32 or u64; i16, i32 or i64 if the bits are a signed number",
            ),
        }
    }

    fn fit_absent(&self, kind: Kind) {
        let Some(absent) = &self.absent else {
            return;
        };
        match kind {
            kind if kind.is_float() => self.wrong(
                &absent.span,
                format!("`{}` has values for this itself", kind.name()),
                "leave `absent` out: NaN is bad anyhow, and `range` refuses other values",
            ),
            Kind::Text => self.wrong(
                &absent.span,
                "a text has no raw value",
                "leave `absent` out: registers without a text are bad anyhow",
            ),
            _ => {
                for value in &absent.value {
                    if pattern(value.value, kind).is_none() {
                        let what = format!("`{}` never holds this", kind.name());
                        let digits = 4 * usize::from(kind.registers());
                        let hint = format!(
                            "write what the registers hold, such as 0x{}",
                            "F".repeat(digits)
                        );
                        self.wrong(&value.span, what, hint);
                    }
                }
            }
        }
    }

    fn has_one_in_each(&self) -> bool {
        let order = self.order.as_ref();
        order.is_some_and(|order| order.value.packing != Packing::Pairs)
    }

    fn fit_length(&self, kind: &At<Kind>) {
        match (&self.length, kind.value) {
            (None, Kind::Text) => self.wrong(
                &kind.span,
                "it is not said how long this text is",
                "add `length = 32`, in characters",
            ),
            (Some(length), Kind::Text) if self.has_one_in_each() && length.value > MOST => {
                self.wrong(
                    &length.span,
                    format!("one request reads at most {MOST} registers"),
                    "choose a shorter `length`: trailing blanks need not be read",
                );
            }
            (None, _) | (Some(_), Kind::Text) => {}
            (Some(length), _) => self.wrong(
                &length.span,
                "only texts have a length",
                "leave `length` out, or write `type = \"string\"`",
            ),
        }
    }
}

/// One bit of a register.
fn bit(item: &Item<'_>) -> Option<Bits> {
    let what = "a number from 0 to 15";
    let DeValue::Integer(_) = item.value else {
        return item.expected(what);
    };
    let number = raw_value(item)?.value;
    let bit = u8::try_from(number).ok().filter(|bit| *bit < 16);
    match bit.and_then(|bit| Bits::new(bit, bit)) {
        Some(bits) => Some(bits),
        None => item.wrong(
            format!("a register has no bit {number}"),
            "from 0, the least significant, to 15",
        ),
    }
}

/// Neighbouring bits, `"4..7"`.
fn bits(item: &Item<'_>) -> Option<Bits> {
    let DeValue::String(text) = item.value else {
        return item.expected("a range of bits such as \"4..7\"");
    };
    let ends = text.split_once("..").and_then(|(low, high)| {
        let (low, high) = (low.trim().parse::<u8>(), high.trim().parse::<u8>());
        low.ok().zip(high.ok())
    });
    match ends {
        Some((low, high)) if low > high => item.wrong(
            "no bit is inside this range",
            format!("write the lowest first: \"{high}..{low}\""),
        ),
        Some((low, high)) => match Bits::new(low, high) {
            Some(bits) => Some(bits),
            None => item.wrong(format!("there is no bit {high}"), "from 0 to 63 at most"),
        },
        None => item.wrong(
            format!("`{text}` is not a range of bits"),
            "write the lowest and the highest, such as \"4..7\"",
        ),
    }
}

/// A whole number as registers hold it: a u64 is wider than the integers of TOML.
fn raw_value(item: &Item<'_>) -> Option<At<i128>> {
    let DeValue::Integer(int) = item.value else {
        return item.expected("whole numbers, such as 65535 or 0xFFFF");
    };
    match i128::from_str_radix(int.as_str(), int.radix()) {
        Ok(value) => Some(At {
            value,
            span: item.span.clone(),
        }),
        Err(_) => item.wrong("this number is too large", "at most 64 bits"),
    }
}

/// The bits of a raw value in the registers of a type. 0x8000 and -32768 are the same ones.
fn pattern(value: i128, kind: Kind) -> Option<u64> {
    let width = 16 * u32::from(kind.registers());
    let least = match kind.limits() {
        Some((least, _)) => i128::from(least),
        None => 0,
    };
    let most = (1_i128 << width) - 1;
    let mask = u64::MAX >> (64 - width);
    (least..=most)
        .contains(&value)
        .then_some(value as u64 & mask)
}

pub(super) fn scale(item: &Item<'_>) -> Option<f64> {
    match number(item)? {
        0.0 => item.wrong(
            "a scale of 0 makes every value 0",
            "leave `scale` out for 1",
        ),
        scale => Some(scale),
    }
}
