//! Everything in numbers, in the text format that Prometheus reads (`GET /metrics`).

use super::refusals::Remote;
use super::shift::Shift;
use crate::upstream::Reach;
use crate::{clock, memory};
use andon_core::alarm::AlarmState;
use andon_core::message::run_id;
use std::fmt::{Display, Write as _};

impl Shift {
    pub(super) fn metrics(&self) -> String {
        let mut text = Text(String::with_capacity(8 * 1024));
        self.of_gateway(&mut text);
        self.of_outbox(&mut text);
        self.of_field(&mut text);
        self.of_alarms(&mut text);
        text.0
    }

    fn of_gateway(&self, text: &mut Text) {
        let (engine, now) = (&self.engine, clock::mono());
        let run = engine.run();
        text.head(
            "andon_info",
            "gauge",
            "Who this gateway is, and what it runs.",
        );
        let labels = [
            ("gateway", &*engine.plant().gateway.id),
            ("version", env!("CARGO_PKG_VERSION")),
            ("run", &run_id(run)),
            ("cfg", &format!("{:08x}", run.cfg)),
        ];
        text.value("andon_info", &labels, 1);
        let up = now.since(self.beside.began) as f64 / 1000.0;
        text.gauge("andon_up_seconds", "Since the start of the agent.", up);
        if let Some(bytes) = memory::resident() {
            text.gauge("andon_memory_bytes", "Resident memory.", bytes);
        }
        let what = "1 for how far the wall clock can be believed.";
        text.head("andon_clock", "gauge", what);
        text.value("andon_clock", &[("state", engine.clock().as_str())], 1);
        text.head(
            "andon_turned_away_total",
            "counter",
            "Requests and commands from the network that might not act.",
        );
        for from in Remote::ALL {
            let count = self.beside.refusals.count(from);
            text.value("andon_turned_away_total", &[("via", from.as_str())], count);
        }
        let reached = match &*self.beside.reach.borrow() {
            Reach::Trying => return,
            Reach::Reached => 1,
            Reach::Unreachable(_) => 0,
        };
        text.gauge(
            "andon_broker_reached",
            "Whether the broker acknowledges.",
            reached,
        );
    }

    fn of_outbox(&self, text: &mut Text) {
        let view = self.store.view();
        let view = view.borrow();
        let tally = self.engine.tally();
        text.gauge(
            "andon_outbox_waiting",
            "Records that wait on disk.",
            view.waiting,
        );
        text.gauge(
            "andon_outbox_bytes",
            "Bytes of the outbox on disk.",
            view.bytes,
        );
        let failing = u8::from(view.failing.is_some());
        text.gauge(
            "andon_disk_failing",
            "1 while the disk takes no records.",
            failing,
        );
        text.counter(
            "andon_records_stored_total",
            "Records on disk, of this run.",
            view.stored,
        );
        let what = "Records that the broker acknowledged in this run.";
        text.counter("andon_records_acknowledged_total", what, view.acknowledged);
        text.counter(
            "andon_records_lost_total",
            "Records lost in this run.",
            view.lost,
        );
        text.counter(
            "andon_samples_total",
            "Samples of tags, good and bad.",
            tally.samples,
        );
        text.counter(
            "andon_bad_samples_total",
            "Those that were bad.",
            tally.bad_samples,
        );
    }

    fn of_field(&self, text: &mut Text) {
        let now = clock::mono();
        text.head("andon_link_up", "gauge", "Whether a link is up.");
        for status in self.engine.links(now) {
            if let Some(up) = status.up {
                text.value("andon_link_up", &[("link", &status.link.id)], u8::from(up));
            }
        }
        let name = "andon_device_data_age_seconds";
        text.head(name, "gauge", "Since any tag of a device was last good.");
        for status in self.engine.devices(now) {
            if let Some(age_ms) = status.age_ms {
                let age = age_ms as f64 / 1000.0;
                text.value(name, &[("device", &status.device.id)], age);
            }
        }
        text.head(
            "andon_device_state",
            "gauge",
            "1 for the state of a device.",
        );
        for status in self.engine.devices(now) {
            if let Some(doing) = &status.doing {
                let labels = [
                    ("device", &*status.device.id),
                    ("state", doing.state.as_str()),
                ];
                text.value("andon_device_state", &labels, 1);
            }
        }
    }

    fn of_alarms(&self, text: &mut Text) {
        let now = clock::mono();
        text.head(
            "andon_alarms",
            "gauge",
            "Alarms by state, but for normal ones.",
        );
        for state in AlarmState::ALL {
            if state != AlarmState::Normal {
                let alarms = self.not_normal().filter(|one| one.alarm.state() == state);
                text.value("andon_alarms", &[("state", state.as_str())], alarms.count());
            }
        }
        let sounding = self.engine.sound(now).alarms;
        text.gauge(
            "andon_alarms_sounding",
            "Alarms that want to be heard.",
            sounding,
        );
        let hygiene = self.engine.hygiene(now);
        let (rates, totals) = (hygiene.rates, hygiene.totals);
        text.head(
            "andon_alarms_raised",
            "gauge",
            "Alarms raised in the last so many minutes.",
        );
        for (minutes, count) in [
            ("10", rates.ten_minutes),
            ("60", rates.hour),
            ("1440", rates.day),
        ] {
            text.value("andon_alarms_raised", &[("minutes", minutes)], count);
        }
        let flood = u8::from(rates.flood);
        text.gauge(
            "andon_alarm_flood",
            "1 from more than 10 in 10 min to fewer than 5.",
            flood,
        );
        let what = "Alarms that come and go all the time.";
        text.gauge("andon_alarms_chattering", what, hygiene.chattering);
        let what = "Alarms in view for more than 24 h.";
        text.gauge("andon_alarms_stale", what, hygiene.stale);
        let what = "Alarms raised; begins anew every 30 days.";
        text.counter("andon_alarms_raised_total", what, totals.raised);
        let what = "Alarms gone within 10 s.";
        text.counter("andon_alarms_fleeting_total", what, totals.fleeting);
        let what = "From raised to acknowledged.";
        text.head("andon_alarm_acknowledge_seconds", "summary", what);
        let sum = totals.ack_ms as f64 / 1000.0;
        text.value("andon_alarm_acknowledge_seconds_sum", &[], sum);
        text.value(
            "andon_alarm_acknowledge_seconds_count",
            &[],
            totals.acknowledged,
        );
    }
}

/// Lines of the text format. Writing to a string cannot fail.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, what: &str) {
        let _ = writeln!(self.0, "# HELP {name} {what}\n# TYPE {name} {kind}");
    }

    fn gauge(&mut self, name: &str, what: &str, value: impl Display) {
        self.head(name, "gauge", what);
        self.value(name, &[], value);
    }

    fn counter(&mut self, name: &str, what: &str, value: impl Display) {
        self.head(name, "counter", what);
        self.value(name, &[], value);
    }

    /// Values of labels are ids and words of ours: nothing in them is to be escaped.
    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (index, (label, is)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{is}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }
}
