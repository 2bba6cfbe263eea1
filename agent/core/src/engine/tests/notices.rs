//! Telling people, through the engine: what the journal says, what replies do, floods, and power cuts.

use super::*;
use crate::alarm::{Act, AlarmState, Verb, Via};
use crate::annunciate::{
    Budget, Channel, Kind, Language, Notice, Outcome, Recipient, Reply, Roster,
};
use crate::calendar::Shift;
use crate::record::Telling;
use alloc::format;
use alloc::string::ToString as _;

const NUMBER: &str = "+8613800000001";
const OTHER: &str = "+8613800000002";

fn person(number: &str) -> Recipient {
    Recipient {
        channel: Channel::Sms,
        name: format!("of {number}").into(),
        address: number.into(),
        language: Language::English,
        from_priority: Priority::Low,
        after_ms: 0,
        devices: None,
        gateway: true,
        shifts: None,
        quiet: None,
        returns: false,
        budget: Budget::PERSON,
    }
}

/// The press with `fault` and `no-data`, and these people.
fn told(recipients: Vec<Recipient>) -> Plant {
    Plant {
        roster: Roster {
            recipients,
            ..Roster::default()
        },
        ..plant()
    }
}

/// A press with so many alarms: number n holds from status n + 1 on; every tenth is high.
fn flooding(alarms: u16, recipients: Vec<Recipient>) -> Plant {
    let mut plant = told(recipients);
    plant.alarms = (0..alarms)
        .map(|n| plant::Alarm {
            owner: plant::Owner::Device(DeviceIndex(0)),
            id: format!("a{n}").into(),
            priority: if n % 10 == 9 {
                Priority::High
            } else {
                Priority::Low
            },
            when: rule::parse(&format!("status > {n}"), 0.0, &|_, _| {
                Ok(rule::Name::Tag(DeviceIndex(0), TagIndex(0)))
            })
            .unwrap(),
            on_delay_ms: 0,
            off_delay_ms: 0,
            latched: false,
            group: None,
            suppress_when: None,
            text_en: format!("press-1: limit {n}").into(),
            text_zh: format!("press-1：{n}").into(),
        })
        .collect();
    plant
}

fn start(plant: Plant) -> Bench {
    Bench::left(plant, now(0), None)
}

impl Bench {
    fn next(&mut self, ms: u64) -> Option<Notice> {
        self.pass(ms);
        let notice = self.engine.next_notice(at(ms), Channel::Sms, ms * 7919);
        self.drain();
        notice
    }

    fn sent(&mut self, ms: u64, notice: &Notice) {
        self.became(ms, notice, Outcome::Sent);
    }

    fn became(&mut self, ms: u64, notice: &Notice, outcome: Outcome) {
        self.engine.handle_told(at(ms), notice.id, outcome);
        self.drain();
    }

    fn reads(&mut self, ms: u64, status: u16) {
        let words = [status, 0, 0];
        self.engine
            .handle_read(ReadIndex(0), at(ms), Ok(Words::Registers(&words)));
        self.drain();
    }

    /// The machine goes on showing this status.
    fn keeps(&mut self, from: u64, to: u64, status: u16) {
        for ms in (from..to).step_by(1000) {
            self.pass(ms);
            self.reads(ms, status);
        }
    }

    fn reply(&mut self, ms: u64, from: &str, text: &str) -> Option<Reply> {
        let reply = self.engine.handle_reply(at(ms), from, text);
        self.drain();
        reply
    }

    fn state_of(&self, alarm: u16) -> AlarmState {
        self.engine.any_alarm(alarm).unwrap().alarm.state()
    }

    fn tellings(&self) -> Vec<Telling> {
        let records = self.records.iter();
        let tellings = records.filter_map(|record| match &record.body {
            Body::Event(Event::Telling(telling)) => Some((**telling).clone()),
            _ => None,
        });
        tellings.collect()
    }
}

#[test]
fn a_fault_is_told_answered_and_confirmed() {
    let mut bench = start(told(vec![person(NUMBER), person(OTHER)]));
    assert_eq!(bench.next(1000), None);
    bench.reads(2000, 7);
    let notice = bench.next(2000).unwrap();
    assert_eq!((notice.kind, &*notice.address), (Kind::Raised, NUMBER));
    let code = notice.code.unwrap();
    // The clock of the tests shows 14:14 at this moment.
    let text = &notice.text;
    assert!(text.contains("HIGH alarm: press-1"), "{text}");
    assert!(
        text.contains("light curtain") && text.ends_with(&format!("Reply ACK {code}")),
        "{text}"
    );
    // Asked again before it was told, the worker is given the same.
    assert_eq!(bench.next(2100).unwrap(), notice);
    bench.sent(2200, &notice);
    let second = bench.next(2300).unwrap();
    assert_eq!(&*second.address, OTHER);
    bench.sent(2400, &second);
    assert_eq!(bench.next(2500), None);

    // A code of somebody else's is none of theirs.
    let other_code = second.code.unwrap();
    assert_ne!(code, other_code);
    let reply = bench.reply(3000, NUMBER, &format!("ACK {other_code}"));
    assert!(
        matches!(reply, Some(Reply::WrongCode { muted: false, .. })),
        "{reply:?}"
    );
    assert_eq!(bench.state_of(0), AlarmState::UnackActive);
    assert_eq!(bench.reply(3050, "+861390000", "ACK 1234"), None);

    let reply = bench.reply(3100, "13800000001", &format!("确认{code}"));
    let Some(Reply::Acknowledged { by, alarms }) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!((&*by, &*alarms[0]), ("of +8613800000001", "press-1.fault"));
    assert_eq!(bench.state_of(0), AlarmState::AckActive);
    let confirmed = bench.next(3200).unwrap();
    assert_eq!((confirmed.kind, confirmed.code), (Kind::Confirmed, None));
    assert!(
        confirmed.text.contains("You have acknowledged"),
        "{}",
        confirmed.text
    );
    bench.sent(3300, &confirmed);
    // Nobody is reminded of what is acknowledged.
    bench.keeps(4000, 20 * 60_000, 7);
    assert_eq!(bench.next(20 * 60_000), None);

    let told: Vec<(String, String)> = bench
        .tellings()
        .iter()
        .map(|telling| {
            (
                telling.to.as_ref().unwrap().to_string(),
                telling.outcome.to_string(),
            )
        })
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.iter().all(|(_, outcome)| outcome == "sent"));
    let by_sms = bench.records.iter().any(|record| {
        matches!(
            &record.body,
            Body::Event(Event::Alarm { done: Some(done), .. })
                if done.act.via == Via::Sms && done.act.by.as_deref() == Some("of +8613800000001")
        )
    });
    assert!(by_sms);
}

#[test]
fn who_does_not_answer_is_reminded_and_then_others_are_called() {
    let lead = Recipient {
        after_ms: 15 * 60_000,
        ..person(OTHER)
    };
    let mut bench = start(told(vec![person(NUMBER), lead]));
    bench.reads(1000, 7);
    let first = bench.next(1000).unwrap();
    bench.sent(1000, &first);
    bench.keeps(2000, 5 * 60_000, 7);
    assert_eq!(bench.next(5 * 60_000), None);
    // A high alarm after half of ten minutes, with the same code.
    bench.keeps(5 * 60_000, 5 * 60_000 + 2000, 7);
    let again = bench.next(5 * 60_000 + 1000).unwrap();
    assert_eq!((again.kind, again.code), (Kind::Repeated, first.code));
    bench.sent(5 * 60_000 + 1000, &again);
    bench.keeps(5 * 60_000 + 2000, 15 * 60_000 + 1000, 7);
    assert_eq!(bench.next(15 * 60_000), None);
    bench.keeps(15 * 60_000 + 1000, 15 * 60_000 + 2000, 7);
    let lead = bench.next(15 * 60_000 + 1000).unwrap();
    assert_eq!((lead.kind, &*lead.address), (Kind::Escalated, OTHER));
    assert!(
        lead.text.contains("not acknowledged for 15 min"),
        "{}",
        lead.text
    );
    bench.sent(15 * 60_000 + 1000, &lead);
    // A bare word is enough where one alarm waits.
    let reply = bench.reply(15 * 60_000 + 2000, OTHER, "收到");
    assert!(
        matches!(reply, Some(Reply::Acknowledged { .. })),
        "{reply:?}"
    );
}

#[test]
fn an_acknowledgement_by_any_way_stops_the_calling() {
    let lead = Recipient {
        after_ms: 15 * 60_000,
        ..person(OTHER)
    };
    let mut bench = start(told(vec![person(NUMBER), lead]));
    bench.reads(1000, 7);
    let first = bench.next(1000).unwrap();
    bench.sent(1000, &first);
    let command = Command {
        id: "press-1.fault".into(),
        verb: Verb::Acknowledge,
        occurrence: None,
        act: Act {
            by: Some("board".into()),
            via: Via::Board,
            why: None,
        },
    };
    bench.engine.handle_command(at(2000), command).unwrap();
    bench.drain();
    bench.keeps(2000, 40 * 60_000, 7);
    assert_eq!(bench.next(40 * 60_000), None);
    // The one who was told asks for it all the same.
    let reply = bench.reply(40 * 60_000, NUMBER, &format!("ok {}", first.code.unwrap()));
    assert!(matches!(reply, Some(Reply::Refused { .. })), "{reply:?}");
    let answer = bench.next(40 * 60_000).unwrap();
    assert!(
        answer.text.contains("board has already acknowledged"),
        "{}",
        answer.text
    );
}

#[test]
fn an_old_code_is_refused_and_the_newer_activation_told() {
    let mut bench = start(told(vec![person(NUMBER)]));
    bench.reads(1000, 7);
    let first = bench.next(1000).unwrap();
    bench.sent(1000, &first);
    bench.reads(2000, 2);
    bench.reads(3000, 7);
    // It is the same to somebody who knows of it.
    assert_eq!(bench.next(4000), None);
    let reply = bench.reply(5000, NUMBER, &format!("ack {}", first.code.unwrap()));
    let Some(Reply::Refused { why, .. }) = reply else {
        panic!("{reply:?}");
    };
    assert!(why.contains("is number 2 now"), "{why}");
    assert_eq!(bench.state_of(0), AlarmState::UnackActive);
    let newer = bench.next(5000).unwrap();
    assert_eq!(newer.kind, Kind::Raised);
    assert_ne!(newer.code, first.code);
    bench.sent(5000, &newer);
    let reply = bench.reply(6000, NUMBER, &format!("ack {}", newer.code.unwrap()));
    assert!(
        matches!(reply, Some(Reply::Acknowledged { .. })),
        "{reply:?}"
    );
}

#[test]
fn five_wrong_codes_are_one_too_many_and_reset_is_not_by_message() {
    let mut bench = start(told(vec![person(NUMBER)]));
    bench.reads(1000, 7);
    let first = bench.next(1000).unwrap();
    bench.sent(1000, &first);
    for ms in 0..5 {
        let reply = bench.reply(2000 + ms, NUMBER, "ack 0001");
        let last = ms == 4;
        assert!(
            matches!(reply, Some(Reply::WrongCode { muted, .. }) if muted == last),
            "{reply:?}"
        );
    }
    let right = format!("ack {}", first.code.unwrap());
    let reply = bench.reply(3000, NUMBER, &right);
    assert!(matches!(reply, Some(Reply::NotHeeded { .. })), "{reply:?}");
    assert_eq!(bench.state_of(0), AlarmState::UnackActive);
    // It stays so over a restart, and ends after an hour.
    let checkpoint = bench.engine.checkpoint();
    let plant = told(vec![person(NUMBER)]);
    let mut bench = Bench::left(plant, now(10_000), Some(Left::Newest(&checkpoint)));
    let reply = bench.reply(20_000, NUMBER, &right);
    assert!(matches!(reply, Some(Reply::NotHeeded { .. })), "{reply:?}");
    bench.pass(3_700_000);
    let reply = bench.reply(3_700_000, NUMBER, &right);
    assert!(
        matches!(reply, Some(Reply::Acknowledged { .. })),
        "{reply:?}"
    );
    assert_eq!(
        bench.reply(3_700_001, NUMBER, "reset"),
        Some(Reply::NotUnderstood {
            by: "of +8613800000001".into()
        })
    );
}

#[test]
fn what_was_in_hand_at_a_kill_is_told_once_more_and_not_a_third_time() {
    let people = || told(vec![person(NUMBER)]);
    let mut bench = start(people());
    bench.reads(1000, 7);
    let first = bench.next(1000).unwrap();
    for (restart, uncertain) in [(10_000, 1), (20_000, 0)] {
        let checkpoint = bench.engine.checkpoint();
        bench = Bench::left(people(), now(restart), Some(Left::Newest(&checkpoint)));
        bench.reads(restart + 100, 7);
        let again = bench.next(restart + 1000);
        if uncertain == 0 {
            assert_eq!(again, None);
            break;
        }
        let again = again.unwrap();
        assert_eq!((again.kind, again.uncertain), (Kind::Raised, uncertain));
        assert_eq!(again.code, first.code);
    }
    // It counts as told: its code is good.
    let reply = bench.reply(30_000, NUMBER, &format!("ack {}", first.code.unwrap()));
    assert!(
        matches!(reply, Some(Reply::Acknowledged { .. })),
        "{reply:?}"
    );
}

#[test]
fn what_was_told_is_not_told_again_after_a_restart() {
    let people = || told(vec![person(NUMBER)]);
    let mut bench = start(people());
    bench.reads(1000, 7);
    let first = bench.next(1000).unwrap();
    bench.sent(1000, &first);
    let checkpoint = bench.engine.checkpoint();
    let mut bench = Bench::left(people(), now(60_000), Some(Left::Newest(&checkpoint)));
    bench.reads(60_100, 7);
    assert_eq!(bench.next(61_000), None);
    // The time in which the agent was off counts.
    bench.keeps(62_000, 5 * 60_000 + 2000, 7);
    let again = bench.next(5 * 60_000 + 2000).unwrap();
    assert_eq!(again.kind, Kind::Repeated);
}

#[test]
fn an_unknown_outcome_is_tried_once_more_a_failure_again_and_a_refusal_never() {
    let mut bench = start(told(vec![person(NUMBER)]));
    bench.reads(1000, 7);
    for ms in [1000, 2000, 3000] {
        let notice = bench.next(ms).unwrap();
        assert_eq!(notice.uncertain, 0);
        bench.became(ms, &notice, Outcome::Failed("no network".into()));
    }
    let notice = bench.next(4000).unwrap();
    bench.became(4000, &notice, Outcome::Unknown);
    let notice = bench.next(5000).unwrap();
    assert_eq!(notice.uncertain, 1);
    bench.became(5000, &notice, Outcome::Unknown);
    assert_eq!(bench.next(6000), None);
    let told = bench.tellings();
    assert_eq!(told.len(), 1);
    assert_eq!(&*told[0].outcome, "unknown");

    let mut bench = start(refusing());
    bench.reads(1000, 7);
    let notice = bench.next(1000).unwrap();
    bench.became(1000, &notice, Outcome::Refused("no such number".into()));
    assert_eq!(bench.next(2000), None);
    // Nobody else is there to be told, and the journal says so.
    bench.pass(4000);
    let told = bench.tellings();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].why.as_deref(), Some("no such number"));
    assert_eq!((&*told[1].outcome, &told[1].to), ("untold", &None));
    bench.pass(60_000);
    assert_eq!(bench.tellings().len(), 2);
}

#[test]
fn a_medium_alarm_that_the_budget_holds_back_is_in_the_journal_and_told_later() {
    let one = Recipient {
        budget: Budget {
            per_hour: 1,
            per_day: 20,
        },
        ..person(NUMBER)
    };
    let mut plant = flooding(2, vec![one]);
    for alarm in &mut plant.alarms {
        alarm.priority = Priority::Medium;
    }
    let mut bench = start(plant);
    bench.reads(1000, 1);
    let notice = bench.next(1000).unwrap();
    bench.sent(1000, &notice);
    bench.reads(2000, 2);
    assert_eq!(bench.next(2000), None);
    bench.pass(4000);
    // At ten minutes the reminder of the first one is held back, too: of that they know.
    bench.pass(700_000);
    let told = bench.tellings();
    let outcomes: Vec<_> = told
        .iter()
        .map(|telling| (telling.alarm.as_deref(), &*telling.outcome))
        .collect();
    assert_eq!(
        outcomes,
        [(Some("press-1.a0"), "sent"), (Some("press-1.a1"), "untold")]
    );
    assert!(told[1].why.as_deref().unwrap().contains("budget"));
    let notice = bench.next(3_601_000).expect("there is room again");
    assert!(notice.subjects.iter().any(|it| &*it.id == "press-1.a1"));
}

#[test]
fn one_who_cannot_be_told_keeps_nobody_else_waiting() {
    let mut bench = start(told(vec![person(NUMBER), person(OTHER)]));
    bench.reads(1000, 4);
    let failed = || Outcome::Failed("mailbox full".into());
    for (ms, number, outcome) in [
        (2000, NUMBER, failed()),
        (3000, OTHER, failed()),
        // Both failed: whose turn it has been longer ago.
        (4000, NUMBER, failed()),
        (5000, OTHER, Outcome::Sent),
        (6000, NUMBER, failed()),
        (7000, NUMBER, Outcome::Sent),
    ] {
        bench.reads(ms, 4);
        let notice = bench.next(ms).expect("something to tell");
        assert_eq!(&*notice.address, number, "at {ms}");
        bench.became(ms, &notice, outcome);
    }
    bench.reads(8000, 4);
    assert_eq!(bench.next(8000), None);
}

#[test]
fn what_the_network_cannot_deliver_was_told_to_nobody() {
    let mut bench = start(refusing());
    bench.reads(1000, 7);
    let notice = bench.next(1000).unwrap();
    bench.sent(1000, &notice);
    let why = String::from("no such telephone");
    let code = notice.code.unwrap();
    bench.engine.handle_undelivered(at(2000), 0, code, why);
    bench.drain();
    bench.pass(4000);
    let told = bench.tellings();
    let outcomes: Vec<&str> = told.iter().map(|telling| &*telling.outcome).collect();
    assert_eq!(outcomes, ["sent", "refused", "untold"]);
    // They may have it all the same, and answer.
    let reply = bench.reply(5000, NUMBER, &format!("ack {code}"));
    assert!(
        matches!(reply, Some(Reply::Acknowledged { .. })),
        "{reply:?}"
    );
}

fn refusing() -> Plant {
    told(vec![person(NUMBER)])
}

#[test]
fn a_shift_and_quiet_hours_keep_a_message_back_but_not_a_high_alarm_and_not_without_a_clock() {
    // The tests begin at 14:14 UTC.
    let shift = |name: &str, start, end| Shift {
        name: name.into(),
        days: [true; 7],
        start,
        end,
        breaks: vec![],
        crews: vec![],
    };
    let with = |recipient: Recipient, priority| {
        let mut plant = told(vec![recipient]);
        plant.calendar.shifts = vec![
            shift("day", 6 * 60, 15 * 60),
            shift("night", 18 * 60, 6 * 60),
        ];
        plant.alarms[0].priority = priority;
        plant
    };
    let night = Recipient {
        shifts: Some(vec!["night".into()]),
        ..person(NUMBER)
    };
    let mut bench = start(with(night.clone(), Priority::High));
    bench.reads(1000, 7);
    assert_eq!(bench.next(1000), None);
    bench.pass(5000);
    let told = bench.tellings();
    assert_eq!(
        told[0].why.as_deref(),
        Some("nobody who is to be told is on shift")
    );
    // Their shift begins, and it still waits.
    let begins = 4 * 3_600_000;
    bench.pass(begins);
    assert_eq!(bench.next(begins).unwrap().kind, Kind::Raised);

    // While nobody knows what time it is, they are told all the same.
    let unset = Now {
        clock: ClockState::Unsynced,
        ..now(0)
    };
    let mut bench = Bench::left(with(night, Priority::High), unset, None);
    bench.reads(1000, 7);
    let notice = bench.engine.next_notice(at(1000), Channel::Sms, 1).unwrap();
    assert!(!notice.text.contains(':') || notice.subjects[0].clock.is_none());

    let quiet = Recipient {
        quiet: Some((14 * 60, 14 * 60 + 30)),
        ..person(NUMBER)
    };
    let mut bench = start(with(quiet.clone(), Priority::Medium));
    bench.reads(1000, 7);
    assert_eq!(bench.next(1000), None);
    bench.pass(20 * 60_000);
    assert_eq!(bench.next(20 * 60_000).unwrap().kind, Kind::Raised);
    let mut bench = start(with(quiet, Priority::High));
    bench.reads(1000, 7);
    assert_eq!(bench.next(1000).unwrap().kind, Kind::Raised);
}

#[test]
fn who_asks_for_it_is_left_alone_until_the_shift_ends() {
    let mut bench = start(told(vec![person(NUMBER), person(OTHER)]));
    let reply = bench.reply(500, NUMBER, "停");
    assert!(matches!(reply, Some(Reply::Stopped { .. })), "{reply:?}");
    let answer = bench.next(600).unwrap();
    assert!(answer.text.contains("8 h"), "{}", answer.text);
    bench.sent(600, &answer);
    bench.reads(1000, 7);
    let notice = bench.next(1000).unwrap();
    assert_eq!(&*notice.address, OTHER);
    bench.sent(1000, &notice);
    assert_eq!(bench.next(1100), None);
    let later = 8 * 3_600_000 + 1000;
    bench.pass(later);
    // Both are to be told by now: the one for the first time.
    let mut kinds = vec![];
    while let Some(notice) = bench.next(later) {
        kinds.push((notice.kind, notice.address.to_string()));
        bench.sent(later, &notice);
    }
    assert!(
        kinds.contains(&(Kind::Raised, NUMBER.to_string())),
        "{kinds:?}"
    );
}

#[test]
fn that_it_is_gone_is_told_to_those_who_were_told_and_want_it() {
    let wants = Recipient {
        returns: true,
        ..person(NUMBER)
    };
    let mut bench = start(told(vec![wants, person(OTHER)]));
    bench.reads(1000, 7);
    bench.reads(2000, 2);
    // It has come and gone before anybody was told.
    let first = bench.next(2000).unwrap();
    assert!(first.text.contains("cleared since"), "{}", first.text);
    bench.sent(2000, &first);
    let mut rest = vec![];
    while let Some(notice) = bench.next(3000) {
        rest.push((notice.kind, notice.address.to_string()));
        bench.sent(3000, &notice);
    }
    let gone = rest.iter().filter(|(kind, _)| *kind == Kind::Returned);
    let gone: Vec<_> = gone.collect();
    assert_eq!(gone.len(), 1, "{rest:?}");
    assert_eq!(gone[0].1, NUMBER);
}

/// What people get in a flood: issue 5, "It must show".
#[test]
fn a_flood_of_five_hundred_in_a_minute_is_a_handful_of_messages() {
    let mut bench = start(flooding(500, vec![person(NUMBER), person(OTHER)]));
    let mut got: Vec<(u64, Notice)> = vec![];
    let mut ms = 1000;
    let hour = 3_600_000;
    while ms < hour {
        bench.pass(ms);
        let status = u16::try_from(ms * 500 / 60_000)
            .unwrap_or(u16::MAX)
            .min(500);
        bench.reads(ms, status);
        // Four seconds between messages.
        if ms.is_multiple_of(4000)
            && let Some(notice) = bench.next(ms)
        {
            bench.sent(ms, &notice);
            got.push((ms, notice));
        }
        ms += 1000;
    }
    for number in [NUMBER, OTHER] {
        let mine: Vec<&(u64, Notice)> = got
            .iter()
            .filter(|(_, notice)| &*notice.address == number)
            .collect();
        assert!(mine.len() <= 6, "{}", mine.len());
        let (at, first) = mine[0];
        assert!(*at <= 8000, "the first after {at} ms");
        assert!(first.kind == Kind::Raised || first.kind == Kind::Digest);
        let (at, worst) = mine
            .iter()
            .find(|(_, notice)| notice.priority == Some(Priority::High))
            .unwrap();
        assert!(
            *at <= 20_000,
            "the first high one after {at} ms: {}",
            worst.text
        );
        // Every one of the others is in a digest.
        let digested = mine
            .iter()
            .filter(|(_, notice)| notice.kind == Kind::Digest);
        let most = digested.map(|(_, notice)| notice.count).max().unwrap();
        assert!(most >= 400, "{most}");
    }
    // Nothing is missing from the journal.
    let raised = bench.records.iter().filter(|record| {
        matches!(
            &record.body,
            Body::Event(Event::Alarm {
                to: AlarmState::UnackActive,
                ..
            })
        )
    });
    assert_eq!(raised.count(), 500);
    // One code of a digest is for all of it.
    let (_, digest) = got
        .iter()
        .rev()
        .find(|(_, notice)| notice.kind == Kind::Digest)
        .unwrap();
    let reply = bench.reply(
        hour,
        &digest.address,
        &format!("确认{}", digest.code.unwrap()),
    );
    let Some(Reply::Acknowledged { alarms, .. }) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(alarms.len(), digest.count);
}
