//! The answer as text that fits 80 columns: ids in one column, then what is the matter, and below
//! it, indented, why.

use super::{Alarm, Device, Hygiene, Link, Modem, Status, Tag, Unit};
use crate::config::show_bytes;
use crate::screen::{heading, line, plural, span, width, wrapped};
use serde_json::Value;
use std::fmt::Write as _;

/// The text, without the last line's end.
pub(super) fn render(status: &Status) -> String {
    let mut text = String::new();
    head(&mut text, status);
    links(&mut text, status);
    units(&mut text, status);
    devices(&mut text, status);
    alarms(&mut text, status);
    if let Some(known) = &status.hygiene {
        text.push('\n');
        wrapped(&mut text, "  ", 2, &hygiene(known));
    }
    text.truncate(text.trim_end().len());
    text
}

fn head(text: &mut String, status: &Status) {
    let Status {
        gateway,
        version,
        run,
        boot,
        cfg,
        ..
    } = status;
    let up = span(status.up_ms);
    line(text, 0, &format!("{gateway}: andon {version}, up for {up}"));
    let mut row = |what: &str, is: &str| wrapped(text, &format!("  {what:<8} "), 11, is);
    row("run", &format!("{run}, start {boot}, configuration {cfg}"));
    row("clock", &status.clock);
    let memory = status.memory_bytes;
    row("memory", &memory.map_or("not known".into(), show_bytes));
    let broker = match (status.broker_reached, &status.broker_why) {
        (Some(true), _) => "reached".to_owned(),
        (Some(false), why) => format!("not reached: {}", why.as_deref().unwrap_or("?")),
        (None, _) => "nothing known yet".to_owned(),
    };
    row("broker", &broker);
    row("outbox", &outbox(status));
    if let Some(why) = &status.disk_why {
        row("disk", &format!("takes no records: {why}"));
    }
    if let Some(known) = &status.modem {
        row("modem", &modem(status, known));
    }
}

fn modem(status: &Status, modem: &Modem) -> String {
    let mut text = match (&*modem.state, &modem.why) {
        ("ready", _) => {
            let signal = modem.signal_dbm.map(|dbm| format!(", {dbm} dBm"));
            let network = if modem.roaming { ", roaming" } else { "" };
            format!("{}{}{network}", modem.model, signal.unwrap_or_default())
        }
        (_, Some(why)) => format!("sends nothing for {}: {why}", since(status, modem.since_ms)),
        (state, None) => state.to_owned(),
    };
    let _ = write!(text, "; {} sent", modem.sent);
    for (count, what) in [
        (modem.unknown, "unknown"),
        (modem.refused, "refused"),
        (modem.undelivered, "not delivered"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

fn outbox(status: &Status) -> String {
    let mut text = plural(status.waiting, "record") + " waiting";
    if let (1.., Some(oldest)) = (status.waiting, status.oldest_waiting_ms) {
        let _ = write!(text, ", the oldest for {}", since(status, oldest));
    }
    let disk = show_bytes(status.disk_bytes);
    let _ = write!(
        text,
        "; {} stored, {} acknowledged, {} lost in this run; {disk} on disk",
        status.stored, status.acknowledged, status.lost
    );
    text
}

fn links(text: &mut String, status: &Status) {
    let (up, down) = (status.links_up, status.links_down);
    heading(text, &format!("LINKS: {up} up, {down} down"));
    let width = width(status.links.iter().map(|link| &*link.link));
    for link in &status.links {
        let Link {
            devices,
            devices_bad,
            ..
        } = link;
        let up = match link.up {
            Some(true) => "up",
            Some(false) => "DOWN",
            None => "-",
        };
        let since = link.since_ms.map(|at| since(status, at));
        let mut is = plural(*devices, "device");
        if *devices_bad > 0 {
            let _ = write!(is, ", {devices_bad} without data");
        }
        if let Some(share) = link.occupancy {
            let _ = write!(is, ", busy {:.1} %", share * 100.0);
        }
        let row = format!(
            "  {:<width$}  {up:<4}  {:>11}  {is}",
            link.link,
            since.unwrap_or_default()
        );
        line(text, 0, &row);
        if let (Some(false), Some(why)) = (link.up, &link.why) {
            wrapped(text, "    ", 4, why);
        }
    }
}

/// What the meters of the Modbus links show, if there are any.
fn units(text: &mut String, status: &Status) {
    let metered = || {
        let units = |link: &'_ Link| link.units.len();
        status.links.iter().filter(move |link| units(link) > 0)
    };
    let named = |link: &Link, unit: &Unit| format!("{}/{}", link.link, unit.unit);
    let names: Vec<String> = metered()
        .flat_map(|link| link.units.iter().map(|unit| named(link, unit)))
        .collect();
    if names.is_empty() {
        return;
    }
    let width = width(names.iter().map(String::as_str));
    let titles = "requests   p50 ms   p99 ms  timeouts   CRC  wrong  retries";
    heading(text, &format!("{:<1$}  {titles}", "UNITS", width + 2));
    let units = metered().flat_map(|link| &link.units);
    for (name, unit) in names.iter().zip(units) {
        let ms = |time: Option<f64>| time.map_or("-".into(), |ms| format!("{ms:.1}"));
        let row = format!(
            "  {name:<width$}  {:>8}  {:>7}  {:>7}  {:>8}  {:>4}  {:>5}  {:>7}{}",
            unit.requests,
            ms(unit.answer_ms_p50),
            ms(unit.answer_ms_p99),
            unit.timeouts,
            unit.crc_errors,
            unit.wrong_answers,
            unit.retries,
            if unit.answering == Some(false) {
                "  SILENT"
            } else {
                ""
            },
        );
        line(text, 0, &row);
    }
}

fn devices(text: &mut String, status: &Status) {
    let bad = status.devices_bad;
    let all = status.devices.len();
    heading(text, &format!("DEVICES: {all}, {bad} without data"));
    let width = width(status.devices.iter().map(|device| &*device.device));
    for device in &status.devices {
        let state = device.state.as_deref().unwrap_or("-");
        let since = device.since_ms.map(|at| since(status, at));
        let row = format!(
            "  {:<width$}  {state:<12}  {:>11}  ",
            device.device,
            since.unwrap_or_default()
        );
        wrapped(text, &row, 4, &quality(device));
        for tag in &device.bad {
            let Tag { tag: name, .. } = tag;
            let age = tag.age_ms.map(|age| format!(", {} ago", span(age)));
            let is = told(&tag.quality, tag.reason.as_deref());
            line(text, 4, &format!("{name}: {is}{}", age.unwrap_or_default()));
        }
        if device.tags_bad > device.bad.len() {
            let (bad, all) = (device.tags_bad, device.tags);
            line(text, 4, &format!("together {bad} of {all} tags are bad"));
        }
    }
}

/// What is known of a device, and why it is not more.
fn quality(device: &Device) -> String {
    let mut text = told(&device.quality, device.reason.as_deref());
    if let Some(age) = device.age_ms {
        let _ = write!(text, ", {} old", span(age));
    }
    if device.state.as_deref() == Some("faulted") {
        match (&device.code, &device.cause) {
            (Some(code), Some(cause)) => {
                let _ = write!(text, "; {code}: {cause}");
            }
            (Some(Value::String(code)), None) => {
                let _ = write!(text, "; code {code}");
            }
            (Some(code), None) => {
                let _ = write!(text, "; code {code}");
            }
            (None, _) => {}
        }
    }
    text
}

fn told(quality: &str, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{quality}: {reason}"),
        None => quality.to_owned(),
    }
}

fn alarms(text: &mut String, status: &Status) {
    if status.alarms.is_empty() {
        return heading(text, "ALARMS: none");
    }
    let count = status.alarms.len();
    heading(text, &format!("ALARMS: {count} not normal"));
    let width = width(status.alarms.iter().map(|alarm| &*alarm.id));
    for alarm in &status.alarms {
        let Alarm {
            id,
            state,
            priority,
            ..
        } = alarm;
        let raised = alarm.raised_ms.map(|at| since(status, at));
        let undecided = if alarm.quality == "bad" {
            ", cannot be decided"
        } else {
            ""
        };
        let raised = raised.map_or(String::new(), |raised| format!(", raised {raised} ago"));
        let row = format!("  {id:<width$}  {priority:<6}  {state}{undecided}{raised}");
        line(text, 0, &row);
        wrapped(text, "    ", 4, &alarm.text_en);
    }
}

/// How many alarms there were, in a line or two; `andon alarms --hygiene` has the rest.
fn hygiene(hygiene: &Hygiene) -> String {
    let Hygiene {
        last_10min,
        last_hour,
        last_day,
        ..
    } = hygiene;
    let mut text =
        format!("raised: {last_10min} in 10 min, {last_hour} in 1 h, {last_day} in 24 h");
    if hygiene.flood {
        text.push_str("; a flood now");
    }
    if !hygiene.chattering_ids.is_empty() {
        let _ = write!(text, "; chattering: {}", hygiene.chattering_ids.join(", "));
    }
    if hygiene.stale > 0 {
        let _ = write!(text, "; {} in view for over 24 h", hygiene.stale);
    }
    if let Some(median) = hygiene.ack_median_ms {
        let _ = write!(text, "; acknowledged after {} (median)", span(median));
    }
    text
}

/// How long ago a moment was, by the agent's own clock.
fn since(status: &Status, at: i64) -> String {
    span(u64::try_from(status.ts.saturating_sub(at)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::COLUMNS;
    use serde_json::json;
    use unicode_width::UnicodeWidthStr as _;

    fn shown(status: Value) -> String {
        render(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn an_agent_is_seen_at_a_glance() {
        let text = shown(json!({
            "gateway": "gw-press-1", "version": "0.1.0", "up_ms": 11_520_000, "run": "9f3a61c07b2d",
            "boot": 12, "cfg": "5be1c0d2", "ts": 1_790_000_000_000_i64, "clock": "synced",
            "memory_bytes": 10_276_044, "broker_reached": false,
            "broker_why": "10.1.1.5:1883: nothing listens there; is the broker running, is the port right?",
            "waiting": 13, "oldest_waiting_ms": 1_789_999_400_000_i64, "stored": 388,
            "acknowledged": 375, "lost": 0, "disk_bytes": 3_250_586, "links_up": 1, "links_down": 1,
            "devices_bad": 1,
            "links": [
                { "link": "plc", "up": true, "since_ms": 1_789_988_480_000_i64, "devices": 2,
                  "occupancy": 0.0423, "units": [
                    { "unit": 1, "requests": 57_600, "answer_ms_p50": 1.2, "answer_ms_p99": 3.42,
                      "answering": true },
                    { "unit": 2, "requests": 11_520, "answer_ms_p50": null, "timeouts": 12,
                      "crc_errors": 3, "wrong_answers": 1, "retries": 2, "answering": false },
                  ] },
                { "link": "rs485", "up": false, "since_ms": 1_789_999_280_000_i64, "devices": 1,
                  "devices_bad": 1, "why": "/dev/serial/by-id/usb-FTDI: no such port" },
                { "link": "scripts", "up": null, "devices": 1 },
            ],
            "devices": [
                { "device": "press-1", "state": "producing", "since_ms": 1_789_999_280_000_i64,
                  "quality": "good", "age_ms": 312, "tags": 6, "bad": [] },
                { "device": "press-2", "state": "faulted", "since_ms": 1_789_999_880_000_i64,
                  "quality": "good", "age_ms": 312, "code": 7, "cause": "light curtain tripped",
                  "tags": 6, "tags_bad": 1, "bad": [
                    { "tag": "temperature", "quality": "bad", "reason": "out-of-range", "age_ms": 400 },
                  ] },
                { "device": "meter-1", "quality": "bad", "reason": "never-read", "tags": 12,
                  "tags_bad": 12, "bad": [
                    { "tag": "power", "quality": "bad", "reason": "never-read", "age_ms": null },
                  ] },
            ],
            "alarms": [
                { "id": "press-2.fault", "state": "unack-active", "priority": "high",
                  "quality": "good", "raised_ms": 1_789_999_880_000_i64,
                  "text_en": "press-2 stopped by a fault" },
            ],
            "hygiene": { "last_10min": 1, "last_hour": 3, "last_day": 14, "flood": true,
                "chattering_ids": ["press-2.door"], "stale": 2, "ack_median_ms": 61_000 },
        }));
        assert_eq!(
            text,
            "\
gw-press-1: andon 0.1.0, up for 3 h 12 min
  run      9f3a61c07b2d, start 12, configuration 5be1c0d2
  clock    synced
  memory   9.8 MiB
  broker   not reached: 10.1.1.5:1883: nothing listens there; is the broker
           running, is the port right?
  outbox   13 records waiting, the oldest for 10 min 0 s; 388 stored, 375
           acknowledged, 0 lost in this run; 3.1 MiB on disk

LINKS: 1 up, 1 down
  plc      up     3 h 12 min  2 devices, busy 4.2 %
  rs485    DOWN   12 min 0 s  1 device, 1 without data
    /dev/serial/by-id/usb-FTDI: no such port
  scripts  -                  1 device

UNITS    requests   p50 ms   p99 ms  timeouts   CRC  wrong  retries
  plc/1     57600      1.2      3.4         0     0      0        0
  plc/2     11520        -        -        12     3      1        2  SILENT

DEVICES: 3, 1 without data
  press-1  producing      12 min 0 s  good, 312 ms old
  press-2  faulted         2 min 0 s  good, 312 ms old; 7: light curtain tripped
    temperature: bad: out-of-range, 400 ms ago
  meter-1  -                          bad: never-read
    power: bad: never-read
    together 12 of 12 tags are bad

ALARMS: 1 not normal
  press-2.fault  high    unack-active, raised 2 min 0 s ago
    press-2 stopped by a fault

  raised: 1 in 10 min, 3 in 1 h, 14 in 24 h; a flood now; chattering:
  press-2.door; 2 in view for over 24 h; acknowledged after 1 min 1 s (median)"
        );
        assert!(text.lines().all(|line| line.width() <= COLUMNS));
    }

    #[test]
    fn an_agent_of_another_version_is_shown_as_far_as_it_tells() {
        let text = shown(json!({ "gateway": "gw-1", "new": [1, 2, 3] }));
        assert!(text.starts_with("gw-1: andon"), "{text}");
        assert!(text.ends_with("ALARMS: none"), "{text}");
    }
}
