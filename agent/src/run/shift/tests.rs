use super::*;
use crate::annunciator::horn::Horns;
use crate::field::meter::Meters;
use crate::run::{Asks, Desks, NoAnswer, NotDone, Order, Orders, OwnReports, Question, Refusals};
use crate::store;
use crate::upstream::Reach;
use andon_core::alarm::{Act, AlarmState, Verb, Via};
use andon_core::calendar::Calendar;
use andon_core::engine::{Command, Left, Refused};
use andon_core::modbus::plan::Plan;
use andon_core::own::Own;
use andon_core::plant::{self, Device, Gateway, Link, Manners, Model, Plant, Priority};
use andon_core::rule::Rule;
use andon_core::sample::{Reading, Reason, Value};
use andon_core::tag::{Kind, LinkIndex, Point, Source, Table, Tag};
use andon_core::time::{ClockState, Now, Wall};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A device with one register that is no state and no count.
fn plant() -> Plant {
    let register = Point::new(Table::Holding, 0, Kind::U16);
    let tag = Tag {
        name: "speed".into(),
        unit: "".into(),
        role: None,
        summed: andon_core::tag::Summed::Not,
        range: None,
        every_ms: 1000,
        source: Source::Modbus(register),
    };
    let model = Model {
        every_ms: 1000,
        tags: vec![tag],
        state: None,
        codes: vec![],
        rates: None,
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
        links: vec![Link::network("plc")],
        devices: vec![Device {
            id: "press-1".into(),
            name: "press-1".into(),
            line: None,
            asset: None,
            profile: None,
            link: LinkIndex(0),
            unit: 1,
            manners: Manners::default(),
            model: Arc::new(model),
            rated_rate: None,
            stale_after_ms: 0,
            late_ms: 0,
            publishes: andon_core::summary::TierSet::ALL,
            publishes_tags: andon_core::summary::TierSet::NONE,
            no_scrap: false,
            min_coverage: 5_000,
            min_exposure_ms: 1_800_000,
            merge_faults_ms: 0,
            calendar: Default::default(),
            detect: Arc::default(),
        }],
        alarms: vec![silent(), modem()],
        roster: Default::default(),
        horns: vec![],
        buttons: Default::default(),
        max_payload: 9000,
        cfg: 1,
    }
}

/// An alarm that is raised at once: nobody reads the device, and its data is stale at once.
fn silent() -> plant::Alarm {
    plant::Alarm {
        owner: plant::Owner::Device(DeviceIndex(0)),
        id: "no-data".into(),
        priority: Priority::High,
        when: Rule::NoData(DeviceIndex(0)),
        on_delay_ms: 0,
        off_delay_ms: 0,
        latched: false,
        group: None,
        suppress_when: None,
        text_en: "".into(),
        text_zh: "".into(),
    }
}

/// The alarm of the modem, without delays.
fn modem() -> plant::Alarm {
    plant::Alarm {
        on_delay_ms: 0,
        off_delay_ms: 0,
        ..plant::Alarm::of_gateway(Own::Modem, "")
    }
}

/// A shift on an outbox in `dir`, with these losses to tell.
fn shift(dir: &std::path::Path, losses: Vec<Event>) -> Shift {
    shift_from(dir, clock::now(), losses)
}

/// One that began by these clocks.
fn shift_from(dir: &std::path::Path, now: Now, losses: Vec<Event>) -> Shift {
    let start = store::begin(dir, 1).unwrap();
    let budget = 64 << 20;
    let (store, opened) = store::open(store::Options {
        start,
        budget,
        late_ms: 0,
    })
    .unwrap();
    let plant = Arc::new(plant());
    let plan = Arc::new(Plan::new(&plant));
    let current = CurrentValues::open(dir, &plant.gateway);
    let engine = Engine::new(plant, plan, opened.run, now, None);
    let (health, _) = watch::channel(Shift::health(&engine));
    let (_, reach) = watch::channel(Reach::Trying);
    let beside = Beside {
        began: clock::mono(),
        reach,
        meters: Meters::none(),
        outputs: watch::channel(Vec::new()).1,
        desks: Desks::new().0,
        own: OwnReports::new(),
        texts: None,
        refusals: Refusals::default(),
    };
    Shift::new(
        engine,
        store,
        History::none(),
        current,
        Watches {
            lost: None,
            health,
            horns: Horns::new(0).0,
            pulse: watch::channel(0).0,
        },
        beside,
        losses,
    )
}

/// Nobody tells or asks anything.
fn nothing_told() -> Told {
    Told {
        journal: mpsc::channel(1).1,
        asks: mpsc::channel(1).1,
        orders: mpsc::channel(1).1,
        commands: mpsc::channel(1).1,
        words: mpsc::channel(1).1,
    }
}

fn loss(seq: u64) -> Event {
    Event::Loss {
        why: String::from("damaged"),
        run: None,
        seq_from: seq,
        seq_to: seq,
        count: 1,
        class: None,
    }
}

#[tokio::test]
async fn any_number_of_losses_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let losses = || (0..500).map(loss).collect::<Vec<_>>();
    let mut shift = shift(dir.path(), losses());
    shift.committed(Commit {
        relabels: false,
        not_kept: None,
        stored: Ok(losses()),
    });
    shift.close().await;
    let stored = shift.store.read(None, 2000).await.unwrap();
    let is_loss =
        |stored: &&store::Stored| matches!(stored.record.body, Body::Event(Event::Loss { .. }));
    assert_eq!(stored.iter().filter(is_loss).count(), 1000);
}

#[tokio::test]
async fn what_waits_behind_a_link_that_went_down_is_not_late() {
    let dir = tempfile::tempdir().unwrap();
    let mut shift = shift(dir.path(), vec![]);
    let at = Mono(clock::mono().0 - 5_000);
    shift.take(&FromField::Link {
        link: LinkIndex(0),
        at,
        up: false,
        why: None,
    });
    shift.close().await;
    let stored = shift.store.read(None, 10).await.unwrap();
    let [config, link, ..] = &stored[..] else {
        panic!("{stored:?}");
    };
    assert!(
        link.record.ts < config.record.ts,
        "the link went down before the start"
    );
}

#[tokio::test]
async fn a_flood_of_readings_does_not_hold_up_a_stop() {
    let dir = tempfile::tempdir().unwrap();
    let (flood, field) = mpsc::channel(4 * FIELD_QUEUE);
    for _ in 0..4 * FIELD_QUEUE {
        let message = FromField::Readings {
            device: DeviceIndex(0),
            at: clock::mono(),
            readings: vec![(TagIndex(0), Reading::Bad(Reason::Timeout).into())],
        };
        flood.try_send(message).unwrap();
    }
    let (_stop, stopped) = watch::channel(true);
    let tally = shift(dir.path(), vec![])
        .work(field, nothing_told(), stopped)
        .await
        .unwrap();
    assert_eq!(tally.samples, FIELD_QUEUE as u64);
}

#[tokio::test]
async fn a_question_is_answered_after_the_readings_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (readings, field) = mpsc::channel(4);
    let reading = Reading::Good(Value::Int(7));
    let message = FromField::Readings {
        device: DeviceIndex(0),
        at: clock::mono(),
        readings: vec![(TagIndex(0), reading.into())],
    };
    readings.try_send(message).unwrap();
    let (asks, questions) = Asks::channel();
    let (stop, stopped) = watch::channel(false);
    let told = Told {
        asks: questions,
        ..nothing_told()
    };
    let work = shift(dir.path(), vec![]).work(field, told, stopped);
    let asking = async {
        let parsed = async |question| {
            let answer = asks.ask(question).await.unwrap();
            serde_json::from_slice::<serde_json::Value>(&answer).unwrap()
        };
        let tags = parsed(Question::Tags(DeviceIndex(0))).await;
        assert_eq!(tags[0]["value"], 7);
        let devices = parsed(Question::Devices).await;
        assert_eq!(devices[0]["device"], "press-1");
        let status = parsed(Question::Status).await;
        assert_eq!(status["gateway"], "gw");
        assert_eq!(status["links"][0]["link"], "plc");
        assert_eq!(status["devices"][0]["tags_bad"], 0);
        assert_eq!(status["broker_reached"], serde_json::Value::Null);
        assert_eq!(status["lost"], 0);
        let metrics = asks.ask(Question::Metrics).await.unwrap();
        let metrics = String::from_utf8(metrics.to_vec()).unwrap();
        check_metrics(&metrics);
        let parts = parsed(Question::SelfTest).await;
        assert_eq!(
            parts[0],
            serde_json::json!({
                "part": "store", "result": "passed", "why": null, "hint": null,
            })
        );
        let alarms = parsed(Question::Alarms).await;
        assert_eq!(alarms["hygiene"]["flood"], false);
        assert_eq!(asks.ask(Question::Ready).await.unwrap(), "");
        stop.send(true).unwrap();
    };
    let (worked, ()) = tokio::join!(work, asking);
    worked.unwrap();
    assert_eq!(
        asks.ask(Question::Ready).await,
        Err(NoAnswer),
        "it has stopped"
    );
}

#[tokio::test]
async fn a_run_ends_when_its_outbox_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut shift = shift(dir.path(), vec![]);
    shift.store.clone().close().await;
    shift.staging.hurry();
    let (_no_readings, field) = mpsc::channel(1);
    let (_stop, stopped) = watch::channel(false);
    assert!(shift.work(field, nothing_told(), stopped).await.is_err());
}

fn acknowledge(id: &str) -> Order {
    Order::Alarm(Command {
        id: id.into(),
        verb: Verb::Acknowledge,
        occurrence: Some(1),
        act: Act {
            by: Some("li".into()),
            via: Via::Cli,
            why: None,
        },
    })
}

/// Has `shift` carry it out; the answer comes later.
fn order(shift: &mut Shift, order: Order) -> oneshot::Receiver<Result<bytes::Bytes, NotDone>> {
    let (answer, answered) = oneshot::channel();
    shift.obey(Given { order, answer });
    answered
}

#[tokio::test]
async fn what_was_answered_as_done_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut shift = shift(dir.path(), vec![]);
    shift.keep_time();
    shift.act(clock::mono());
    let mut answered = order(&mut shift, acknowledge("press-1.no-data"));
    shift.begin_commit(clock::mono());
    let mut quiet = order(&mut shift, Order::Silence(act()));
    assert!(answered.try_recv().is_err(), "not on disk yet");
    let done = committed(&mut shift.commit).await;
    shift.committed(done);
    let answer = answered.try_recv().unwrap().unwrap();
    let alarm: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(
        (&alarm["state"], &alarm["by"]),
        (&"ack-active".into(), &"li".into())
    );
    assert!(
        quiet.try_recv().is_ok(),
        "nothing sounds: nothing to wait for"
    );

    // As after a kill.
    let stored = shift.store.read(None, 10).await.unwrap();
    let is_ack = |body: &Body| {
        matches!(body, Body::Event(Event::Alarm { to: AlarmState::AckActive, done: Some(done), .. })
            if done.verb == Verb::Acknowledge)
    };
    assert!(stored.iter().any(|stored| is_ack(&stored.record.body)));
    shift.store.clone().close().await;
    drop(shift);
    let start = store::begin(dir.path(), 1).unwrap();
    let budget = 64 << 20;
    let (_store, opened) = store::open(store::Options {
        start,
        budget,
        late_ms: 0,
    })
    .unwrap();
    let plant = Arc::new(plant());
    let plan = Arc::new(Plan::new(&plant));
    let left = opened.checkpoint.as_deref().map(Left::Newest);
    let engine = Engine::new(plant, plan, opened.run, clock::now(), left);
    let alarm = engine.alarm(0).unwrap().alarm;
    assert_eq!(alarm.state(), AlarmState::AckActive);
}

fn act() -> Act {
    Act {
        by: None,
        via: Via::Cli,
        why: None,
    }
}

#[tokio::test]
async fn what_the_disk_does_not_take_is_not_answered_as_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut shift = shift(dir.path(), vec![]);
    shift.keep_time();
    shift.act(clock::mono());
    shift.store.clone().close().await;
    let mut answered = order(&mut shift, acknowledge("press-1.no-data"));
    shift.begin_commit(clock::mono());
    let done = committed(&mut shift.commit).await;
    shift.committed(done);
    let answer = answered.try_recv().unwrap();
    assert!(matches!(answer, Err(NotDone::NotStored(_))), "{answer:?}");
}

#[tokio::test]
async fn an_order_is_refused_at_once_and_given_once() {
    let dir = tempfile::tempdir().unwrap();
    let (_no_readings, field) = mpsc::channel(1);
    let (orders, given) = Orders::channel();
    let (stop, stopped) = watch::channel(false);
    let told = Told {
        orders: given,
        ..nothing_told()
    };
    let work = shift(dir.path(), vec![]).work(field, told, stopped);
    let ordering = async {
        let unknown = orders.give(acknowledge("press-1.other")).await;
        assert_eq!(unknown, Err(NotDone::Refused(Refused::Unknown)));
        let done = orders.give(acknowledge("press-1.no-data")).await;
        assert!(done.is_ok(), "{done:?}");
        let again = orders.give(acknowledge("press-1.no-data")).await;
        assert!(matches!(again, Err(NotDone::Refused(_))), "{again:?}");
        stop.send(true).unwrap();
    };
    let (worked, ()) = tokio::join!(work, ordering);
    worked.unwrap();
    let gone = orders.give(acknowledge("press-1.no-data")).await;
    assert_eq!(gone, Err(NotDone::NoAnswer), "it has stopped");
}

#[tokio::test]
async fn what_was_labelled_before_the_clock_was_set_is_relabelled_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let unset = Now {
        wall: Wall(20_000),
        clock: ClockState::Unsynced,
        ..clock::now()
    };
    let mut shift = shift_from(dir.path(), unset, vec![loss(1)]);
    assert!(shift.engine.waits_for_clock());
    // The clock of this machine is set.
    shift.engine.handle_time(clock::now());
    shift.act(clock::mono());
    let now = clock::now().wall;
    shift.begin_commit(clock::mono());
    assert!(!shift.store.view().borrow().relabelled);
    let done = committed(&mut shift.commit).await;
    shift.committed(done);
    assert!(shift.store.view().borrow().relabelled);
    assert_eq!(shift.relabel, None, "it is told once");
    let stored = shift.store.read(None, 100).await.unwrap();
    let is_loss =
        |stored: &&store::Stored| matches!(stored.record.body, Body::Event(Event::Loss { .. }));
    let loss = stored.iter().find(is_loss).unwrap();
    assert!(loss.relabelled && now - loss.record.ts < 60_000);
}

/// Each line is of the text format, each name has its head once, and what is known is there.
fn check_metrics(metrics: &str) {
    let mut named = std::collections::HashSet::new();
    for line in metrics.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(named.insert(name.to_owned()), "{name} twice");
            assert!(["gauge", "counter", "summary"].contains(&kind), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            value.parse::<f64>().unwrap();
            let name = series.split('{').next().unwrap();
            let name = name.trim_end_matches("_sum").trim_end_matches("_count");
            assert!(named.contains(name), "{line} has no head");
        }
    }
    for line in [
        "andon_device_data_age_seconds{device=\"press-1\"} ",
        "andon_alarms_raised{minutes=\"1440\"} ",
        "andon_alarm_flood 0",
        "andon_outbox_waiting ",
    ] {
        let has = metrics.lines().any(|has| has.starts_with(line));
        assert!(has, "{line} is missing in\n{metrics}");
    }
}

#[tokio::test]
async fn what_drivers_report_raises_alarms_of_the_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let mut shift = shift(dir.path(), vec![]);
    let state = |shift: &Shift| {
        let alarm = shift.engine.any_alarm(1).unwrap();
        (alarm.alarm.state(), alarm.reported.map(str::to_owned))
    };
    shift.look_at_gateway(clock::mono());
    assert_eq!(state(&shift), (AlarmState::Normal, None));
    shift.beside.own.wrong(Own::Modem, "no answer to AT");
    shift.look_at_gateway(clock::mono());
    let raised = (AlarmState::UnackActive, Some("no answer to AT".to_owned()));
    assert_eq!(state(&shift), raised);
    shift.beside.own.well(Own::Modem);
    shift.look_at_gateway(clock::mono());
    assert_eq!(state(&shift), (AlarmState::RtnUnack, None));
}
