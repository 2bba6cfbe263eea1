//! Random lives of an alarm beside a plain account of ISA-18.2 in facts: whether the condition holds,
//! whether somebody has seen it, whether a latch holds it, and what hides it. The reference looks at
//! the clock every second; the alarm only when something happens or its deadline has come.

use super::*;
use proptest::prelude::*;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// So many seconds pass.
    Pass(u64),
    /// The condition is this from now on.
    Answer(Option<bool>),
    Suppress(bool),
    /// A person does something, naming the newest occurrence less this, or none.
    Act(Verb, Option<u64>),
    /// For so many seconds.
    Silence(u64),
    /// The agent is gone for so many seconds.
    Restart(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![
        3 => Just(Verb::Acknowledge),
        2 => Just(Verb::Reset),
        1 => (1u64..20).prop_map(|s| Verb::Shelve(s * 1000)),
        1 => Just(Verb::Unshelve),
        1 => Just(Verb::OutOfService),
        1 => Just(Verb::Return),
    ];
    let named = prop_oneof![3 => Just(None), 2 => Just(Some(0)), 1 => Just(Some(1))];
    let answer = prop_oneof![
        3 => Just(Some(true)),
        3 => Just(Some(false)),
        1 => Just(None),
    ];
    prop_oneof![
        4 => (0u64..8).prop_map(Step::Pass),
        5 => answer.prop_map(Step::Answer),
        1 => any::<bool>().prop_map(Step::Suppress),
        5 => (verb, named).prop_map(|(verb, named)| Step::Act(verb, named)),
        1 => (1u64..10).prop_map(Step::Silence),
        1 => (0u64..10).prop_map(Step::Restart),
    ]
}

/// What is known of an alarm, as facts.
#[derive(Debug, Default)]
pub(crate) struct Reference {
    pub(crate) latched: bool,
    pub(crate) delays_s: [u64; 2],
    pub(crate) answer: Option<bool>,
    pub(crate) active: bool,
    pub(crate) unseen: bool,
    pub(crate) latch: bool,
    pub(crate) occurrence: u64,
    /// For how long the condition has been what the alarm is not.
    pub(crate) other_s: Option<u64>,
    pub(crate) shelf_s: Option<u64>,
    pub(crate) suppressed: bool,
    pub(crate) out_of_service: bool,
    pub(crate) silent_s: u64,
}

impl Reference {
    pub(crate) fn raise(&mut self) {
        self.active = true;
        self.unseen = true;
        self.latch = self.latched;
        self.occurrence += 1;
        self.silent_s = 0;
    }

    pub(crate) fn look(&mut self) {
        let Some(holds) = self.answer else { return };
        if holds == self.active {
            self.other_s = None;
            return;
        }
        let [on, off] = self.delays_s;
        if *self.other_s.get_or_insert(0) >= if holds { on } else { off } {
            self.other_s = None;
            if holds {
                self.raise();
            } else {
                self.active = false;
            }
        }
    }

    pub(crate) fn tick(&mut self) {
        if self.answer.is_some() {
            self.other_s = self.other_s.map(|s| s + 1);
        }
        self.silent_s = self.silent_s.saturating_sub(1);
        self.look();
        self.shelf_s = self.shelf_s.map(|s| s - 1);
        if self.shelf_s == Some(0) {
            self.shelf_s = None;
            self.show();
        }
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.out_of_service || self.suppressed || self.shelf_s.is_some()
    }

    /// Something that hid it is gone.
    pub(crate) fn show(&mut self) {
        if self.is_hidden() {
            return;
        }
        if self.active {
            self.raise();
        } else if !self.latch {
            self.unseen = false;
        }
    }

    pub(crate) fn is_normal(&self) -> bool {
        !self.active && !self.unseen && !self.latch
    }

    pub(crate) fn state(&self) -> &'static str {
        match (self.active, self.unseen, self.latch) {
            _ if self.out_of_service => "out-of-service",
            _ if self.suppressed && !self.is_normal() => "suppressed",
            _ if self.shelf_s.is_some() => "shelved",
            (true, true, _) => "unack-active",
            (true, false, _) => "ack-active",
            (false, true, false) => "rtn-unack",
            (false, true, true) => "latched-unack",
            (false, false, true) => "latched-ack",
            (false, false, false) => "normal",
        }
    }

    pub(crate) fn sounds(&self) -> bool {
        !self.is_hidden() && self.unseen && self.silent_s == 0
    }

    pub(crate) fn act(&mut self, verb: Verb, occurrence: Option<u64>) -> bool {
        if occurrence.is_some_and(|named| named != self.occurrence) {
            return false;
        }
        match verb {
            Verb::Acknowledge if !self.is_hidden() && self.unseen => self.unseen = false,
            Verb::Reset if self.state() == "latched-ack" => self.latch = false,
            Verb::Shelve(ms) => self.shelf_s = Some(ms / 1000),
            Verb::OutOfService => self.out_of_service = true,
            Verb::Unshelve if self.shelf_s.is_some() => {
                self.shelf_s = None;
                self.show();
            }
            Verb::Return if self.out_of_service => {
                self.out_of_service = false;
                self.show();
            }
            _ => return false,
        }
        true
    }
}

/// The alarm, and the time around it.
struct Life {
    alarm: Alarm,
    now: u64,
    answer: Option<bool>,
    latched: bool,
    delays_s: [u64; 2],
}

impl Life {
    fn look(&mut self) {
        let (now, at) = (Mono(self.now), Wall(0));
        let [on, off] = self.delays_s.map(|s| s * 1000);
        if let Some(what) = self.alarm.judge(now, now, self.answer, on, off) {
            self.alarm.happen(what, self.latched, at);
        }
        self.alarm.end_shelf(now, self.latched, at);
    }

    fn pass(&mut self, seconds: u64) {
        let until = self.now + seconds * 1000;
        while let Some(Mono(deadline)) = self.alarm.deadline().filter(|at| at.0 <= until) {
            self.now = self.now.max(deadline);
            self.look();
        }
        self.now = until;
    }

    /// It is stored, the agent starts again after so many seconds and goes on from the moment at which
    /// it was stored, as the engine does.
    fn restart(&mut self, seconds: u64) {
        let bytes = postcard::to_allocvec(&self.alarm.stored(Mono(self.now))).unwrap();
        self.alarm = postcard::from_bytes(&bytes).unwrap();
        self.alarm.resume(Mono(self.now));
        self.answer = None;
        self.pass(seconds);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_alarm_lives_by_the_standard(
        latched: bool,
        delays_s in [0u64..4, 0u64..4],
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let mut life = Life {
            alarm: Alarm::default(),
            now: 1_000_000,
            answer: None,
            latched,
            delays_s,
        };
        let mut reference = Reference { latched, delays_s, ..Reference::default() };
        let mut highest = 0;
        for step in steps {
            match step.clone() {
                Step::Pass(seconds) => {
                    life.pass(seconds);
                    (0..seconds).for_each(|_| reference.tick());
                }
                Step::Answer(answer) => {
                    life.answer = answer;
                    life.look();
                    reference.answer = answer;
                    reference.look();
                }
                Step::Suppress(suppressed) => {
                    life.alarm.suppress(suppressed, latched, Wall(0));
                    if reference.suppressed != suppressed {
                        reference.suppressed = suppressed;
                        if !suppressed {
                            reference.show();
                        }
                    }
                }
                Step::Act(verb, back) => {
                    let named = back.map(|back| life.alarm.occurrence.saturating_sub(back));
                    let act = Act { by: None, via: Via::Cli, why: Some("why".into()) };
                    let at = (Mono(life.now), Wall(0));
                    let done = life.alarm.act(verb, named, act, latched, at);
                    prop_assert_eq!(done.is_ok(), reference.act(verb, named), "{:?}: {:?}", verb, done);
                }
                Step::Silence(seconds) => {
                    let now = Mono(life.now);
                    if life.alarm.sounds(now) {
                        life.alarm.silence(now + seconds * 1000);
                    }
                    if reference.sounds() {
                        reference.silent_s = seconds;
                    }
                }
                Step::Restart(seconds) => {
                    life.restart(seconds);
                    reference.answer = None;
                    (0..seconds).for_each(|_| reference.tick());
                    reference.silent_s = 0;
                }
            }
            prop_assert_eq!(life.alarm.state().as_str(), reference.state(), "after {:?}", step);
            prop_assert_eq!(life.alarm.occurrence, reference.occurrence, "after {:?}", step);
            prop_assert_eq!(life.alarm.sounds(Mono(life.now)), reference.sounds(), "after {:?}", step);
            prop_assert!(highest <= life.alarm.occurrence, "a number is never used again");
            highest = life.alarm.occurrence;
        }
    }
}
