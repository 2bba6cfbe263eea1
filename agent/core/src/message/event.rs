//! `event`: the journal.

use super::declare::{Entry, Field, Maybe, Variant, keys};
use super::values::{Carried, Outcome, Raw, Soundness, UpDown};
use super::{quality_entries, quality_keys};
use crate::alarm::{Act, AlarmState, Verb, Via};
use crate::annunciate::{Channel, Kind};
use crate::plant::Priority;
use crate::record::{Class, Event, Run};
use crate::sample::{Reason, Value};
use crate::state::State;
use crate::summary::Tier;
use crate::time::{ClockState, Wall};
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use serde::ser::SerializeMap;

/// Declares events: how each is written, and what is told of it. Keys that several have are named
/// by the functions of [`keys`].
macro_rules! events {
    ($(
        $event:pat => $word:expr, $words:expr, $about:literal {
            $($key:literal: $type:ty = $value:expr, $key_about:literal;)*
            $(..$write:ident($($arg:expr),*), $tell:ident;)*
        }
    )*) => {
        /// Writes the keys of an event.
        pub(super) fn entries<M: SerializeMap>(map: &mut M, event: &Event) -> Result<(), M::Error> {
            match event {
                $($event => {
                    map.serialize_entry("event", $word)?;
                    $(
                        let value: $type = $value;
                        value.put(map, $key)?;
                    )*
                    $($write(map, $($arg),*)?;)*
                })*
            }
            Ok(())
        }

        /// Every kind of event.
        pub(super) fn variants() -> Vec<Variant> {
            Vec::from([$({
                let own: Vec<Field> = Vec::from([$(Field::of::<$type>($key, $key_about)),*]);
                let shared: Vec<Vec<Field>> = Vec::from([$($tell()),*]);
                Variant {
                    words: $words,
                    about: $about,
                    fields: own.into_iter().chain(shared.into_iter().flatten()).collect(),
                }
            }),*])
        }
    };
}

events! {
    Event::State { device, from, to, code, cause, quality }
    => "state", &["state"], "A machine changed its state." {
        "device": &str = device, "Id of the machine.";
        "from": State = *from, "What it did before.";
        "to": State = *to, "What it does now.";
        "code": Option<Raw<'_>> = code.as_ref().map(Raw), "The raw status value; null where none is known.";
        "cause": Option<&str> = cause.as_deref(), "What the code means, in English, as far as the configuration says.";
        ..quality_entries(*quality), quality_keys;
    }
    Event::Alarm {
        device, alarm, occurrence, priority, from, to, value, active, first_out, done: None,
    } => "alarm", &["alarm"], "An alarm changed its state by itself." {
        ..subject(device, alarm, *occurrence, *priority), subject_keys;
        ..change((*from, *to), *active, value.as_ref(), *first_out), change_keys;
    }
    Event::Alarm {
        device, alarm, occurrence, priority, from, to, value, active, first_out, done: Some(done),
    } => done.verb.as_str(), Verb::WORDS, "A person did something to an alarm, or called for somebody." {
        ..subject(device, alarm, *occurrence, *priority), subject_keys;
        ..change((*from, *to), *active, value.as_ref(), *first_out), change_keys;
        ..act(&done.act), act_keys;
        ..deed(done.until, done.took_ms), deed_keys;
    }
    Event::Silence { act: done, count, until }
    => "silence", &["silence"], "A person stopped the sound of all alarms." {
        "count": u64 = *count, "How many alarms sounded.";
        ..act(done), act_keys;
        ..lasting(*until), lasting_keys;
    }
    Event::HornTest { horn, act: done, until }
    => "horn-test", &["horn-test"], "A person tests what is heard and lit; no alarm is changed by it." {
        "what": Option<&str> = horn.as_deref(), "Which horn; null: every one.";
        ..act(done), act_keys;
        ..lasting(*until), lasting_keys;
    }
    Event::Telling(telling)
    => "notice", &["notice"], "Somebody was told of alarms, or nobody can be." {
        "what": Option<&str> = telling.alarm.as_deref(), "Id of the alarm, or of the worst of several; null of an answer to a message.";
        "occurrence": Option<u64> = telling.occurrence, "Which of its activations.";
        "priority": Option<Priority> = telling.priority, "How urgent it is.";
        "to": Option<&str> = telling.to.as_deref(), "Who was told; null: nobody can be.";
        "via": Option<Channel> = telling.channel, "How.";
        "kind": Option<Kind> = telling.kind, "Why they were told.";
        "outcome": Outcome<'_> = Outcome(&telling.outcome), "What became of it; `unknown`: sent, and nobody confirmed it.";
        "why": Option<&str> = telling.why.as_deref(), "Why not, in words.";
        "count": u64 = telling.count, "How many alarms they were told of at once.";
    }
    Event::Answer(answer)
    => "answer", &["answer"], "What became of a command that somebody sent who may." {
        "command": &str = &answer.command, "What was to be done: the last level of its topic.";
        "what": Option<&str> = answer.id.as_deref(), "Id of the alarm that was named.";
        "occurrence": Option<u64> = answer.occurrence, "Which of its activations it was done to; if it was refused, the one that was named.";
        "nonce": &str = &answer.nonce, "The `nonce` of the command.";
        "outcome": Carried<'_> = Carried(answer.outcome()), "What became of it.";
        "why": Option<&str> = answer.refused.as_deref(), "Why it was refused, in words.";
        "by": Option<&str> = answer.by.as_deref(), "Who sent it.";
        "via": Via = answer.via, "By which way.";
        "count": Option<u64> = answer.count, "How many alarms were silenced.";
    }
    Event::Link { link, up, why }
    => "link", &["link"], "A link to machines came up or went down." {
        "what": &str = link, "Id of the link.";
        "from": UpDown<'_> = UpDown(if *up { "down" } else { "up" }), "What it was before.";
        "to": UpDown<'_> = UpDown(if *up { "up" } else { "down" }), "What it is now.";
        "why": Option<&str> = why.as_deref(), "Why it is down, in words.";
    }
    Event::Clock { from, to, step_ms }
    => "clock", &["clock"], "The gateway's clock was stepped, or is worth more or less than before." {
        "from": ClockState = *from, "What it was worth before.";
        "to": ClockState = *to, "What it is worth now.";
        "step_ms": i64 = *step_ms, "By how many milliseconds it was stepped.";
    }
    Event::Config { what }
    => "config", &["config"], "A configuration was taken up." {
        "what": &str = what, "Which, in words.";
    }
    Event::Loss { why, run, seq_from, seq_to, count, class }
    => "loss", &["loss"], "Records were lost, and will never come." {
        "what": &str = why, "Why, in words.";
        "of_run": Maybe<&Run> = Maybe(run.as_ref()), "The run whose records they were; left out, as the three below, if nobody can know.";
        "of_boot": Maybe<u32> = Maybe(run.map(|run| run.boot)), "The start that this was.";
        "seq_from": Maybe<u64> = Maybe(run.map(|_| *seq_from)), "The first lost number.";
        "seq_to": Maybe<u64> = Maybe(run.map(|_| *seq_to)), "The last lost number.";
        "class": Option<Class> = *class, "What they were: windows and tags, the journal, or alarms; null if not all were of one kind.";
        "count": Option<u64> = (*count > 0).then_some(*count), "How many; null if nobody can know.";
    }
    Event::Merged { device, tier, run, seq_from, seq_to, count }
    => "merged", &["merged"], "Waiting windows became one, with their sum: their numbers vanish, and nothing is lost." {
        "device": &str = device, "Id of the machine.";
        "window": Tier = *tier, "Which windows.";
        "of_run": &Run = run, "The run whose numbers vanish.";
        "of_boot": u32 = run.boot, "The start that this was.";
        "seq_from": u64 = *seq_from, "The first number that vanished.";
        "seq_to": u64 = *seq_to, "The last number that vanished.";
        "count": u64 = *count, "How many vanished.";
    }
    Event::UnmappedState { device, value }
    => "unmapped-state", &["unmapped-state"], "A machine told a status that no rule of its state maps." {
        "device": &str = device, "Id of the machine.";
        "what": String = value.to_string(), "The value as text.";
        "value": Raw<'_> = Raw(value), "The value.";
    }
    Event::Source { device, tag, reason, begins, value }
    => "source", &["source"], "A source lies, or does so no more." {
        "device": &str = device, "Id of the machine.";
        "what": Option<&str> = tag.as_deref(), "Which of its tags; null: all of them.";
        "from": Soundness = Soundness((!*begins).then_some(*reason)), "What it was before.";
        "to": Soundness = Soundness(begins.then_some(*reason)), "What it is now.";
        "reason": Reason = *reason, "How it lies.";
        "value": Option<Raw<'_>> = value.as_ref().map(Raw), "What it said when that was found; of a clock, by how many milliseconds it is ahead.";
    }
}

keys! {
    /// Which alarm.
    fn subject, subject_keys(device: &str, alarm: &str, occurrence: u64, priority: Priority) {
        "device": &str = device, "Id of the machine, or `gateway`.";
        "what": String = format!("{device}.{alarm}"), "Id of the alarm.";
        "occurrence": u64 = occurrence, "Counts its activations; never used again.";
        "priority": Priority = priority, "How urgent it is.";
    }
}

keys! {
    /// What happened to it.
    fn change, change_keys(
        states: (AlarmState, AlarmState),
        active: bool,
        value: Option<&Value>,
        first_out: bool
    ) {
        "from": AlarmState = states.0, "State by ISA-18.2 before.";
        "to": AlarmState = states.1, "State now; the same where it happened out of view.";
        "active": bool = active, "Whether its condition holds.";
        "value": Option<Raw<'_>> = value.map(Raw), "The value that did it; the code for a state.";
        "first_out": bool = first_out, "Whether it came first of its group.";
    }
}

keys! {
    /// Who did something, how and why.
    fn act, act_keys(act: &Act) {
        "by": Option<&str> = act.by.as_deref(), "Who, if they said so.";
        "via": Via = act.via, "By which way.";
        "why": Option<&str> = act.why.as_deref(), "Why, if they said so.";
    }
}

keys! {
    /// What it means for later.
    fn deed, deed_keys(until: Option<Wall>, took_ms: Option<u64>) {
        "until_ms": Option<Wall> = until, "Until when it is shelved.";
        "took_ms": Maybe<u64> = Maybe(took_ms), "Milliseconds since the step of a call before this one; only of calls.";
    }
}

keys! {
    fn lasting, lasting_keys(until: Wall) {
        "until_ms": Wall = until, "Until when.";
    }
}
