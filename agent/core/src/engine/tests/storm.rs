//! Whatever happens, in whatever order.

use super::*;

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes.
    Pass(u64),
    /// A device is read: status, parts made since, milliseconds that the answer comes late.
    Read(usize, u16, u16, u64),
    /// A read fails.
    Fail(usize),
    /// The wall clock is stepped.
    Step(i64),
    /// What there is is committed.
    Commit,
    /// The agent is killed, and started after this time with the wall clock stepped, perhaps with
    /// another calendar for this device.
    Kill(u64, i64, Option<usize>),
}

fn event() -> impl Strategy<Value = Event> {
    let step = prop_oneof![Just(0i64), -200_000i64..200_000];
    prop_oneof![
        4 => (1u64..90_000).prop_map(Event::Pass),
        8 => (0usize..2, 0u16..12, 0u16..30, prop_oneof![Just(0u64), 0u64..8_000])
            .prop_map(|(device, status, parts, late)| Event::Read(device, status, parts, late)),
        2 => (0usize..2).prop_map(Event::Fail),
        1 => (-200_000i64..200_000).prop_map(Event::Step),
        2 => Just(Event::Commit),
        1 => (0u64..400_000, step, prop_oneof![3 => Just(None), 1 => (0usize..2).prop_map(Some)])
            .prop_map(|(dead, by, moved)| Event::Kill(dead, by, moved)),
    ]
}

fn two_presses() -> Plant {
    let mut plant = plant();
    let mut second = plant.devices[0].clone();
    second.id = "press-2".into();
    second.unit = 2;
    plant.devices.push(second);
    plant.calendar.shifts = vec![crate::calendar::Shift {
        name: "all".into(),
        days: [true; 7],
        start: 0,
        end: 23 * 60,
        crews: vec![],
        breaks: (0..60)
            .map(|n| (14 * 60 + n, 14 * 60 + n + 1))
            .step_by(3)
            .collect(),
    }];
    // The second by a calendar whose shifts are minutes long, all around 14:14.
    let mut other = plant.calendar.clone();
    other.id = "other".into();
    other.day_start = 14 * 60 + 21;
    let minutes = [0, 843, 853, 861, 868, 869, 881, 900, 1439];
    let shifts = minutes.windows(2).map(|edges| crate::calendar::Shift {
        name: alloc::format!("from {}", edges[0]).as_str().into(),
        start: edges[0],
        end: edges[1],
        breaks: vec![],
        ..plant.calendar.shifts[0].clone()
    });
    // One of them does not take place.
    other.shifts = shifts.filter(|shift| shift.start != 861).collect();
    plant.other_calendars = vec![other];
    plant.devices[1].calendar = crate::calendar::CalendarIndex(1);
    plant
}

/// The agent with its disk.
struct Site {
    plant: Arc<Plant>,
    engine: Engine,
    ms: u64,
    by: i64,
    waiting: Vec<Record>,
    stored: Vec<Record>,
    pages: Vec<Page>,
    checkpoint: Vec<u8>,
    /// Of each device, what its counter shows, the first reading, and the last one.
    made: [u16; 2],
    first: [Option<u16>; 2],
    last: [u16; 2],
}

impl Site {
    fn new() -> Site {
        let plant = Arc::new(two_presses());
        let engine = start(&plant, now(0), None, &[]);
        let mut site = Site {
            plant,
            engine,
            ms: 0,
            by: 0,
            waiting: vec![],
            stored: vec![],
            pages: vec![],
            checkpoint: vec![],
            made: [0; 2],
            first: [None; 2],
            last: [0; 2],
        };
        site.drain();
        site.commit();
        site
    }

    fn now(&self) -> Now {
        let mut now = now(self.ms);
        now.wall = now.wall + self.by;
        now
    }

    fn drain(&mut self) {
        let mut commits = false;
        while let Some(action) = self.engine.poll_action() {
            match action {
                Action::Store(record) => self.waiting.push(record),
                // On disk at once: a checkpoint that is never made does not know of it.
                Action::Keep(page) => self.pages.push(page),
                Action::Checkpoint => commits = true,
                _ => {}
            }
        }
        if commits {
            self.commit();
        }
    }

    fn commit(&mut self) {
        self.stored.append(&mut self.waiting);
        self.checkpoint = self.engine.checkpoint();
        while let Some(action) = self.engine.poll_action() {
            if let Action::Keep(page) = action {
                self.pages.push(page);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Pass(ms) => {
                self.ms += ms;
                self.engine.handle_time(self.now());
            }
            Event::Read(device, status, parts, late) => {
                self.made[device] += parts;
                let registers = [status, self.made[device], 0];
                self.first[device].get_or_insert(self.made[device]);
                self.last[device] = self.made[device];
                let at = at(self.ms.saturating_sub(late));
                let read = ReadIndex(u32::try_from(device).unwrap());
                self.engine
                    .handle_read(read, at, Ok(Words::Registers(&registers)));
            }
            Event::Fail(device) => {
                let read = ReadIndex(u32::try_from(device).unwrap());
                self.engine
                    .handle_read(read, at(self.ms), Err(Reason::Timeout));
            }
            Event::Step(by) => {
                self.by += by;
                self.engine.handle_time(self.now());
            }
            Event::Commit => self.commit(),
            Event::Kill(dead, by, moved) => {
                if let Some(device) = moved {
                    let mut plant = (*self.plant).clone();
                    let calendar = &mut plant.devices[device].calendar;
                    calendar.0 = 1 - calendar.0;
                    self.plant = Arc::new(plant);
                }
                self.waiting.clear();
                self.ms += dead;
                self.by += by;
                let left = Left::Newest(&self.checkpoint);
                let last = left.last_page().unwrap();
                self.pages.retain(|page| page.number <= last);
                self.engine = start(&self.plant, self.now(), Some(left), &self.pages);
                self.drain();
                while !self.engine.catch_up(self.now().mono) {
                    self.drain();
                }
                self.drain();
                self.commit();
            }
        }
        self.drain();
    }
}

fn start(plant: &Arc<Plant>, now: Now, left: Option<Left<'_>>, pages: &[Page]) -> Engine {
    let plan = Arc::new(Plan::new(plant));
    let run = Run {
        id: 1,
        boot: 1,
        cfg: 0,
    };
    Engine::with_history(Arc::clone(plant), plan, run, now, left, in_order(pages))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Every stored window has a key of its own and times that add up to its length, and no part
    /// that was read is lost or counted twice.
    #[test]
    fn windows_and_parts_add_up(events in proptest::collection::vec(event(), 1..120)) {
        let mut site = Site::new();
        let moves = |event: &Event| matches!(event, Event::Kill(_, _, Some(_)));
        let is_moved = events.iter().any(moves);
        for event in events {
            site.happen(event);
        }
        // Each is read once more, so that nothing is known to the machines alone; then all that is
        // open gets closed and stored.
        for device in 0..2 {
            site.happen(Event::Read(device, 2, 0, 0));
        }
        site.happen(Event::Pass(120_000));
        site.commit();
        let mut keys = vec![];
        let mut good = [0; 2];
        for record in &site.stored {
            let Body::Summary(summary) = &record.body else { continue };
            keys.push((summary.device.clone(), summary.tier, summary.start, summary.fold));
            let labels = summary.end - summary.start - summary.clock_step_ms;
            prop_assert_eq!(labels, summary.window_ms() as i64);
            if summary.tier == Tier::Shift && !is_moved {
                let device = usize::from(&*summary.device == "press-2");
                let calendar = site.plant.calendar_at(site.plant.devices[device].calendar);
                let frame = calendar.shift_at(summary.start).unwrap();
                let run = frame.shift.and_then(|of| crate::summary::ShiftRun::of(calendar, of));
                prop_assert_eq!(&summary.shift, &run.filter(|_| summary.merged == 1));
                prop_assert!(summary.end <= frame.until || summary.merged > 1);
            }
            if summary.tier == Tier::Minute {
                good[usize::from(&*summary.device == "press-2")] += summary.parts.good.unwrap_or(0);
            }
        }
        let count = keys.len();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), count, "a key was used twice");
        for device in 0..2 {
            history::tiers_are_sums(&site.engine, device, &site.stored);
            let id = &site.plant.devices[device].id;
            history::times_follow_from_segments(id, &site.stored, &site.pages);
        }
        for (device, good) in good.into_iter().enumerate() {
            let first = site.first[device].unwrap_or(0);
            prop_assert_eq!(good, u64::from(site.last[device] - first), "device {}", device);
        }
    }
}
