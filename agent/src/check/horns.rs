//! What each horn sounds and shines through, and for which alarms.

use super::line;
use crate::annunciator::horn::named;
use crate::settings::Settings;

pub(super) fn show(text: &mut String, settings: &Settings) {
    let plant = &settings.plant;
    for (horn, outputs) in plant.horns.iter().zip(&settings.horns) {
        let through = outputs.iter().map(|output| {
            let name = named(settings, output);
            match output.part() {
                Some(part) => format!("{name} ({})", part.as_str()),
                None => name,
            }
        });
        let through: Vec<String> = through.collect();
        let of = match &horn.devices {
            Some(devices) => format!(", of {} devices", devices.len()),
            None => String::new(),
        };
        let what = format!(
            "sequence {}, from {}{of}: {}",
            horn.sequence.letter(),
            horn.from_priority.as_str(),
            through.join(", ")
        );
        line(text, &format!("horn {}", horn.id), &what);
    }
}
