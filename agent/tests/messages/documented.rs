//! Every example of `agent/docs/messages.md` loads, and its message is what it says.

use crate::rig::{settings, shop, shown};
use andon::field::payload::{Payload, Reader};
use andon_core::plant::Plant;
use andon_core::sample::Sample;
use andon_core::tag::{DeviceIndex, Source, TagIndex};
use std::collections::BTreeMap;

const DOCS: &str = include_str!("../../docs/messages.md");

/// The text of the first block of a language, and what follows it.
fn block<'d>(text: &'d str, language: &str) -> Option<(&'d str, &'d str)> {
    let (_, after) = text.split_once(&format!("```{language}\n"))?;
    after.split_once("```\n")
}

fn settings_of(toml: &str) -> andon::settings::Settings {
    let device = "[[device]]\nid = \"press-1\"\nlink = \"shop\"\n";
    let sections = if toml.starts_with("[[") {
        format!("{toml}{device}profile = \"press\"\n")
    } else {
        format!("{device}[device.tags]\n{toml}")
    };
    settings(&(shop(1883) + &sections))
}

fn read(plant: &Plant, message: &str) -> BTreeMap<String, String> {
    let tags = &plant.device(DeviceIndex(0)).model.tags;
    let places = (0..)
        .map(TagIndex)
        .zip(tags)
        .filter_map(|(index, tag)| match &tag.source {
            Source::Message(place) => Some((index, place)),
            Source::Modbus(_) | Source::Board(_) => None,
        });
    let reader = Reader {
        device: "press-1",
        zone: &plant.calendar.zone,
        retained: false,
    };
    let samples = Payload::new(message.as_bytes(), 4096).samples(places, reader);
    // The last one of a tag is what holds.
    let told = |(tag, sample): &(TagIndex, Sample)| {
        let time = sample
            .time
            .map(|time| format!(" at {}", time.0))
            .unwrap_or_default();
        let name = tags[usize::from(tag.0)].name.to_string();
        (name, shown(&sample.reading) + &time)
    };
    samples.iter().map(told).collect()
}

#[test]
fn every_example_is_what_it_says() {
    let mut rest = DOCS;
    let (mut loaded, mut checked) = (0, 0);
    while let Some((toml, after)) = block(rest, "toml") {
        rest = after;
        let settings = settings_of(toml);
        loaded += 1;
        // Those of topics and of bytes have no message that could be shown.
        let next = after.find("```toml").unwrap_or(after.len());
        let languages = ["text", "json", "csv"].into_iter();
        let Some((message, says)) = languages.filter_map(|it| block(&after[..next], it)).next()
        else {
            continue;
        };
        let (_, says) = says.split_once("gives ").expect("what it gives");
        let line = says.lines().next().expect("what it gives");
        let pairs = line.split(", `").map(|pair| {
            let (tag, value) = pair.split_once("` = ").expect("`tag` = value");
            (tag.trim_start_matches('`').to_owned(), value.to_owned())
        });
        assert_eq!(read(&settings.plant, message), pairs.collect(), "{toml}");
        checked += 1;
    }
    assert_eq!((loaded, checked), (7, 5), "an example is not found");
}
