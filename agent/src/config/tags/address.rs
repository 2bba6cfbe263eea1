//! Where a tag lies in a Modbus unit: `holding:10`.

use crate::config::nearest::suggest;
use crate::config::report::Finding;
use crate::config::values::{text, whole};
use crate::config::walk::{At, Findings, Item};
use andon_core::tag::Table;
use toml::de::DeValue;

/// Table and protocol address. The numbers of manuals (40011) are refused with what they mean.
pub(in crate::config) fn address(item: &Item<'_>) -> Option<(Table, u16)> {
    if let DeValue::Integer(_) = item.value {
        return manual_number(item, &whole(item.value).unwrap_or(-1).to_string());
    }
    let text = text(item)?;
    let Some((table, address)) = text.split_once(':') else {
        return manual_number(item, text);
    };
    let Some(table) = Table::ALL.into_iter().find(|known| known.as_str() == table) else {
        let hint = suggest(table, Table::ALL.map(Table::as_str), "");
        return item.wrong(format!("`{table}` is not a table of Modbus"), hint);
    };
    let digits = !address.is_empty() && address.bytes().all(|b| b.is_ascii_digit());
    match address.parse::<u32>() {
        Ok(address) if digits => match u16::try_from(address) {
            Ok(address) => Some((table, address)),
            Err(_) => item.wrong(
                format!("address {address} does not exist"),
                "from 0 to 65535",
            ),
        },
        _ => item.wrong(
            format!("`{address}` is not a register address"),
            format!("write a number from 0, such as \"{}:10\"", table.as_str()),
        ),
    }
}

fn manual_number<T>(item: &Item<'_>, text: &str) -> Option<T> {
    let meant = from_manual(text);
    let hint = match meant {
        Some((table, address)) => format!(
            "write \"{}:{address}\": addresses count from 0, as on the wire",
            table.as_str()
        ),
        None if text.parse::<u16>().is_ok() => {
            format!("name the table too: \"holding:{text}\" or \"input:{text}\"")
        }
        None => "write table and address, such as \"holding:10\"".into(),
    };
    item.wrong(format!("`{text}` is not a register address"), hint)
}

/// What 40011, 400011, 30001, 10001 and 00001 mean in manuals.
pub(in crate::config) fn from_manual(text: &str) -> Option<(Table, u32)> {
    if !(5..=6).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let table = match text.as_bytes()[0] {
        b'0' => Table::Coil,
        b'1' => Table::Discrete,
        b'3' => Table::Input,
        b'4' => Table::Holding,
        _ => return None,
    };
    let address = text[1..].parse::<u32>().ok()?.checked_sub(1)?;
    (address <= u32::from(u16::MAX)).then_some((table, address))
}

/// Warns of addresses that may be numbers from a manual. A device of which 40000 is read as well has
/// such addresses on the wire (SunSpec): in a manual the first is 40001.
pub(super) fn warn_of_manual_numbers(places: &[&At<(Table, u16)>], out: &Findings) {
    for at in places {
        let (table, address) = at.value;
        let Some((of, meant)) = from_manual(&address.to_string()) else {
            continue;
        };
        let none = (table, address - address % 10_000);
        if of == table && !table.is_bits() && places.iter().all(|other| other.value != none) {
            let what = format!("{address} looks like a number from a manual");
            let hint = format!("if so, write \"{}:{meant}\"", table.as_str());
            out.warn(Finding::at(at.span.clone(), what).hint(hint));
        }
    }
}
