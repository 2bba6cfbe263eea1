//! Random alarms, people, networks and power cuts, against what must hold whatever happens.

use super::*;
use crate::alarm::{Act, Alarm, Happening, Verb, Via};
use crate::calendar::Calendar;
use crate::plant::{self, Gateway, Plant};
use crate::rule::Rule;
use crate::tag::DeviceIndex;
use crate::time::Mono;
use alloc::collections::BTreeMap;
use alloc::vec;
use proptest::prelude::*;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const ALARMS: usize = 24;

fn person(name: &str) -> Recipient {
    Recipient {
        channel: Channel::Sms,
        name: name.into(),
        address: name.into(),
        language: Language::Chinese,
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

/// A technician, a lead who is told after 15 min, somebody of the day shift who sleeps at noon, and a
/// robot.
fn people() -> Vec<Recipient> {
    vec![
        person("technician"),
        Recipient {
            from_priority: Priority::High,
            after_ms: 15 * MINUTE,
            returns: true,
            ..person("lead")
        },
        Recipient {
            shifts: Some(vec!["day".into()]),
            quiet: Some((12 * 60, 13 * 60)),
            budget: Budget {
                per_hour: 3,
                per_day: 8,
            },
            ..person("day")
        },
        Recipient {
            channel: Channel::Webhook(0),
            returns: true,
            budget: Budget {
                per_hour: 20,
                per_day: 200,
            },
            ..person("robot")
        },
    ]
}

pub(super) fn plant(recipients: Vec<Recipient>, alarms: usize) -> Plant {
    let alarm = |index: usize| plant::Alarm {
        owner: plant::Owner::Device(DeviceIndex(0)),
        id: alloc::format!("a{index}").into(),
        priority: match index % 4 {
            0 => Priority::High,
            1 => Priority::Medium,
            _ => Priority::Low,
        },
        when: Rule::Lost,
        on_delay_ms: 0,
        off_delay_ms: 0,
        latched: false,
        group: None,
        suppress_when: None,
        text_en: "".into(),
        text_zh: "".into(),
    };
    let device = plant::Device {
        id: "press-1".into(),
        name: "press-1".into(),
        line: None,
        asset: None,
        profile: None,
        link: crate::tag::LinkIndex(0),
        unit: 1,
        manners: plant::Manners::default(),
        model: Arc::new(plant::Model {
            every_ms: 1000,
            tags: vec![],
            state: None,
            rates: None,
            codes: vec![],
        }),
        rated_rate: None,
        stale_after_ms: 3000,
        late_ms: 0,
        publishes: crate::summary::TierSet::ALL,
        publishes_tags: crate::summary::TierSet::NONE,
        no_scrap: false,
        min_coverage: 5_000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: Arc::default(),
    };
    Plant {
        gateway: Gateway {
            root: "andon".into(),
            site: "s".into(),
            area: "a".into(),
            id: "gw".into(),
        },
        calendar: Calendar::always(jiff::tz::TimeZone::UTC),
        other_calendars: vec![],
        links: vec![plant::Link::network("plc")],
        devices: vec![device],
        alarms: (0..alarms).map(alarm).collect(),
        roster: Roster {
            recipients,
            sms: Budget {
                per_hour: 12,
                per_day: 60,
            },
            ..Roster::default()
        },
        horns: Default::default(),
        buttons: Default::default(),
        max_payload: 9000,
        cfg: 0,
    }
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    Raise(usize),
    Clear(usize),
    Acknowledge(usize),
    Shelve(usize),
    Unshelve(usize),
    /// So many minutes pass, in which nobody is told anything.
    Pass(u64),
    /// The workers tell what there is to tell, with these outcomes.
    Work(Vec<u8>),
    /// The agent is killed, perhaps with something in hand, and starts again.
    Kill {
        in_hand: bool,
        off_min: u64,
    },
    Stop(usize),
    /// Nobody knows what time it is, or they do again.
    Clock(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..ALARMS).prop_map(Step::Raise),
        3 => (0..ALARMS).prop_map(Step::Clear),
        3 => (0..ALARMS).prop_map(Step::Acknowledge),
        1 => (0..ALARMS).prop_map(Step::Shelve),
        1 => (0..ALARMS).prop_map(Step::Unshelve),
        4 => (0..40u64).prop_map(Step::Pass),
        8 => prop::collection::vec(0..10u8, 0..6).prop_map(Step::Work),
        2 => (any::<bool>(), 0..90u64).prop_map(|(in_hand, off_min)| Step::Kill { in_hand, off_min }),
        1 => (0..4usize).prop_map(Step::Stop),
        1 => any::<bool>().prop_map(Step::Clock),
    ]
}

struct World {
    plant: Plant,
    alarms: Vec<Alarm>,
    people: Annunciator,
    at: Mono,
    knows_time: bool,
    /// By recipient, when something was sent that may have arrived.
    sent: Vec<Vec<Mono>>,
    /// By recipient, alarm and activation: how often it was told for the first time, and how often
    /// again, counting what may have arrived; and of these, known to have arrived.
    told: BTreeMap<(usize, u16, u64, bool), (u32, u32)>,
}

impl World {
    fn new(plant: Plant) -> World {
        World {
            alarms: vec![Alarm::default(); plant.alarms.len()],
            people: Annunciator::new(&plant),
            sent: vec![Vec::new(); plant.roster.recipients.len()],
            plant,
            at: Mono(1_000 * HOUR),
            knows_time: true,
            told: BTreeMap::new(),
        }
    }

    fn wall(&self) -> Wall {
        Wall(i64::try_from(self.at.0).unwrap())
    }

    fn scene(&self) -> Scene<'_> {
        let minute = u16::try_from(self.at.0 / MINUTE % (24 * 60)).unwrap();
        let shift = (8 * 60..20 * 60).contains(&minute).then_some("day");
        Scene {
            plant: &self.plant,
            alarms: &self.alarms,
            shifts: self.knows_time.then(|| vec![shift]),
            minute: self.knows_time.then_some(minute),
            at: self.at,
        }
    }

    fn happen(&mut self, alarm: usize, what: Happening) {
        let wall = self.wall();
        if self.alarms[alarm].happen(what, false, wall).is_some() {
            let occurrence = self.alarms[alarm].occurrence;
            self.people
                .note(u16::try_from(alarm).unwrap(), occurrence, self.at);
        }
    }

    fn act(&mut self, alarm: usize, verb: Verb) {
        let act = Act {
            by: None,
            via: Via::Cli,
            why: Some("w".into()),
        };
        let at = (self.at, self.wall());
        if self.alarms[alarm].act(verb, None, act, false, at).is_ok() {
            let occurrence = self.alarms[alarm].occurrence;
            self.people
                .note(u16::try_from(alarm).unwrap(), occurrence, self.at);
        }
    }

    fn next(&mut self, channel: Channel) -> Option<Handed> {
        let mut people = core::mem::replace(&mut self.people, Annunciator::new(&self.plant));
        let handed = people.next(&self.scene(), channel, self.at.0 ^ 0x5555);
        self.people = people;
        handed
    }

    /// What is handed out is for somebody who waits for it, and something is sent that may arrive.
    fn check_handed(&self, handed: &Handed) {
        let recipient = &self.plant.roster.recipients[handed.recipient];
        assert!(!handed.alarms.is_empty() || handed.kind == Kind::Confirmed);
        for alarm in &handed.alarms {
            let settings = &self.plant.alarms[usize::from(*alarm)];
            let state = self.alarms[usize::from(*alarm)].state();
            assert!(recipient.watches(settings));
            assert!(!state.is_hidden());
            let waits = state.is_unacknowledged();
            assert!(
                waits || handed.kind == Kind::Returned,
                "{handed:?} is {state:?}"
            );
        }
    }

    fn note(&mut self, handed: &Handed, outcome: &Outcome, settled: Option<&Settled>) {
        let arrived = match outcome {
            Outcome::Sent => 1,
            Outcome::Unknown => 0,
            Outcome::Failed(_) | Outcome::Refused(_) => return,
        };
        self.sent[handed.recipient].push(self.at);
        let _ = settled;
        for alarm in &handed.alarms {
            let occurrence = self.alarms[usize::from(*alarm)].occurrence;
            let returned = handed.kind == Kind::Returned;
            let key = (handed.recipient, *alarm, occurrence, returned);
            let (may, known) = self.told.entry(key).or_default();
            *may += 1;
            *known += arrived;
        }
    }

    fn restart(&mut self, off_ms: u64) {
        let stored = self.people.stored(&self.scene());
        let bytes = postcard::to_allocvec(&stored).unwrap();
        let stored: Stored = postcard::from_bytes(&bytes).unwrap();
        self.people = Annunciator::new(&self.plant);
        // The clock of another boot begins elsewhere; the silence is known.
        let resumed = self.at + 7 * HOUR;
        self.people.resume(&self.plant, &stored, resumed);
        let shift = 7 * HOUR;
        for sent in &mut self.sent {
            for at in sent {
                *at = *at + shift;
            }
        }
        self.at = resumed + off_ms;
    }

    fn check_budgets(&self) {
        for (sent, recipient) in self.sent.iter().zip(&self.plant.roster.recipients) {
            let Some(last) = sent.last() else { continue };
            let within = |span| sent.iter().filter(|at| last.since(**at) < span).count();
            assert!(
                within(HOUR) <= usize::from(recipient.budget.per_hour),
                "{}",
                recipient.name
            );
            assert!(within(24 * HOUR) <= usize::from(recipient.budget.per_day));
        }
        let sms = self.sent.iter().zip(&self.plant.roster.recipients);
        let sms = sms.filter(|(_, recipient)| recipient.channel == Channel::Sms);
        let all: Vec<Mono> = sms.flat_map(|(sent, _)| sent.iter().copied()).collect();
        if let Some(last) = all.iter().max() {
            let within = all.iter().filter(|at| last.since(**at) < HOUR).count();
            assert!(within <= usize::from(self.plant.roster.sms.per_hour));
        }
    }

    fn do_step(&mut self, step: Step) {
        const CHANNELS: [Channel; 2] = [Channel::Sms, Channel::Webhook(0)];
        match step {
            Step::Raise(alarm) => self.happen(alarm, Happening::Occur),
            Step::Clear(alarm) => self.happen(alarm, Happening::Clear),
            Step::Acknowledge(alarm) => self.act(alarm, Verb::Acknowledge),
            Step::Shelve(alarm) => self.act(alarm, Verb::Shelve(4 * HOUR)),
            Step::Unshelve(alarm) => self.act(alarm, Verb::Unshelve),
            Step::Pass(minutes) => self.at = self.at + minutes * MINUTE,
            Step::Work(outcomes) => {
                for (index, outcome) in outcomes.into_iter().enumerate() {
                    let channel = CHANNELS[index % 2];
                    let Some(handed) = self.next(channel) else {
                        continue;
                    };
                    self.check_handed(&handed);
                    self.at = self.at + 4000;
                    let outcome = match outcome {
                        0 => Outcome::Unknown,
                        1 => Outcome::Failed("".into()),
                        2 => Outcome::Refused("".into()),
                        _ => Outcome::Sent,
                    };
                    // It was in hand at that moment, however long it takes.
                    let settled = self.people.told(self.at, handed.id, &outcome);
                    self.at = Mono(self.at.0 - 4000);
                    self.note(&handed, &outcome, settled.as_ref());
                    self.at = self.at + 4000;
                }
            }
            Step::Kill { in_hand, off_min } => {
                if in_hand && let Some(handed) = self.next(Channel::Sms) {
                    self.check_handed(&handed);
                    // It may have gone out.
                    self.note(&handed, &Outcome::Unknown, None);
                }
                self.restart(off_min * MINUTE);
            }
            Step::Stop(recipient) => {
                let until = self.at + 2 * HOUR;
                self.people.stop(recipient, until);
            }
            Step::Clock(knows) => self.knows_time = knows,
        }
        self.check_budgets();
        for ((recipient, alarm, occurrence, returned), (may, known)) in &self.told {
            let what = (recipient, alarm, occurrence, returned);
            // Once, and once more if they do not answer; each of them once, or twice at most where
            // nobody knows whether it arrived the first time.
            let most = if *returned { 1 } else { 2 };
            assert!(*known <= most, "{what:?} {known}");
            assert!(*may <= 2 * most, "{what:?} {may}");
        }
    }

    /// Every high alarm has reached somebody, or it is said why not.
    fn check_reached(&mut self) {
        // Everything that only takes time has come.
        for _ in 0..200 {
            for channel in [Channel::Sms, Channel::Webhook(0)] {
                if let Some(handed) = self.next(channel) {
                    self.check_handed(&handed);
                    self.people.told(self.at, handed.id, &Outcome::Sent);
                    self.note(&handed, &Outcome::Sent, None);
                    self.check_budgets();
                }
            }
            self.at = self.at + MINUTE;
        }
        for (index, alarm) in (0u16..).zip(&self.alarms) {
            let settings = &self.plant.alarms[usize::from(index)];
            if settings.priority != Priority::High || !alarm.state().is_unacknowledged() {
                continue;
            }
            let reached = self.people.desks.iter().any(|desk| {
                let told = desk.told.iter().filter(|told| told.alarm == index);
                told.filter(|told| told.times > 0 && !told.is_refused)
                    .any(|told| told.occurrence + alarm.count > alarm.occurrence)
            });
            let why = self.people.unreached(&self.scene(), index);
            assert!(reached || why.is_some(), "{index} {alarm:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_people_are_told_within_bounds(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut world = World::new(plant(people(), ALARMS));
        for step in steps {
            world.do_step(step);
        }
        world.check_reached();
    }
}
