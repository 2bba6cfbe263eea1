//! Texts in registers.

use crate::sample::{LONGEST_TEXT, Reason, Text, Value};
use crate::tag::{Order, Packing, Point};

/// The text in exactly the registers of `point`. A NUL ends it, as in the strings of SunSpec
/// (Information Model Specification 1.9: "to terminate or pad"); blanks at its end are padding.
/// Registers in which nothing stands are [`Reason::Missing`].
pub(super) fn text(point: &Point, own: &[u16]) -> Result<Value, Reason> {
    let swapped = matches!(point.order, Order::Badc | Order::Dcba);
    let bytes = own.iter().flat_map(|register| {
        let [high, low] = register.to_be_bytes();
        let (first, second) = match point.packing {
            Packing::Pairs if swapped => (low, Some(high)),
            Packing::Pairs => (high, Some(low)),
            Packing::High => (high, None),
            Packing::Low => (low, None),
        };
        core::iter::once(first).chain(second)
    });
    let bytes = bytes.take(usize::from(point.length));
    let content = bytes.clone().take_while(|byte| *byte != 0);
    let end = content
        .clone()
        .zip(1..)
        .filter(|(byte, _)| !byte.is_ascii_whitespace())
        .last()
        .map_or(0, |(_, end)| end);
    if end == 0 {
        // Characters behind nothing are not padding.
        let is_blank = |byte: u8| byte == 0 || byte.is_ascii_whitespace();
        let reason = if bytes.clone().all(is_blank) {
            Reason::Missing
        } else {
            Reason::Malformed
        };
        return Err(reason);
    }
    let mut buffer = [0; LONGEST_TEXT];
    let place = buffer.get_mut(..end).ok_or(Reason::TooLong)?;
    for (to, byte) in place.iter_mut().zip(content) {
        *to = byte;
    }
    let text = str::from_utf8(place).map_err(|_| Reason::Malformed)?;
    if text.contains(char::is_control) {
        return Err(Reason::Malformed);
    }
    let text = Text::try_from(text).map_err(|_| Reason::TooLong)?;
    Ok(Value::Text(text))
}
