//! What a serial bus has to bear, in words: the arithmetic that `check` shows, and refuses by.

use andon_core::modbus::cost::{self, THINKING_US};
use andon_core::modbus::load::{Load, Share};
use andon_core::modbus::plan::{Plan, Read};
use andon_core::plant::Plant;
use andon_core::tag::LinkIndex;

/// Above this share, in parts in a million, there is little time left for whatever goes wrong.
pub const TIGHT: u64 = 800_000;

/// The serial buses of a plant with what they have to bear.
pub fn loads<'a>(plant: &'a Plant, plan: &'a Plan) -> impl Iterator<Item = (LinkIndex, Load)> + 'a {
    let links = (0..).map(LinkIndex).take(plant.links.len());
    links.filter_map(|link| Some((link, Load::of_link(plant, plan, link)?)))
}

/// A share as people write it: `12.3 %`.
pub fn percent(ppm: u64) -> String {
    format!("{}.{} %", ppm / 10_000, ppm % 10_000 / 1_000)
}

/// Microseconds as milliseconds with one decimal.
pub fn milliseconds(us: u64) -> String {
    let tenths = (us + 50) / 100;
    format!("{}.{} ms", tenths / 10, tenths % 10)
}

/// A read and how often it is made: `meter-1 input:52, 2 registers every 100 ms`.
pub fn reading(plant: &Plant, read: &Read) -> String {
    let items = match (read.table.is_bits(), read.count) {
        (true, 1) => "bit",
        (true, _) => "bits",
        (false, 1) => "register",
        (false, _) => "registers",
    };
    format!(
        "{} {}:{}, {} {items} every {}",
        plant.device(read.device).id,
        read.table.as_str(),
        read.start,
        read.count,
        crate::config::show_ms(read.every_ms),
    )
}

/// What one exchange is made of.
pub fn arithmetic(plant: &Plant, load: &Load, read: &Read, share: &Share) -> String {
    let line = load.line;
    let answer = cost::ANSWER + cost::content(read.table, read.count);
    let pause = plant.device(read.device).manners.between_requests_ms;
    let pause = match pause {
        0 => String::new(),
        ms => format!(", {ms} ms pause"),
    };
    let turnaround = match share.turnaround_us {
        0 => String::new(),
        us => format!(", {} turnaround between units", milliseconds(us)),
    };
    format!(
        "{} + {answer} characters of {} bits = {}, silence 2 x {}, {} assumed until it answers{turnaround}{pause}: {}",
        cost::REQUEST,
        line.char_bits,
        milliseconds(line.characters_us(cost::REQUEST) + line.characters_us(answer)),
        milliseconds(line.silent_us()),
        milliseconds(THINKING_US),
        milliseconds(share.exchange_us),
    )
}

/// The reads of a bus, those first that take most of it.
pub fn largest<'a>(load: &Load, plan: &'a Plan) -> Vec<(Share, &'a Read)> {
    let mut shares: Vec<(Share, &Read)> = load
        .shares
        .iter()
        .map(|share| (*share, plan.read(share.read)))
        .collect();
    shares.sort_by_key(|(share, _)| std::cmp::Reverse(share.ppm));
    shares
}
