//! What a link subscribes to: the topics of its devices, with what is read out of each.

use super::tags::message::{topic_of, topic_of_all};
use crate::settings::{Reader, Topic};
use andon_core::plant::Device;
use andon_core::tag::{DeviceIndex, LinkIndex, Source, TagIndex};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every topic of a link, and the filter that several devices share; `called` is what each device
/// is called in them.
pub(super) fn topics(link: LinkIndex, devices: &[Device], called: &[Arc<str>]) -> Vec<Topic> {
    let mut topics: BTreeMap<String, Topic> = BTreeMap::new();
    for ((index, device), called) in (0..).map(DeviceIndex).zip(devices).zip(called) {
        if device.link != link {
            continue;
        }
        for (tag, configured) in (0..).map(TagIndex).zip(&device.model.tags) {
            let Source::Message(place) = &configured.source else {
                continue;
            };
            let Some(template) = &place.topic else {
                continue;
            };
            let name = topic_of(template, called);
            let topic = topics.entry(name).or_insert_with_key(|name| Topic {
                name: name.as_str().into(),
                shared: topic_of_all(template).map(Into::into),
                readers: Vec::new(),
            });
            match topic.readers.last_mut().filter(|last| last.device == index) {
                Some(reader) => reader.tags.push(tag),
                None => topic.readers.push(Reader {
                    device: index,
                    called: called.clone(),
                    tags: vec![tag],
                }),
            }
        }
    }
    let mut topics: Vec<Topic> = topics.into_values().collect();
    // A filter that one topic alone would use lets in more than is read.
    let mut uses: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for shared in topics.iter().filter_map(|topic| topic.shared.clone()) {
        *uses.entry(shared).or_default() += 1;
    }
    for topic in &mut topics {
        topic.shared.take_if(|shared| uses.get(shared) == Some(&1));
    }
    topics
}
