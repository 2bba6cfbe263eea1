//! `event`: the journal.

use super::{Raw, quality_entries, run_id};
use crate::alarm::Act;
use crate::record::{Class, Event, Run};
use alloc::format;
use alloc::string::ToString as _;
use serde::ser::SerializeMap;

pub(super) fn entries<M: SerializeMap>(map: &mut M, event: &Event) -> Result<(), M::Error> {
    match event {
        Event::State {
            device,
            from,
            to,
            code,
            cause,
            quality,
        } => {
            map.serialize_entry("event", "state")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("from", from.as_str())?;
            map.serialize_entry("to", to.as_str())?;
            map.serialize_entry("code", &code.as_ref().map(Raw))?;
            map.serialize_entry("cause", cause)?;
            quality_entries(map, *quality)
        }
        Event::Alarm {
            device,
            alarm,
            occurrence,
            priority,
            from,
            to,
            value,
            active,
            first_out,
            done,
        } => {
            let word = done.as_ref().map_or("alarm", |done| done.verb.as_str());
            map.serialize_entry("event", word)?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("what", &format!("{device}.{alarm}"))?;
            map.serialize_entry("occurrence", occurrence)?;
            map.serialize_entry("priority", priority)?;
            map.serialize_entry("from", from.as_str())?;
            map.serialize_entry("to", to.as_str())?;
            map.serialize_entry("active", active)?;
            map.serialize_entry("value", &value.as_ref().map(Raw))?;
            map.serialize_entry("first_out", first_out)?;
            let Some(done) = done else { return Ok(()) };
            act_entries(map, Some(&done.act))?;
            map.serialize_entry("until_ms", &done.until)?;
            match done.took_ms {
                Some(took_ms) => map.serialize_entry("took_ms", &took_ms),
                None => Ok(()),
            }
        }
        Event::Silence { act, count, until } => {
            map.serialize_entry("event", "silence")?;
            map.serialize_entry("count", count)?;
            act_entries(map, Some(act))?;
            map.serialize_entry("until_ms", until)
        }
        Event::HornTest { horn, act, until } => {
            map.serialize_entry("event", "horn-test")?;
            map.serialize_entry("what", horn)?;
            act_entries(map, Some(act))?;
            map.serialize_entry("until_ms", until)
        }
        Event::Telling(telling) => {
            map.serialize_entry("event", "notice")?;
            map.serialize_entry("what", &telling.alarm)?;
            map.serialize_entry("occurrence", &telling.occurrence)?;
            map.serialize_entry("priority", &telling.priority)?;
            map.serialize_entry("to", &telling.to)?;
            map.serialize_entry("via", &telling.channel.map(|channel| channel.as_str()))?;
            map.serialize_entry("kind", &telling.kind.map(|kind| kind.as_str()))?;
            map.serialize_entry("outcome", &telling.outcome)?;
            map.serialize_entry("why", &telling.why)?;
            map.serialize_entry("count", &telling.count)
        }
        Event::Link { link, up, why } => {
            map.serialize_entry("event", "link")?;
            map.serialize_entry("what", link)?;
            map.serialize_entry("from", if *up { "down" } else { "up" })?;
            map.serialize_entry("to", if *up { "up" } else { "down" })?;
            map.serialize_entry("why", why)
        }
        Event::Clock { from, to, step_ms } => {
            map.serialize_entry("event", "clock")?;
            map.serialize_entry("from", from.as_str())?;
            map.serialize_entry("to", to.as_str())?;
            map.serialize_entry("step_ms", step_ms)
        }
        Event::Config { what } => {
            map.serialize_entry("event", "config")?;
            map.serialize_entry("what", what)
        }
        Event::Loss {
            why,
            run,
            seq_from,
            seq_to,
            count,
            class,
        } => {
            map.serialize_entry("event", "loss")?;
            map.serialize_entry("what", why)?;
            if let Some(run) = run {
                numbers(map, run, *seq_from, *seq_to)?;
            }
            map.serialize_entry("class", &class.map(class_word))?;
            map.serialize_entry("count", &(*count > 0).then_some(count))
        }
        Event::Merged {
            device,
            tier,
            run,
            seq_from,
            seq_to,
            count,
        } => {
            map.serialize_entry("event", "merged")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("window", tier.as_str())?;
            numbers(map, run, *seq_from, *seq_to)?;
            map.serialize_entry("count", count)
        }
        Event::UnmappedState { device, value } => {
            map.serialize_entry("event", "unmapped-state")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("what", &value.to_string())?;
            map.serialize_entry("value", &Raw(value))
        }
        Event::Source {
            device,
            tag,
            reason,
            begins,
            value,
        } => {
            let reason = reason.to_string();
            let (from, to) = if *begins {
                ("good", &*reason)
            } else {
                (&*reason, "good")
            };
            map.serialize_entry("event", "source")?;
            map.serialize_entry("device", device)?;
            map.serialize_entry("what", tag)?;
            map.serialize_entry("from", from)?;
            map.serialize_entry("to", to)?;
            map.serialize_entry("reason", &reason)?;
            map.serialize_entry("value", &value.as_ref().map(Raw))
        }
    }
}

/// Who did something, how and why.
fn act_entries<M: SerializeMap>(map: &mut M, act: Option<&Act>) -> Result<(), M::Error> {
    map.serialize_entry("by", &act.and_then(|act| act.by.as_deref()))?;
    map.serialize_entry("via", &act.map(|act| act.via))?;
    map.serialize_entry("why", &act.and_then(|act| act.why.as_deref()))
}

/// Numbers of another run than the record's own are named with that run.
fn numbers<M: SerializeMap>(map: &mut M, run: &Run, from: u64, to: u64) -> Result<(), M::Error> {
    map.serialize_entry("of_run", &run_id(run))?;
    map.serialize_entry("of_boot", &run.boot)?;
    map.serialize_entry("seq_from", &from)?;
    map.serialize_entry("seq_to", &to)
}

const fn class_word(class: Class) -> &'static str {
    match class {
        Class::Summary => "summary",
        Class::Event => "event",
        Class::Alarm => "alarm",
    }
}
