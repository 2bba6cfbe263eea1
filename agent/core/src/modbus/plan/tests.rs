use super::*;
use crate::calendar::Calendar;
use crate::line::Line;
use crate::plant::{Device, Gateway, Link, Manners};
use crate::tag::{Kind, Point, Tag};
use alloc::boxed::Box;
use alloc::vec;
use proptest::prelude::*;

mod telegraf;

pub fn tag(table: Table, address: u16, kind: Kind, every_ms: u64) -> Tag {
    Tag {
        name: "t".into(),
        unit: "".into(),
        role: None,
        summed: crate::tag::Summed::Not,
        range: None,
        every_ms,
        source: Source::Modbus(Point::new(table, address, kind)),
    }
}

fn mqtt_tag() -> Tag {
    let source = Source::Message(crate::tag::Place::bare(Some("a/b".into()), Kind::F64));
    Tag {
        source,
        ..tag(Table::Holding, 0, Kind::U16, 1000)
    }
}

pub fn model(tags: Vec<Tag>) -> Arc<Model> {
    Arc::new(Model {
        every_ms: 1000,
        tags,
        state: None,
        codes: vec![],
        rates: None,
    })
}

pub fn plant(models: &[Arc<Model>]) -> Plant {
    let device = |(model, unit): (&Arc<Model>, u8)| Device {
        id: "d".into(),
        name: "d".into(),
        line: None,
        asset: None,
        profile: None,
        link: LinkIndex(0),
        unit,
        manners: Manners::default(),
        model: model.clone(),
        rated_rate: None,
        stale_after_ms: 3000,
        late_ms: 0,
        publishes: crate::summary::TierSet::ALL,
        publishes_tags: crate::summary::TierSet::NONE,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: Arc::default(),
    };
    let text = || Box::<str>::from("x");
    Plant {
        gateway: Gateway {
            root: text(),
            site: text(),
            area: text(),
            id: "g".into(),
        },
        calendar: Calendar::always(jiff::tz::TimeZone::UTC),
        other_calendars: vec![],
        links: vec![Link::network("plc")],
        devices: models.iter().zip(1..).map(device).collect(),
        alarms: vec![],
        roster: Default::default(),
        horns: vec![],
        buttons: Default::default(),
        max_payload: 9000,
        cfg: 0,
    }
}

/// A plant with one device of this model, on this medium and with these manners.
fn asked(model: &Arc<Model>, medium: Medium, manners: Manners) -> Plant {
    let mut plant = plant(core::slice::from_ref(model));
    plant.links[0].medium = medium;
    plant.devices[0].manners = manners;
    plant
}

const fn serial(baud: u32) -> Medium {
    Medium::Serial(Line {
        baud,
        char_bits: 11,
    })
}

fn press() -> Arc<Model> {
    model(vec![
        tag(Table::Holding, 0, Kind::U16, 1000),
        tag(Table::Holding, 1, Kind::U32, 1000),
        tag(Table::Holding, 3, Kind::U16, 1000),
        tag(Table::Input, 10, Kind::F32, 1000),
        tag(Table::Input, 12, Kind::I16, 200),
        tag(Table::Discrete, 0, Kind::Bool, 1000),
    ])
}

#[test]
fn a_press_is_read_with_four_requests() {
    let plan = Plan::new(&plant(&[press()]));
    let reads: Vec<_> = plan
        .reads
        .iter()
        .map(|r| (r.table, r.start, r.count, r.every_ms))
        .collect();
    assert_eq!(
        reads,
        [
            (Table::Discrete, 0, 1, 1000),
            (Table::Holding, 0, 4, 1000),
            (Table::Input, 12, 1, 200),
            (Table::Input, 10, 2, 1000),
        ]
    );
    assert_eq!(
        &*plan.reads[1].tags,
        [TagIndex(0), TagIndex(1), TagIndex(2)]
    );
}

#[test]
fn devices_of_one_model_share_its_lists_of_tags() {
    let (press, other) = (press(), press());
    let plan = Plan::new(&plant(&[press.clone(), other, press]));
    assert_eq!(plan.reads.len(), 12);
    assert!(Arc::ptr_eq(&plan.reads[0].tags, &plan.reads[8].tags));
    assert!(!Arc::ptr_eq(&plan.reads[0].tags, &plan.reads[4].tags));
    assert_eq!(
        (plan.reads[8].device, plan.reads[8].unit),
        (DeviceIndex(2), 3)
    );
}

#[test]
fn gaps_are_bridged_up_to_the_limit_and_no_further() {
    let at = |last| {
        let tags = vec![
            tag(Table::Holding, 0, Kind::U16, 1000),
            tag(Table::Holding, last, Kind::U32, 1000),
        ];
        Plan::new(&plant(&[model(tags)])).reads.len()
    };
    assert_eq!(at(123), 1);
    assert_eq!(at(124), 2);
}

#[test]
fn on_a_serial_line_a_gap_is_bridged_while_its_bytes_are_cheaper_than_another_exchange() {
    // At 9600 baud (11 bits a character) a second exchange costs its 13 characters, two silences
    // of 4.011 ms and 5 ms of thinking: 27.9 ms; a register in the gap costs 2.29 ms.
    let reads = |gap: u16, baud| {
        let tags = vec![
            tag(Table::Holding, 0, Kind::U16, 1000),
            tag(Table::Holding, 1 + gap, Kind::U16, 1000),
        ];
        let plant = asked(&model(tags), serial(baud), Manners::default());
        Plan::new(&plant).reads.len()
    };
    assert_eq!(reads(12, 9_600), 1);
    assert_eq!(reads(13, 9_600), 2);
    // The faster the line, the more the thinking weighs: 51 registers at 115,200 baud.
    assert_eq!(reads(51, 115_200), 1);
    assert_eq!(reads(52, 115_200), 2);
}

#[test]
fn a_device_is_asked_for_no_more_than_it_gives() {
    let registers = (0..40).map(|at| tag(Table::Holding, at, Kind::U16, 1000));
    let coils = (0..40).map(|at| tag(Table::Coil, at, Kind::Bool, 1000));
    let few = Manners {
        max_registers: 16,
        ..Manners::default()
    };
    let plant = asked(
        &model(registers.chain(coils).collect()),
        Medium::Network,
        few,
    );
    let counts: Vec<u16> = Plan::new(&plant)
        .reads
        .iter()
        .map(|read| read.count)
        .collect();
    assert_eq!(
        counts.iter().filter(|count| **count == 40).count(),
        1,
        "coils"
    );
    assert_eq!(counts.len(), 4);
    assert!(counts.iter().filter(|count| **count <= 16).sum::<u16>() == 40);
    // A value is never cut, even if the device says it could not give it.
    let one = Manners {
        max_registers: 1,
        ..Manners::default()
    };
    let wide = model(vec![
        tag(Table::Holding, 0, Kind::F64, 1000),
        tag(Table::Holding, 4, Kind::U16, 1000),
    ]);
    let counts: Vec<u16> = Plan::new(&asked(&wide, Medium::Network, one))
        .reads
        .iter()
        .map(|read| read.count)
        .collect();
    assert_eq!(counts, [4, 1]);
}

#[test]
fn devices_that_are_asked_differently_are_planned_differently() {
    let press = press();
    let mut plant = plant(&[press.clone(), press]);
    plant.devices[1].manners.max_registers = 2;
    let plan = Plan::new(&plant);
    assert_eq!(plan.reads.len(), 4 + 6);
}

#[test]
fn the_last_address_of_a_table_can_be_read() {
    let plan = Plan::new(&plant(&[model(vec![tag(
        Table::Input,
        u16::MAX,
        Kind::U16,
        1000,
    )])]));
    assert_eq!((plan.reads[0].start, plan.reads[0].count), (u16::MAX, 1));
}

#[test]
fn mqtt_tags_are_not_read() {
    assert_eq!(
        Plan::new(&plant(&[model(vec![mqtt_tag()])])),
        Plan::default()
    );
}

fn any_tag() -> impl Strategy<Value = Tag> {
    let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
    let kinds = [Kind::Bool, Kind::U16, Kind::I32, Kind::F64];
    let address = prop_oneof![0..300_u16, 0..5_000_u16, 65_000..65_532_u16];
    (
        prop::sample::select(tables.to_vec()),
        address,
        prop::sample::select(kinds.to_vec()),
        prop::sample::select(vec![200_u64, 1000]),
    )
        .prop_map(|(table, address, kind, every_ms)| {
            let kind = if table.is_bits() { Kind::Bool } else { kind };
            tag(table, address, kind, every_ms)
        })
}

/// The least number of windows of the limit's length that hold all tags, by trying every end.
fn fewest(mut spans: Vec<(u32, u32)>, limit: u32) -> usize {
    let mut windows = 0;
    while let Some(from) = spans.iter().map(|span| span.0).min() {
        spans.retain(|span| span.1 > from + limit);
        windows += 1;
    }
    windows
}

/// The least cost of any way to cut places into blocks, by trying all of them.
fn least_cost(spans: &[(Table, u32, u32)], how: Asked) -> u64 {
    let Some(&(table, start, _)) = spans.first() else {
        return 0;
    };
    let mut end = 0;
    let mut least = u64::MAX;
    for upto in 1..=spans.len() {
        end = end.max(spans[upto - 1].2);
        let count = end - start;
        if upto > 1 && count > u32::from(how.manners.most(table)) {
            break;
        }
        least = least.min(how.cost(table, count) + least_cost(&spans[upto..], how));
    }
    least
}

fn any_medium() -> impl Strategy<Value = Medium> {
    prop_oneof![
        Just(Medium::Network),
        prop::sample::select(vec![1_200, 9_600, 19_200, 115_200]).prop_map(serial),
    ]
}

proptest! {
    #[test]
    fn no_way_to_cut_costs_less_and_one_read_for_each_tag_never_does(
        addresses in prop::collection::vec((0..60_u16, 0..2_usize), 1..11),
        medium in any_medium(),
        max_registers in prop::sample::select(vec![4_u16, 10, 125]),
        between_requests_ms in prop::sample::select(vec![0_u64, 20]),
    ) {
        let kinds = [Kind::U16, Kind::F64];
        let tags = addresses.iter().map(|(at, kind)| tag(Table::Holding, *at, kinds[*kind], 1000));
        let model = model(tags.collect());
        let manners = Manners { max_registers, between_requests_ms, ..Manners::default() };
        let how = Asked { medium, manners };
        let plan = Plan::new(&asked(&model, medium, manners));
        let cost: u64 = plan.reads.iter().map(|r| how.cost(r.table, u32::from(r.count))).sum();
        let mut spans: Vec<(Table, u32, u32)> = places(&model)
            .iter()
            .map(|place| (place.table, u32::from(place.start), place.end))
            .collect();
        let alone: u64 = spans.iter().map(|(table, start, end)| how.cost(*table, end - start)).sum();
        prop_assert!(cost <= alone, "{cost} for the plan, {alone} for one read each");
        spans.sort_unstable();
        prop_assert_eq!(cost, least_cost(&spans, how));
        for read in &plan.reads {
            prop_assert!(read.count <= manners.most(read.table) || read.tags.len() == 1);
        }
    }

    #[test]
    fn every_tag_is_read_exactly_once_at_its_rate_by_the_fewest_reads_that_are_allowed(
        tags in prop::collection::vec(any_tag(), 0..60)
    ) {
        let model = model(tags);
        let plan = Plan::new(&plant(core::slice::from_ref(&model)));
        let mut seen: Vec<_> = plan.reads.iter().flat_map(|r| r.tags.iter().copied()).collect();
        seen.sort_unstable();
        prop_assert!(seen.iter().copied().eq((0..).map(TagIndex).take(model.tags.len())));
        for read in &plan.reads {
            prop_assert!(read.count >= 1 && read.count <= read.table.limit());
            prop_assert!(u32::from(read.start) + u32::from(read.count) <= ADDRESSES);
            prop_assert!(read.tags.is_sorted());
            for tag in read.tags.iter().map(|t| &model.tags[usize::from(t.0)]) {
                let Source::Modbus(point) = &tag.source else { panic!("not a Modbus tag") };
                prop_assert_eq!((point.table, tag.every_ms), (read.table, read.every_ms));
                prop_assert!(point.address >= read.start);
                let end = u32::from(point.address) + u32::from(point.width());
                prop_assert!(end <= u32::from(read.start) + u32::from(read.count));
            }
        }
        for table in [Table::Coil, Table::Discrete, Table::Holding, Table::Input] {
            for every_ms in [200, 1000] {
                let spans = places(&model)
                    .iter()
                    .filter(|p| (p.table, p.every_ms) == (table, every_ms))
                    .map(|p| (u32::from(p.start), p.end))
                    .collect();
                let made = plan.reads.iter();
                let made = made.filter(|r| (r.table, r.every_ms) == (table, every_ms)).count();
                prop_assert_eq!(made, fewest(spans, u32::from(table.limit())));
            }
        }
    }
}
