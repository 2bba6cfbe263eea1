//! A rated rate that follows a product.

use super::*;
use crate::machine::{Label, Machine, Showing};
use crate::plant::Rates;
use crate::summary::{Capacity, Sum, Unrated};

const RECIPE: TagIndex = TagIndex(3);

/// The press, with a recipe that says how fast it is; of recipe 3 nobody knows.
fn plant_by_recipe(otherwise: Option<u64>) -> Plant {
    let mut plant = plant();
    let device = &mut plant.devices[0];
    let mut model = (*device.model).clone();
    model.tags.push(tag("recipe", 3, Kind::U16, None));
    model.rates = Some(Rates {
        by: RECIPE,
        map: vec![
            (Value::Int(1), 3_600_000),
            (Value::Int(2), 7_200_000),
            (Value::Int(4), 100_000),
        ],
        otherwise,
    });
    device.model = Arc::new(model);
    device.rated_rate = None;
    plant
}

impl Bench {
    fn status(&mut self, ms: u64, reading: Reading) {
        self.pass(ms.saturating_sub(1));
        let samples = [(TagIndex(0), reading.into())];
        self.engine
            .handle_readings(DeviceIndex(0), at(ms), &samples);
        self.drain();
    }

    fn recipe(&mut self, ms: u64, reading: Reading) {
        self.pass(ms.saturating_sub(1));
        let samples = [(RECIPE, reading.into())];
        self.engine
            .handle_readings(DeviceIndex(0), at(ms), &samples);
        self.drain();
    }

    /// The status is read each second from `from` on, before `to`.
    fn produce(&mut self, from: u64, to: u64) {
        for ms in (from..to).step_by(1000) {
            self.status(ms, Reading::Good(Value::Int(2)));
        }
    }

    fn product(&self) -> Option<Value> {
        self.engine.state(DeviceIndex(0)).unwrap().product.cloned()
    }

    fn rate(&self) -> Option<u64> {
        self.engine.info(DeviceIndex(0)).rate
    }
}

fn made(number: i64) -> Reading {
    Reading::Good(Value::Int(number))
}

#[test]
fn the_rate_changes_with_the_reading_that_shows_another_product() {
    let mut bench = Bench::left(plant_by_recipe(None), now(0), None);
    bench.recipe(0, made(1));
    bench.produce(0, 20_000);
    bench.published.clear();
    bench.recipe(20_000, made(2));
    let (info, state) = (
        Current::Info(DeviceIndex(0)),
        Current::State(DeviceIndex(0)),
    );
    assert!(bench.published.contains(&info) && bench.published.contains(&state));
    assert_eq!(bench.product(), Some(Value::Int(2)));
    assert_eq!(bench.rate(), Some(7_200_000));
    bench.published.clear();
    bench.produce(20_000, 60_000);
    bench.recipe(59_000, made(2));
    assert!(!bench.published.contains(&info), "nothing changed");
    bench.pass(60_000);
    let capacity = bench.summaries()[0].capacity.unwrap();
    assert_eq!(
        capacity,
        Capacity {
            planned: 20_000 + 80_000,
            producing: 20_000 + 80_000,
            uncounted: 0,
            rate: 7_200_000,
        }
    );
}

#[test]
fn a_product_does_not_change_because_a_reading_fails() {
    let mut bench = Bench::left(plant_by_recipe(Some(1_000)), now(0), None);
    assert_eq!((bench.product(), bench.rate()), (None, Some(1_000)));
    let retained = Reading::Uncertain(Value::Int(1), Reason::Retained);
    bench.recipe(0, retained);
    bench.recipe(1_000, Reading::Bad(Reason::Timeout));
    bench.pass(60_000);
    assert_eq!(bench.product(), Some(Value::Int(1)), "stale for long");
    assert_eq!(bench.summaries()[0].capacity.unwrap().planned, 60_000);
    bench.recipe(60_000, made(3));
    assert_eq!(bench.rate(), Some(1_000), "of any other product");
}

#[test]
fn the_product_goes_on_over_a_restart() {
    let mut bench = Bench::left(plant_by_recipe(None), now(0), None);
    bench.recipe(0, made(2));
    bench.pass(10_000);
    let checkpoint = bench.engine.checkpoint();
    let left = |plant: Plant| Bench::left(plant, now(50_000), Some(Left::Newest(&checkpoint)));
    let mut bench = left(plant_by_recipe(None));
    assert_eq!(bench.product(), Some(Value::Int(2)));
    bench.pass(60_000);
    assert_eq!(bench.summaries()[0].capacity.unwrap().planned, 120_000);
    // Where the rate does not follow a product any more, the new rate holds from now on.
    let mut bench = left(plant());
    bench.pass(60_000);
    assert_eq!(bench.product(), None);
    assert_eq!(
        bench.summaries()[0].capacity.unwrap().planned,
        20_000 + 50_000
    );
}

#[test]
fn time_before_any_product_and_of_one_without_a_rate_is_unrated() {
    let mut bench = Bench::left(plant_by_recipe(None), now(0), None);
    bench.produce(60_000, 70_000);
    bench.recipe(90_000, made(1));
    bench.recipe(150_000, made(3));
    bench.recipe(285_000, made(1));
    bench.pass(360_000);
    let minutes = bench.summaries();
    let capacity = |minute: usize| minutes[minute].capacity.map(|it| (it.planned, it.rate));
    let unrated = |minute: usize| minutes[minute].unrated.planned_ms;
    assert_eq!(
        (capacity(0), unrated(0)),
        (None, 60_000),
        "nothing is known"
    );
    assert_eq!(
        (capacity(1), unrated(1)),
        (Some((30_000, 3_600_000)), 30_000)
    );
    assert_eq!(
        minutes[1].unrated.producing_ms, 12_000,
        "up to where it is stale"
    );
    assert_eq!(
        (capacity(2), unrated(2)),
        (Some((30_000, 3_600_000)), 30_000)
    );
    assert_eq!(
        (capacity(3), unrated(3)),
        (None, 60_000),
        "nobody knows the rate of 3"
    );
    assert_eq!(
        (capacity(4), unrated(4)),
        (Some((15_000, 3_600_000)), 45_000)
    );
    assert_eq!((capacity(5), unrated(5)), (Some((60_000, 3_600_000)), 0));
    // Minutes without a rate take nothing from the hour but their time.
    let mut hour = Sum::default();
    minutes.iter().for_each(|minute| hour.add(&minute.sum()));
    let capacity = hour.capacity.unwrap();
    assert_eq!((capacity.planned, capacity.rate), (135_000, 3_600_000));
    assert_eq!(hour.unrated.planned_ms, 225_000);
}

/// What a machine goes through.
#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Show(State),
    Plan(bool),
    Make(i64),
    Close,
    Count(i64),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let states = prop::sample::select(&[State::Producing, State::Idle, State::Faulted][..]);
    let step = prop_oneof![
        4 => (1_u64..200_000).prop_map(Step::Pass),
        2 => states.prop_map(Step::Show),
        1 => any::<bool>().prop_map(Step::Plan),
        2 => prop::sample::select(&[1_i64, 2, 4, 3][..]).prop_map(Step::Make),
        1 => Just(Step::Close),
        1 => (0_i64..1_000).prop_map(Step::Count),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

/// Rate × time in plain integers, and what of it had no rate.
#[derive(Debug, Clone, Copy, Default)]
struct Reference {
    planned: i128,
    producing: i128,
    unrated: Unrated,
    planned_ms: u64,
}

impl Reference {
    /// Thousandths of a part, to the nearest.
    fn whole(integral: i128) -> i128 {
        (integral + 1_800_000) / 3_600_000
    }
}

proptest! {
    #[test]
    fn capacities_are_the_integral_whatever_the_windows_are(
        steps in steps(),
        otherwise in prop::option::of(Just(7_u64)),
    ) {
        let plant = plant_by_recipe(otherwise);
        let device = &plant.devices[0];
        let label = Label { fold: 0, merged: 1 };
        let rate_of = |product: Option<i64>| match product {
            Some(1) => Some(3_600_000_i128),
            Some(2) => Some(7_200_000),
            Some(4) => Some(100_000),
            _ => otherwise.map(i128::from),
        };
        let mut planned = true;
        let mut product = None;
        let mut to = at(0);
        let mut machine = Machine::new(device, to, Wall(0), planned);
        let (mut sum, mut windows_sum) = (Reference::default(), Sum::default());
        let (mut start, mut counted) = (sum, None::<(i64, Reference)>);
        let mut uncounted = (0, 0);
        let mut told_to = Reference::default();
        for step in steps.into_iter().chain([Step::Close]) {
            match step {
                Step::Pass(ms) => {
                    let is_planned = machine.state() != State::PlannedStop;
                    match rate_of(product).filter(|_| is_planned) {
                        Some(rate) => {
                            sum.planned += rate * i128::from(ms);
                            if machine.state() == State::Producing {
                                sum.producing += rate * i128::from(ms);
                            }
                        }
                        None if is_planned => {
                            sum.unrated.planned_ms += ms;
                            if machine.state() == State::Producing {
                                sum.unrated.producing_ms += ms;
                            }
                        }
                        None => {}
                    }
                    if is_planned {
                        sum.planned_ms += ms;
                    }
                    to = to + ms;
                    prop_assert!(machine.advance(to, 0));
                }
                Step::Show(state) => machine.show(
                    &Showing {
                        state,
                        code: None,
                        quality: Quality::Good,
                        fresh_until: at(u64::MAX / 2),
                        failing: None,
                        turn: None,
                    },
                    0,
                ),
                Step::Plan(is_planned) => {
                    planned = is_planned;
                    machine.plan(planned, 0);
                }
                Step::Make(number) => {
                    product = Some(number);
                    machine.make(device, &Value::Int(number));
                }
                Step::Count(raw) => {
                    machine.count(Counts::Good, &Value::Int(raw), device.highest_rate());
                    if let Some((before, then)) = counted
                        && raw < before
                    {
                        uncounted.0 += sum.planned_ms - then.planned_ms;
                        uncounted.1 += Reference::whole(sum.planned) - Reference::whole(then.planned);
                        told_to = sum;
                    }
                    counted = Some((raw, sum));
                    prop_assert!(told_to.planned_ms <= sum.planned_ms);
                }
                Step::Restart => {
                    let before = machine.ledger().clone();
                    machine = Machine::new(device, to, Wall(0), planned);
                    machine.resume(device, &before);
                }
                Step::Close => {
                    let Some(window) = machine.close(device, Wall(0), Wall(0), label) else {
                        continue;
                    };
                    windows_sum.add(&window.sum());
                    prop_assert_eq!(window.uncounted_ms, uncounted.0);
                    prop_assert_eq!(window.unrated.planned_ms, sum.unrated.planned_ms - start.unrated.planned_ms);
                    prop_assert_eq!(window.unrated.producing_ms, sum.unrated.producing_ms - start.unrated.producing_ms);
                    let between = |of: fn(&Reference) -> i128| {
                        Reference::whole(of(&sum)) - Reference::whole(of(&start))
                    };
                    match window.capacity {
                        Some(capacity) => {
                            prop_assert_eq!(i128::from(capacity.planned), between(|it| it.planned));
                            prop_assert_eq!(i128::from(capacity.producing), between(|it| it.producing));
                            prop_assert_eq!(i128::from(capacity.uncounted), uncounted.1);
                        }
                        None => prop_assert_eq!(window.unrated.planned_ms, window.planned_ms()),
                    }
                    start = sum;
                    uncounted = (0, 0);
                }
            }
        }
        // The windows together are the whole, to the thousandth of a part.
        if let Some(capacity) = windows_sum.capacity {
            prop_assert_eq!(i128::from(capacity.planned), Reference::whole(sum.planned));
            prop_assert_eq!(i128::from(capacity.producing), Reference::whole(sum.producing));
        } else {
            prop_assert_eq!(sum.unrated.planned_ms, sum.planned_ms);
        }
        prop_assert_eq!(windows_sum.unrated, sum.unrated);
    }
}
