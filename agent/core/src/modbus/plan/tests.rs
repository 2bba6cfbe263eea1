use super::*;
use crate::calendar::Calendar;
use crate::plant::{Device, Gateway};
use crate::tag::{Kind, Point, Tag};
use alloc::boxed::Box;
use alloc::vec;
use proptest::prelude::*;

pub fn tag(table: Table, address: u16, kind: Kind, every_ms: u64) -> Tag {
    Tag {
        name: "t".into(),
        unit: "".into(),
        role: None,
        range: None,
        every_ms,
        source: Source::Modbus(Point::new(table, address, kind)),
    }
}

fn mqtt_tag() -> Tag {
    let source = Source::Mqtt(crate::tag::Place {
        topic: "a/b".into(),
        pointer: None,
        kind: Kind::F64,
    });
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
        model: model.clone(),
        rated_rate: None,
        stale_after_ms: 3000,
        publishes_1m: true,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
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
        links: vec!["plc".into()],
        devices: models.iter().zip(1..).map(device).collect(),
        alarms: vec![],
        cfg: 0,
    }
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

proptest! {
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
            prop_assert!(read.count >= 1 && read.count <= limit(read.table));
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
                prop_assert_eq!(made, fewest(spans, u32::from(limit(table))));
            }
        }
    }
}
