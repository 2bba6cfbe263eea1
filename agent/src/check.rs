//! `andon check`: every mistake of a file, or what it comes to.

mod calendars;
mod certificates;
mod horns;
mod people;

use crate::bus;
use crate::clock;
use crate::config::{self, FileRead, Loaded, Report, show_bytes};
use crate::plan::{self, DiskPlan, MemoryPlan};
use crate::settings::{Broker, Endpoint, Link, LinkKind, Settings};
use andon_core::calendar::Calendar;
use andon_core::modbus::plan::Plan;
use andon_core::time::Wall;
use serde_json::json;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// Longer lists are summed up.
const MOST_LINES: usize = 12;

/// Checks a file and says what it found: mistakes on stderr, the plans on stdout, and with `json`
/// either of them as one object on stdout.
pub fn run(path: &Path, json: bool) -> ExitCode {
    let checked = config::load(path);
    let now = clock::now().wall;
    let code = match checked {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(WRONG),
    };
    let said = if json {
        say(std::io::stdout(), &as_json(&checked, now))
    } else {
        match &checked {
            Ok(loaded) => complain_of(&loaded.warnings)
                .and_then(|()| say(std::io::stdout(), summary(path, loaded, now).trim_end())),
            Err(report) => complain_of(report),
        }
    };
    // A pipe that nobody reads any more is no reason to call a good file bad.
    said.map_or(ExitCode::FAILURE, |()| code)
}

/// Prints mistakes or warnings to stderr, the way every command does.
pub fn complain_of(report: &Report) -> std::io::Result<()> {
    if report.is_empty() {
        return Ok(());
    }
    let stderr = std::io::stderr();
    let colour = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    say(stderr, &format!("{}\n", report.render(colour)))
}

/// Writes a text and the end of its line.
pub fn say(mut to: impl std::io::Write, text: &str) -> std::io::Result<()> {
    writeln!(to, "{text}")?;
    to.flush()
}

/// What a file that can be run comes to.
fn summary(path: &Path, loaded: &Loaded, now: Wall) -> String {
    let settings = &loaded.settings;
    let plant = &settings.plant;
    let gateway = &plant.gateway;
    let mut text = format!("{} is good\n\n", path.display());
    line(
        &mut text,
        "gateway",
        &format!(
            "{}/v1/{}/{}/{} to {}",
            gateway.root,
            gateway.site,
            gateway.area,
            gateway.id,
            std::iter::once(&settings.upstream.broker)
                .chain(&settings.upstream.others)
                .map(broker)
                .collect::<Vec<_>>()
                .join(", then "),
        ),
    );
    files(&mut text, &loaded.files);
    links(&mut text, settings);
    let sum = |count: usize, noun| plural(count, noun);
    let configured = plant.alarms.iter().filter(|alarm| !alarm.is_builtin());
    let configured = configured.count();
    line(
        &mut text,
        "devices",
        &format!(
            "{} with {}, {}",
            plant.devices.len(),
            sum(
                plant
                    .devices
                    .iter()
                    .map(|device| device.model.tags.len())
                    .sum(),
                "tag"
            ),
            sum(configured, "alarm"),
        ),
    );
    horns::show(&mut text, settings);
    if let Some(commands) = &settings.upstream.commands {
        let how = if commands.only_signed {
            "signed"
        } else {
            "sent"
        };
        let file = commands.token_file.display();
        line(
            &mut text,
            "commands",
            &format!("{how} with the token in {file}"),
        );
    }
    if let Some(http) = &settings.http {
        let acting = match &http.act_token_file {
            None => String::new(),
            Some(file) => format!(", acting with the token in {}", file.display()),
        };
        let address = address(&http.host, http.port);
        line(&mut text, "http", &format!("{address}{acting}"));
    }
    for calendar in plant.calendars() {
        let name = format!("calendar {}", calendar.id);
        line(&mut text, name.trim_end(), &in_words(calendar));
    }
    calendars::show(&mut text, plant.calendars(), now);
    people::show(&mut text, plant);
    buses(&mut text, settings);
    not_active(&mut text, settings);
    certificates::show(&mut text, settings, now);
    memory(&mut text, &plan::memory(settings));
    disk(&mut text, &plan::disk(settings), settings);
    text
}

/// Where the devices are written, if not all in the one file.
fn files(text: &mut String, files: &[FileRead]) {
    if files.len() < 2 {
        return;
    }
    let shown = files
        .iter()
        .take(MOST_LINES)
        .map(|read| match read.devices {
            0 => read.file.clone(),
            devices => format!("{} ({})", read.file, plural(devices, "device")),
        });
    let mut shown: Vec<String> = shown.collect();
    if let Some(more @ 1..) = files.len().checked_sub(MOST_LINES) {
        shown.push(format!("{more} more"));
    }
    line(text, "files", &shown.join(", "));
}

/// Every link; of Modbus TCP, which each machine may have one of, only few are told one by one.
fn links(text: &mut String, settings: &Settings) {
    let devices = &settings.plant.devices;
    let behind = |index: usize| {
        devices
            .iter()
            .filter(move |d| usize::from(d.link.0) == index)
    };
    let counts = |index: usize| {
        let tags: usize = behind(index).map(|device| device.model.tags.len()).sum();
        (behind(index).count(), tags)
    };
    let told = |(devices, tags): (usize, usize)| {
        format!("{}, {}", plural(devices, "device"), plural(tags, "tag"))
    };
    let is_tcp = |link: &Link| matches!(&link.kind, LinkKind::Modbus(modbus) if matches!(modbus.endpoint, Endpoint::Tcp { .. }));
    let many = settings.links.iter().filter(|link| is_tcp(link)).count();
    let mut together = (0, 0);
    for (index, link) in settings.links.iter().enumerate() {
        let count = counts(index);
        if many > MOST_LINES && is_tcp(link) {
            together = (together.0 + count.0, together.1 + count.1);
            continue;
        }
        let how = match &link.kind {
            LinkKind::Modbus(link) => modbus(&link.endpoint),
            LinkKind::Mqtt(mqtt) => format!(
                "MQTT {}, {}",
                broker(&mqtt.broker),
                plural(mqtt.topics.len(), "topic")
            ),
            LinkKind::HttpGet(get) => {
                let Broker {
                    host, port, tls, ..
                } = &get.server;
                let scheme = if tls.is_some() { "https" } else { "http" };
                let pages = plural(get.pages.len(), "page");
                format!("{scheme}://{}, {pages}", address(host, *port))
            }
            LinkKind::Board(board) => format!("I/O board {}", board.port.display()),
            LinkKind::HttpPush(push) => {
                format!("pushed by scripts, token in {}", push.token_file.display())
            }
        };
        line(
            text,
            &format!("link {}", link.id),
            &format!("{how}: {}", told(count)),
        );
    }
    if many > MOST_LINES {
        line(
            text,
            "links",
            &format!("{many} of Modbus TCP: {}", told(together)),
        );
    }
}

fn line(text: &mut String, what: &str, is: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {what:<14} {is}");
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn broker(broker: &Broker) -> String {
    let scheme = if broker.tls.is_some() {
        "mqtts"
    } else {
        "mqtt"
    };
    format!("{scheme}://{}", address(&broker.host, broker.port))
}

/// Host and port as in the file.
fn address(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn modbus(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Tcp { .. } => format!("Modbus TCP {endpoint}"),
        Endpoint::Serial(port) => format!(
            "Modbus RTU {endpoint} at {} 8{}{}",
            port.baud,
            port.parity.letter(),
            port.stop_bits
        ),
        Endpoint::RtuOverTcp { .. } => format!("Modbus RTU over TCP {endpoint}"),
    }
}

fn in_words(calendar: &Calendar) -> String {
    let zone = calendar.zone.iana_name().unwrap_or("UTC");
    if calendar.shifts.is_empty() {
        return format!("{zone}, no shifts: all time is planned");
    }
    let names: Vec<&str> = calendar.shifts.iter().map(|shift| &*shift.name).collect();
    format!("{zone}, shifts {}", names.join(", "))
}

fn not_active(text: &mut String, settings: &Settings) {
    if settings.not_active.is_empty() {
        return;
    }
    text.push_str("\nNot active in this version\n");
    for item in &settings.not_active {
        let _ = writeln!(text, "  {}: {}", item.section, item.why);
    }
}

/// Reads of a bus that are shown one by one; of more, those that take most of it.
const SHOWN_READS: usize = 8;

fn buses(text: &mut String, settings: &Settings) {
    let plant = &settings.plant;
    let plan = Plan::new(plant);
    for (link, load) in bus::loads(plant, &plan) {
        let line = load.line;
        let _ = writeln!(
            text,
            "\nBus {}, {} baud, {} bits a character: in use for {} of the time",
            plant.links[usize::from(link.0)].id,
            line.baud,
            line.char_bits,
            bus::percent(load.ppm()),
        );
        let largest = bus::largest(&load, &plan);
        for (share, read) in largest.iter().take(SHOWN_READS) {
            let _ = writeln!(
                text,
                "  {:<58} {:>9} {:>8}",
                bus::reading(plant, read),
                bus::milliseconds(share.exchange_us),
                bus::percent(share.ppm),
            );
        }
        if let Some((first, read)) = largest.first() {
            let _ = writeln!(
                text,
                "  the first: {}",
                bus::arithmetic(plant, &load, read, first)
            );
        }
        if let Some(more @ 1..) = largest.len().checked_sub(SHOWN_READS) {
            let _ = writeln!(text, "  and {} that take less", plural(more, "read"));
        }
    }
}

fn memory(text: &mut String, plan: &MemoryPlan) {
    text.push_str("\nMemory\n");
    for item in &plan.items {
        let about = if item.estimate { "about " } else { "" };
        let each = match item.count {
            1 => String::new(),
            count => format!("  {count} x {about}{}", show_bytes(item.each)),
        };
        let bytes = format!("{about}{}", show_bytes(item.bytes()));
        let _ = writeln!(text, "  {:<46} {bytes:>15}{each}", item.what);
    }
    let of = format!("of {}", show_bytes(plan.budget));
    let _ = writeln!(
        text,
        "  {:<46} {:>15}  {of}",
        "together",
        show_bytes(plan.sum())
    );
    let _ = writeln!(
        text,
        "  {:<46} {:>15}",
        "of it while the disk takes what it is given",
        show_bytes(plan.while_well())
    );
}

fn disk(text: &mut String, plan: &DiskPlan, settings: &Settings) {
    let _ = writeln!(text, "\nDisk, in {}", settings.data_dir.display());
    let mut part = |what: &str, bytes: u64, note: &str| {
        let _ = writeln!(text, "  {what:<46} {:>15}{note}", show_bytes(bytes));
    };
    part("outbox: records that wait for the broker", plan.outbox, "");
    part("history: minutes, hours, states", plan.history, "");
    part("checkpoint of open windows and alarms", plan.checkpoint, "");
    part("spare, so that a full disk can be drained", plan.spare, "");
    part("together", plan.budget, "  the budget");
    part("written in a day, an estimate", plan.per_day, "");
    let lasts = match plan.offline_hours {
        u64::MAX => "for ever: nothing is written".to_owned(),
        hours @ 0..48 => format!("about {hours} h"),
        hours => format!("about {} days", hours / 24),
    };
    let _ = writeln!(
        text,
        "  {:<46} {lasts:>15}",
        "without the broker it lasts, an estimate"
    );
    let [minutes, hours, states] = plan.history_days.map(|days| match days {
        0 => "less than a day".to_owned(),
        days => plural(usize::try_from(days).unwrap_or(usize::MAX), "day"),
    });
    let _ = writeln!(
        text,
        "  the history keeps, an estimate: hours {hours}, minutes {minutes}, states {states}"
    );
}

/// Either outcome for a program.
fn as_json(checked: &Result<Loaded, Report>, now: Wall) -> String {
    let value = match checked {
        Err(report) => json!({
            "ok": false,
            "files": [],
            "mistakes": report.entries().collect::<Vec<_>>(),
            "warnings": [],
            "calendars": [],
            "people": [],
            "certificates": [],
            "memory": [],
            "disk": null,
            "not_active": [],
        }),
        Ok(loaded) => {
            let settings = &loaded.settings;
            let memory = plan::memory(settings);
            let not_active = settings.not_active.iter();
            json!({
                "ok": true,
                "files": loaded.files,
                "mistakes": [],
                "warnings": loaded.warnings.entries().collect::<Vec<_>>(),
                "calendars": calendars::as_json(settings.plant.calendars(), now),
                "people": people::as_json(&settings.plant),
                "certificates": certificates::as_json(settings, now),
                "memory": memory.items,
                "memory_sum": memory.sum(),
                "memory_while_well": memory.while_well(),
                "memory_budget": memory.budget,
                "disk": plan::disk(settings),
                "not_active": not_active
                    .map(|item| json!({ "section": item.section, "why": item.why }))
                    .collect::<Vec<_>>(),
            })
        }
    };
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24 in Shanghai.
    const NOW: Wall = Wall(1_795_500_000_000);

    fn example() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dist/press-line.toml"))
    }

    #[test]
    fn the_example_tells_what_will_run_and_what_will_not() {
        let loaded = config::load(example()).unwrap_or_else(|report| panic!("{report}"));
        let text = summary(example(), &loaded, NOW);
        for part in [
            "press-line.toml is good",
            "andon/v1/suzhou/press-shop/gw-press-1 to mqtt://127.0.0.1:1883",
            "link plc       Modbus TCP 127.0.0.1:5020: 2 devices, 12 tags",
            "at 19200 8E1: 1 device, 1 tag",
            "Bus rs485, 19200 baud, 11 bits a character: in use for ",
            "link shop      MQTT mqtt://127.0.0.1:1883, 2 topics: 1 device, 3 tags",
            "devices        4 with 16 tags, 10 alarms",
            "Asia/Shanghai, shifts day, night",
            "Duty technician  sms +8613800000001: ",
            " alarms, medium and high, at once; at most 6 in an hour and 20 in a day",
            "Shift lead       sms +8613800000002: ",
            " alarms, medium and high, 15 min after nobody has acknowledged",
            "all text messages together: at most 30 in an hour and 100 in a day",
            "horn horn      sequence A, from medium: board",
            "of 32 MiB",
            "without the broker it lasts, an estimate",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn a_large_line_is_summed_up() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/large-line.toml");
        let loaded = config::load(Path::new(path)).unwrap_or_else(|report| panic!("{report}"));
        assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
        let text = summary(Path::new(path), &loaded, NOW);
        for part in [
            "large-line.toml (100 devices), ",
            "large-line.csv (100 devices)",
            "link meters",
            "links          118 of Modbus TCP: 150 devices, 720 tags",
            "devices        200 with 850 tags, 430 alarms",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(text.lines().count() < 75, "{text}");
        let told: serde_json::Value =
            serde_json::from_str(&as_json(&Ok(loaded), NOW)).expect("JSON");
        assert_eq!(told["files"][1]["devices"], 100);
    }

    #[test]
    fn programs_are_told_the_plans() {
        let text = as_json(&config::load(example()), NOW);
        let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(told["ok"], true);
        assert_eq!(told["mistakes"].as_array().map(Vec::len), Some(0));
        assert_eq!(told["not_active"].as_array().map(Vec::len), Some(0));
        assert_eq!(told["disk"]["budget"], 64 << 20);
        let items = told["memory"].as_array().expect("a list");
        let sum: u64 = items
            .iter()
            .map(|item| item["count"].as_u64().unwrap_or(0) * item["each"].as_u64().unwrap_or(0))
            .sum();
        assert_eq!(told["memory_sum"], sum);
        let well = told["memory_while_well"].as_u64().expect("bytes");
        assert!(well < sum, "{well} of {sum}");
    }

    #[test]
    fn programs_are_told_the_mistakes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("andon.toml");
        let text = std::fs::read_to_string(example()).expect("the example");
        std::fs::write(&path, text.replace("\"holding:0\"", "40001")).expect("a file");
        let told: serde_json::Value =
            serde_json::from_str(&as_json(&config::load(&path), NOW)).expect("JSON");
        assert_eq!(told["ok"], false);
        let mistake = &told["mistakes"][0];
        assert_eq!(mistake["line"], 65);
        assert_eq!(mistake["column"], 17);
        assert_eq!(mistake["file"], path.display().to_string());
        let hint = mistake["hint"].as_str().expect("a hint");
        assert!(hint.contains("holding:0"), "{hint}");
        assert!(told["memory"].is_array() && told["not_active"].is_array());
    }
}
