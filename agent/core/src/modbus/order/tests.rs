use super::*;
use crate::tag::{DeviceIndex, LinkIndex, Table};
use alloc::collections::VecDeque;
use proptest::prelude::*;

fn read(table: Table, start: u16, count: u16) -> Read {
    Read {
        link: LinkIndex(0),
        device: DeviceIndex(0),
        unit: 1,
        table,
        start,
        count,
        every_ms: 1000,
        tags: [].into(),
    }
}

fn holding(start: u16, count: u16) -> Read {
    read(Table::Holding, start, count)
}

/// Later than anything in a test without time.
const LATER: Mono = Mono(1_000_000);

/// An order that knows that nothing may come.
fn clear() -> Order {
    let mut order = Order::unknown(Mono(0));
    order.expire(Mono(1));
    order
}

#[test]
fn at_the_start_nobody_knows_what_may_still_come() {
    let mut order = Order::unknown(LATER);
    let sync = holding(10, 1);
    assert_eq!(order.way(&holding(10, 5), 125), Way::Sync(1));
    assert_eq!(order.way(&holding(10, 4), 125), Way::Sync(2));
    assert_eq!(order.way(&holding(10, 1), 125), Way::Sync(2));
    order.asked(&sync, LATER);
    order.content();
    assert_eq!(order.way(&holding(10, 4), 125), Way::AsIs);
}

#[test]
fn the_same_request_again_and_requests_of_other_lengths_go_as_they_are() {
    let mut order = clear();
    for _ in 0..20 {
        for read in [holding(0, 4), holding(50, 5), read(Table::Input, 0, 4)] {
            assert_eq!(order.way(&read, 125), Way::AsIs);
            order.asked(&read, LATER);
            order.content();
        }
    }
}

#[test]
fn another_request_of_the_same_length_asks_for_one_item_more() {
    let mut order = clear();
    order.asked(&holding(0, 4), LATER);
    order.content();
    assert_eq!(order.way(&holding(50, 4), 125), Way::Longer(5));
    assert_eq!(order.way(&holding(50, 4), 4), Way::Sync(2));
    assert_eq!(order.way(&holding(0xFFFC, 4), 125), Way::Sync(2));
    order.asked(&holding(50, 5), LATER);
    order.content();
    assert_eq!(order.way(&holding(0, 4), 125), Way::AsIs);
    order.asked(&read(Table::Coil, 0, 12), LATER);
    order.content();
    assert_eq!(order.way(&read(Table::Coil, 100, 9), 2000), Way::Longer(17));
}

#[test]
fn after_a_request_without_an_answer_its_like_needs_a_synchroniser() {
    let mut order = clear();
    order.asked(&holding(0, 4), LATER);
    assert_eq!(order.way(&holding(0, 4), 125), Way::Sync(2));
    assert_eq!(order.way(&holding(50, 4), 125), Way::Sync(2));
    assert_eq!(order.way(&holding(50, 5), 125), Way::AsIs, "nobody else's");
    order.asked(&holding(0, 2), LATER);
    assert_eq!(
        order.way(&holding(0, 4), 125),
        Way::Sync(6),
        "nor was that answered"
    );
    order.asked(&holding(0, 6), LATER);
    order.content();
    assert_eq!(order.way(&holding(0, 4), 125), Way::AsIs);
}

#[test]
fn an_exception_to_the_synchroniser_closes_what_was_before_it() {
    let mut order = clear();
    order.asked(&holding(0, 4), LATER);
    order.asked(&holding(0, 1), LATER);
    order.exception();
    assert!(!order.is_ambiguous(&holding(0, 4)));
    assert!(
        order.is_ambiguous(&holding(50, 1)),
        "its own content may still come"
    );
}

#[test]
fn an_exception_may_be_a_second_copy_of_the_one_before() {
    let mut order = clear();
    order.asked(&holding(0, 4), LATER);
    order.exception();
    assert_eq!(
        order.way(&holding(50, 4), 125),
        Way::AsIs,
        "no content comes after an exception"
    );
    order.asked(&holding(50, 4), LATER);
    order.exception();
    assert!(
        order.is_ambiguous(&holding(90, 4)),
        "its content may still come"
    );
}

#[test]
fn after_long_enough_nothing_may_come() {
    let mut order = clear();
    for start in 0..7 {
        order.asked(&holding(start, 4), Mono(u64::from(start) + 10));
    }
    assert_eq!(order.way(&holding(90, 4), 125), Way::Wait);
    order.expire(Mono(11));
    assert_eq!(order.way(&holding(90, 4), 125), Way::Sync(2));
    order.expire(Mono(17));
    assert_eq!(order.way(&holding(90, 4), 125), Way::AsIs);
}

/// How long the master waits, how long the line must then be silent, and how late an answer can be.
const PATIENCE: u64 = 100;
const DRAIN: u64 = 20;
const LATE: u64 = 400;

/// What a unit does with a request: how often it answers, and after how long each time.
#[derive(Debug, Clone)]
struct Whim {
    exception: bool,
    delays: [u64; 3],
    times: usize,
    /// Before the next request.
    pause: u64,
    which: usize,
}

fn whim() -> impl Strategy<Value = Whim> {
    let delay = prop_oneof![4 => 1..20_u64, 2 => 80..130_u64, 1 => 0..LATE];
    let pause = prop_oneof![3 => 0..30_u64, 1 => 0..2 * LATE];
    (
        any::<bool>(),
        [delay.clone(), delay.clone(), delay],
        0..=3_usize,
        pause,
        0..6_usize,
    )
        .prop_map(|(exception, delays, times, pause, which)| Whim {
            exception: exception && delays[0] % 3 == 0,
            delays,
            times,
            pause,
            which,
        })
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    at: u64,
    function: u8,
    /// None for an exception.
    content: Option<(u16, u16)>,
}

/// A unit that works through its requests one after the other, on a line with a master that judges
/// frames by function and length only.
struct Bench {
    now: u64,
    order: Order,
    frames: VecDeque<Frame>,
    accepted: usize,
}

impl Bench {
    fn ask(&mut self, read: &Read, whims: &mut dyn Iterator<Item = Whim>) -> bool {
        self.order.expire(Mono(self.now));
        let mut read = read.clone();
        match self.order.way(&read, 125) {
            Way::AsIs => {}
            Way::Longer(count) => read.count = count,
            Way::Wait => {
                self.now += LATE / 4;
                return false;
            }
            Way::Sync(count) => {
                let sync = Read {
                    count,
                    ..read.clone()
                };
                if !self.exchange(&sync, whims) || self.order.is_ambiguous(&read) {
                    return false;
                }
            }
        }
        self.exchange(&read, whims)
    }

    fn exchange(&mut self, read: &Read, whims: &mut dyn Iterator<Item = Whim>) -> bool {
        let Some(whim) = whims.next() else {
            return false;
        };
        self.swallow();
        self.order.asked(read, Mono(self.now + LATE));
        let mut at = self
            .frames
            .back()
            .map_or(self.now, |last| last.at.max(self.now));
        for delay in whim.delays.iter().take(whim.times) {
            at += delay;
            if at <= self.now + LATE {
                self.frames.push_back(Frame {
                    at,
                    function: function(read.table),
                    content: (!whim.exception).then_some((read.start, size(read, read.count))),
                });
            }
        }
        let heard = self.frames.front().copied();
        let heard = heard.filter(|frame| frame.at <= self.now + PATIENCE);
        let Some(frame) = heard else {
            self.now += PATIENCE;
            self.swallow();
            return false;
        };
        self.frames.pop_front();
        self.now = self.now.max(frame.at);
        assert_eq!(frame.function, function(read.table), "one function is used");
        match frame.content {
            Some((start, bytes)) if bytes == size(read, read.count) => {
                assert_eq!(
                    start, read.start,
                    "the answer of another request was accepted"
                );
                self.order.content();
                self.accepted += 1;
                true
            }
            Some(_) => {
                self.swallow();
                false
            }
            None => {
                self.order.exception();
                true
            }
        }
    }

    /// Until the line is silent.
    fn swallow(&mut self) {
        while let Some(frame) = self
            .frames
            .front()
            .filter(|frame| frame.at <= self.now + DRAIN)
        {
            self.now = self.now.max(frame.at);
            self.frames.pop_front();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_answer_is_taken_for_that_of_another_request(whims in prop::collection::vec(whim(), 1..80)) {
        let reads = [
            holding(0, 4), holding(100, 4), holding(200, 4), holding(300, 5), holding(400, 1),
            holding(500, 2),
        ];
        let mut bench = Bench {
            now: 0,
            order: clear(),
            frames: VecDeque::new(),
            accepted: 0,
        };
        let mut whims = whims.into_iter();
        while let Some(next) = whims.next() {
            bench.now += next.pause;
            bench.ask(&reads[next.which], &mut whims);
        }
        // A unit that answers is read again, at the third attempt at the latest.
        let well = Whim { exception: false, delays: [5; 3], times: 1, pause: 0, which: 0 };
        bench.now += LATE + 1;
        bench.swallow();
        let before = bench.accepted;
        for _ in 0..3 {
            bench.ask(&reads[0], &mut core::iter::repeat(well.clone()));
        }
        prop_assert!(bench.accepted > before);
    }
}
