//! A plant with a Modbus and an MQTT link, from settings to messages.

use super::*;
use crate::settings::{
    Broker, Endpoint, Link, Modbus, MqttLink, Parity, Payload, Rs485, SerialPort, Topic, Upstream,
};
use andon_core::calendar::Calendar;
use andon_core::plant::{Device, Gateway, Manners, Model};
use andon_core::tag::{Kind, Place, Point, Source, Table, Tag};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;

fn tag(source: Source) -> Tag {
    Tag {
        name: "t".into(),
        unit: "".into(),
        role: None,
        summed: andon_core::tag::Summed::Not,
        range: None,
        every_ms: 1000,
        source,
    }
}

fn device(link: u16, source: Source) -> Device {
    Device {
        id: "d".into(),
        name: "d".into(),
        line: None,
        asset: None,
        profile: None,
        link: LinkIndex(link),
        unit: 1,
        manners: Manners::default(),
        model: Arc::new(Model {
            every_ms: 1000,
            tags: vec![tag(source)],
            state: None,
            codes: vec![],
            rates: None,
        }),
        rated_rate: None,
        stale_after_ms: 3000,
        late_ms: 0,
        publishes: andon_core::summary::TierSet::ALL,
        publishes_tags: andon_core::summary::TierSet::NONE,
        no_scrap: false,
        min_coverage: 5000,
        min_exposure_ms: 1_800_000,
        merge_faults_ms: 0,
        calendar: Default::default(),
        detect: Arc::default(),
    }
}

fn nobody() -> Broker {
    Broker {
        host: "127.0.0.1".into(),
        port: 9,
        tls: None,
        username: None,
        username_file: None,
        password_file: None,
    }
}

/// Links 0 (a Modbus endpoint on `port`), 1 (a serial port that is not there) and 2 (a broker that
/// is not there).
fn settings(port: u16) -> Settings {
    let register = Source::Modbus(Point::new(Table::Holding, 10, Kind::U16));
    let message = Source::Message(Place::bare(Some("oven".into()), Kind::F64));
    let link = |id: &str, kind| Link {
        id: id.into(),
        kind,
    };
    let modbus = Modbus {
        endpoint: Endpoint::Tcp {
            host: "127.0.0.1".into(),
            port,
        },
        timeout: Duration::from_millis(500),
        allow_write: vec![],
    };
    let rs485 = Modbus {
        endpoint: Endpoint::Serial(SerialPort {
            path: "/nowhere/port".into(),
            baud: 19_200,
            parity: Parity::Even,
            stop_bits: 1,
            optional: true,
            rs485: Rs485::Auto,
            turnaround: Duration::ZERO,
        }),
        ..modbus.clone()
    };
    let shop = MqttLink {
        broker: nobody(),
        client_id: "gw-shop".into(),
        topics: vec![Topic {
            name: "oven".into(),
            shared: None,
            readers: vec![crate::settings::Reader {
                device: DeviceIndex(1),
                called: "oven".into(),
                tags: vec![TagIndex(0)],
            }],
        }],
        max_payload: 1024,
    };
    Settings {
        sms: None,
        webhooks: vec![],
        mail: None,
        http: None,
        plant: Plant {
            gateway: Gateway {
                root: "andon".into(),
                site: "s".into(),
                area: "a".into(),
                id: "gw".into(),
            },
            calendar: Calendar::always(jiff::tz::TimeZone::UTC),
            other_calendars: vec![],
            links: ["plc", "rs485", "shop"]
                .map(andon_core::plant::Link::network)
                .into(),
            devices: vec![
                device(0, register.clone()),
                device(2, message),
                device(1, register),
            ],
            alarms: vec![],
            roster: Default::default(),
            horns: vec![],
            buttons: Default::default(),
            max_payload: 9000,
            cfg: 0,
        },
        links: vec![
            link("plc", LinkKind::Modbus(modbus)),
            link("rs485", LinkKind::Modbus(rs485)),
            link("shop", LinkKind::Mqtt(shop)),
        ],
        upstream: Upstream {
            payload: Payload::Json,
            others: Vec::new(),
            keep_alive: Duration::from_secs(30),
            broker: nobody(),
            max_payload: 1024,
            ack_timeout: Duration::from_secs(10),
            window: 32,
            replay: 500,
            commands: None,
        },
        data_dir: "data".into(),
        memory_budget: 0,
        disk_budget: 0,
        history_ms: 0,
        selftest: None,
        horns: vec![],
        not_active: vec![],
    }
}

#[tokio::test]
async fn every_active_link_is_read_until_the_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(listener.local_addr().unwrap().port());
    let plan = Arc::new(Plan::new(&settings.plant));
    let (tx, mut rx) = mpsc::channel(16);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = start(&settings, plan, tx, stopped).tasks;
    assert_eq!(tasks.len(), 3);

    let (mut machine, _) = listener.accept().await.unwrap();
    let mut told = [false; 3];
    while told != [true; 3] {
        let link = match timeout(Duration::from_secs(10), rx.recv()).await.unwrap() {
            Some(FromField::Link { link, .. }) => link,
            Some(FromField::Read { .. }) => continue,
            other => panic!("{other:?}"),
        };
        told[usize::from(link.0)] = true;
    }
    // Nobody answered, so the Modbus link came up and its read timed out.
    let mut request = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut machine, &mut request)
        .await
        .unwrap();
    assert_eq!(request, [0, 0, 0, 0, 0, 6, 1, 3, 0, 10, 0, 1]);

    stop.send(true).unwrap();
    let ended = async { while tasks.join_next().await.is_some() {} };
    timeout(Duration::from_secs(5), ended)
        .await
        .expect("links stop");
}

#[tokio::test]
async fn links_end_when_the_engine_no_longer_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = settings(listener.local_addr().unwrap().port());
    let plan = Arc::new(Plan::new(&settings.plant));
    let (tx, rx) = mpsc::channel(16);
    let (_stop, stopped) = watch::channel(false);
    let mut tasks = start(&settings, plan, tx, stopped).tasks;
    drop(rx);
    let ended = async { while tasks.join_next().await.is_some() {} };
    timeout(Duration::from_secs(10), ended)
        .await
        .expect("links end");
}
