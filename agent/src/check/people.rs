//! Who is told of what, and when: what is wrong with it is seen before the night in which it matters.

use crate::config::show_ms;
use andon_core::plant::{Channel, Plant, Priority, Recipient};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Longer lists are summed up.
const MOST: usize = 20;

/// A line or two for everybody who is told.
pub(super) fn show(text: &mut String, plant: &Plant) {
    let roster = &plant.roster;
    if roster.recipients.is_empty() {
        return;
    }
    text.push_str("\nPeople, and what they are told of alarms\n");
    let shown = roster.recipients.iter().take(MOST);
    let width = shown.clone().map(|one| one.name.chars().count()).max();
    let width = width.unwrap_or(0).min(24);
    for recipient in shown {
        let told = told_of(plant, recipient);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {:<width$}  {} {}: {}",
            recipient.name, recipient.channel, recipient.address, told
        );
    }
    if let Some(more @ 1..) = roster.recipients.len().checked_sub(MOST) {
        let _ = writeln!(text, "  and {more} more");
    }
    let has_sms = roster
        .recipients
        .iter()
        .any(|one| one.channel == Channel::Sms);
    if has_sms {
        let _ = writeln!(
            text,
            "  all text messages together: at most {} in an hour and {} in a day, 30 % of both for high alarms",
            roster.sms.per_hour, roster.sms.per_day
        );
    }
}

/// What somebody is told, and when.
fn told_of(plant: &Plant, recipient: &Recipient) -> String {
    let watched = plant.alarms.iter().filter(|alarm| recipient.watches(alarm));
    let count = watched.count();
    let priorities = match recipient.from_priority {
        Priority::Low => "every priority",
        Priority::Medium => "medium and high",
        Priority::High => "high only",
    };
    let mut told = match count {
        0 => format!("nothing: no alarm is for them ({priorities})"),
        1 => format!("1 alarm, {priorities}"),
        count => format!("{count} alarms, {priorities}"),
    };
    match recipient.after_ms {
        0 => told.push_str(", at once"),
        after => {
            let _ = write!(told, ", {} after nobody has acknowledged", show_ms(after));
        }
    }
    if let Some(shifts) = &recipient.shifts {
        let names: Vec<&str> = shifts.iter().map(|name| &**name).collect();
        let _ = write!(told, ", in shift {}", names.join(" and "));
    }
    if let Some((from, to)) = recipient.quiet {
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let _ = write!(told, ", high only from {} to {}", clock(from), clock(to));
    }
    let budget = recipient.budget;
    let _ = write!(
        told,
        "; at most {} in an hour and {} in a day",
        budget.per_hour, budget.per_day
    );
    told
}

/// The same for a program.
pub(super) fn as_json(plant: &Plant) -> Vec<Value> {
    let recipients = plant.roster.recipients.iter();
    let shown = recipients.map(|recipient| {
        let watched = plant.alarms.iter().filter(|alarm| recipient.watches(alarm));
        json!({
            "name": &*recipient.name,
            "channel": recipient.channel.as_str(),
            "address": &*recipient.address,
            "alarms": watched.count(),
            "from_priority": recipient.from_priority,
            "after_ms": recipient.after_ms,
            "shifts": recipient.shifts.as_ref().map(|shifts| {
                shifts.iter().map(|name| name.to_string()).collect::<Vec<_>>()
            }),
            "per_hour": recipient.budget.per_hour,
            "per_day": recipient.budget.per_day,
        })
    });
    shown.collect()
}
