use super::csv::{Row, local};
use super::*;
use andon_core::history::{Fill, Head, Leaf, Mark, Page, Relabel, Rows};
use andon_core::sample::Quality;
use andon_core::state::State;
use andon_core::summary::{Sum, TierSet};

fn row(fields: &[&str]) -> String {
    let (mut row, mut out) = (Row::default(), Vec::new());
    for field in fields {
        row.put(field);
    }
    row.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn fields_are_quoted_where_they_must_be() {
    let fields = [
        "press-1",
        "",
        "a,b",
        "say \"x\"",
        "-5",
        "-1+2",
        "=A1",
        "0.25",
        "一号",
    ];
    let expected = "press-1,,\"a,b\",\"say \"\"x\"\"\",-5,\" -1+2\",\" =A1\",0.25,一号\r\n";
    assert_eq!(row(&fields), expected);
}

#[test]
fn times_are_those_of_the_plant_with_milliseconds() {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let at = Wall(1_790_000_040_007);
    assert_eq!(local(at, &zone), "2026-09-21T22:14:00.007+08:00");
    for (text, expected) in [
        ("2026-09-21T22:14:00.007+08:00", Some(at)),
        ("2026-09-21T22:14:00.007", Some(at)),
        ("2026-09-21T22:14", Some(Wall(1_790_000_040_000))),
        ("2026-09-21", Some(Wall(1_789_920_000_000))),
        ("yesterday", None),
    ] {
        assert_eq!(parse(text, &zone).ok(), expected, "{text}");
    }
}

const START: i64 = 1_790_000_040_000;

fn window(minute: i64, length: i64) -> andon_core::tiers::Window {
    andon_core::tiers::Window {
        start: Wall(START + minute * 60_000),
        end: Wall(START + (minute + length) * 60_000),
        fold: 0,
        stepped_ms: 0,
        clock_step_ms: 0,
        unset: None,
    }
}

fn rows(minute: i64, length: i64, producing: u64, ended: TierSet) -> Rows {
    let window = window(minute, length);
    let cut = TierSet::NONE;
    let mut rows = Rows::new(Head { window, cut, ended });
    let mut sum = Sum::default();
    sum.times.add(State::Producing, producing);
    let unknown = u64::try_from(length).unwrap() * 60_000 - producing;
    sum.times.add(State::Unknown, unknown);
    rows.push("saw".into(), rows.head, sum);
    rows
}

/// A column of a table.
fn column(table: &str, name: &str) -> Vec<String> {
    let mut lines = table.lines();
    let at = lines.next().unwrap().split(',').position(|it| it == name);
    lines
        .map(|line| line.split(',').nth(at.unwrap()).unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn late_data_and_a_clock_that_was_set_later_are_in_the_tables() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("andon.toml");
    let text = format!(
        "[gateway]\nid = \"gw-1\"\nsite = \"here\"\narea = \"hall\"\ntimezone = \"UTC\"\ndata_dir = {:?}\n\
         [upstream]\nbroker = \"mqtt://127.0.0.1\"\n[[link]]\nid = \"plc\"\n\
         modbus_tcp = \"10.0.0.5\"\n[[device]]\nid = \"saw\"\nlink = \"plc\"\n\
         tags = {{ status = {{ at = \"holding:0\", type = \"u16\" }} }}\n",
        dir.path()
    );
    std::fs::write(&file, text).unwrap();
    let loaded = config::load(&file).unwrap_or_else(|report| panic!("{report}"));
    let settings = &loaded.settings;
    let limits = crate::plan::history(settings);
    let history = crate::history::open(&settings.data_dir, limits, None).unwrap();
    let show = |minute: i64, state| Mark::Shows {
        calendar: Default::default(),
        device: "saw".into(),
        at: Wall(START + minute * 60_000),
        state,
        code: None,
        quality: Quality::Good,
        reason: None,
        again: false,
    };
    let plan = Mark::Plan {
        calendar: Default::default(),
        at: Wall(START),
        planned: true,
        again: false,
    };
    let fill = |from: i64, to: i64, state| Mark::Fills {
        device: "saw".into(),
        fill: Fill {
            from: Wall(START + from),
            to: Wall(START + to),
            state,
            code: None,
            quality: Quality::Good,
        },
    };
    let hour = TierSet::NONE.with(Tier::Hour);
    let relabel = Relabel {
        first: 100,
        by_ms: START,
        to: Wall(START),
    };
    let mut unset = rows(60, 1, 7, TierSet::NONE);
    unset.head.window = unset.head.window.moved(-START);
    unset.head.window.unset = Some(0);
    let leaves = [
        (1, Leaf::Marks(vec![plan, show(0, State::Unknown)])),
        (2, Leaf::Minute(rows(44, 1, 0, TierSet::NONE))),
        (3, Leaf::Minute(rows(45, 1, 0, TierSet::NONE))),
        (4, Leaf::Piece(rows(0, 46, 0, hour))),
        (
            5,
            Leaf::Marks(vec![show(46, State::Idle), show(47, State::Setup)]),
        ),
        // The second told again after the first, and once more.
        (6, Leaf::MinuteAgain(rows(45, 1, 20_000, TierSet::NONE))),
        (7, Leaf::MinuteAgain(rows(45, 1, 30_000, TierSet::NONE))),
        (8, Leaf::PieceAgain(rows(0, 46, 30_000, hour))),
        (9, Leaf::Marks(vec![fill(10_000, 40_000, State::Producing)])),
        (10, Leaf::Marks(vec![fill(30_000, 35_000, State::Faulted)])),
        (100, Leaf::Minute(unset)),
        (101, Leaf::Relabel(relabel)),
    ];
    let pages = leaves.map(|(number, leaf)| Page { number, leaf });
    history.commit(pages.to_vec()).await.unwrap();
    let wanted = Wanted {
        settings,
        from: Wall(START),
        to: Wall(i64::MAX),
        device: None,
        is_kept: Cell::new(false),
    };
    let unknown = Wanted {
        device: Some("nobody".into()),
        is_kept: Cell::new(false),
        ..wanted
    };
    summaries::write(&unknown, Tier::Minute, &mut Vec::new()).unwrap();
    assert!(matches!(unknown.nothing(), Some((_, false))));
    let wanted = Wanted {
        device: None,
        ..unknown
    };
    let mut out = Vec::new();
    let passed = summaries::write(&wanted, Tier::Minute, &mut out).unwrap();
    assert!(passed.is_empty());
    assert_eq!(wanted.nothing(), None);
    let minutes = String::from_utf8(out).unwrap();
    assert_eq!(column(&minutes, "producing_ms"), ["0", "30000", "7"]);
    assert_eq!(
        column(&minutes, "start")[2],
        "2026-09-21T15:14:00.000+00:00"
    );
    let mut out = Vec::new();
    summaries::write(&wanted, Tier::Hour, &mut out).unwrap();
    let hours = String::from_utf8(out).unwrap();
    assert_eq!(column(&hours, "producing_ms"), ["30000"]);
    let mut out = Vec::new();
    segments::write(&wanted, &mut out).unwrap();
    let segments = String::from_utf8(out).unwrap();
    assert_eq!(
        column(&segments, "state"),
        [
            "unknown",
            "producing",
            "faulted",
            "producing",
            "unknown",
            "idle",
            "setup"
        ]
    );
    assert_eq!(
        column(&segments, "ms"),
        ["10000", "20000", "5000", "5000", "2720000", "60000", ""]
    );
}
