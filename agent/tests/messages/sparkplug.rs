//! Sparkplug B as another encoder writes it (`sparkplug/generate.py`).

use crate::mosquitto::Mosquitto;
use crate::rig::{Machine, Rig, Told, settings, shop, told};

const TS: i64 = 1_790_000_000_000;

macro_rules! payload {
    ($name:literal) => {
        include_bytes!(concat!("sparkplug/", $name, ".bin")).as_slice()
    };
}

const TAGS: [(&str, &str, &str); 12] = [
    ("temperature", "Temperature", "f32"),
    ("setpoint", "Setpoint", "f64"),
    ("offset", "Offset", "i16"),
    ("trim", "Trim", "i16"),
    ("balance", "Balance", "i32"),
    ("drift", "Drift", "i64"),
    ("zone", "Zone", "u16"),
    ("parts", "Parts", "u32"),
    ("energy", "Energy", "u64"),
    ("door", "Door", "bool"),
    ("mode", "Mode", "string"),
    ("probe", "Probe", "f64"),
];

/// The oven of the payloads, and a metric of its node.
fn oven(port: u16) -> String {
    let tag = |(name, metric, kind): (&str, &str, &str)| {
        format!(
            "{name} = {{ topic = \"spBv1.0/press-shop/DDATA/line-a/{{device}}\", metric = \"{metric}\", \
             type = \"{kind}\" }}\n"
        )
    };
    let tags: String = TAGS.into_iter().map(tag).collect();
    let node = "[[device]]\nid = \"line-a\"\nlink = \"shop\"\n[device.tags]\n\
                rebirth = { topic = \"spBv1.0/press-shop/NDATA/line-a\", metric = \"Node Control/Rebirth\", \
                type = \"bool\" }\n";
    let oven = "[[device]]\nid = \"oven-7\"\nlink = \"shop\"\n[device.tags]\n";
    format!("{}{node}{oven}{tags}", shop(port))
}

fn of_oven(values: &[(&str, &str)]) -> Vec<Told> {
    let told = |(tag, value): &(&str, &str)| told("oven-7", tag, value);
    values.iter().map(told).collect()
}

const BORN: [(&str, &str); 12] = [
    ("temperature", "812.5"),
    ("setpoint", "0.1"),
    ("offset", "-5"),
    ("trim", "-300"),
    ("balance", "-70000"),
    ("drift", "-5000000000"),
    ("zone", "200"),
    ("parts", "4000000000"),
    ("energy", "1099511627776"),
    ("door", "true"),
    ("mode", "运行"),
    ("probe", "(missing)"),
];

#[tokio::test]
async fn a_device_is_born_speaks_and_dies() {
    let broker = Mosquitto::start("").await;
    let mut rig = Rig::start(settings(&oven(broker.port))).await;
    let mut node = Machine::connect(broker.port);
    let device = |what: &str| format!("spBv1.0/press-shop/{what}/line-a/oven-7");

    // Before its birth an alias is nothing.
    node.publish(&device("DDATA"), payload!("ddata-aliases"))
        .await;
    let missing: Vec<_> = BORN.iter().map(|(tag, _)| (*tag, "(missing)")).collect();
    assert_eq!(rig.told().await, of_oven(&missing));

    node.publish("spBv1.0/press-shop/NBIRTH/line-a", payload!("nbirth"))
        .await;
    assert_eq!(rig.told().await, [told("line-a", "rebirth", "false")]);
    node.publish(&device("DBIRTH"), payload!("dbirth")).await;
    let born = rig.samples().await;
    let values: Vec<Told> = born.iter().map(|(told, _)| told.clone()).collect();
    assert_eq!(values, of_oven(&BORN));
    // What last changed an hour ago holds at its birth.
    assert!(born.iter().all(|(_, time)| *time == Some(TS)), "{born:?}");

    node.publish(&device("DDATA"), payload!("ddata-aliases"))
        .await;
    let by_alias = [("offset", "-6"), ("parts", "4000000001"), ("door", "false")];
    assert_eq!(rig.told().await, of_oven(&by_alias));

    node.publish(&device("DDATA"), payload!("ddata-named"))
        .await;
    let named = rig.samples().await;
    assert_eq!(
        named,
        [
            (told("oven-7", "temperature", "813.25"), Some(TS + 900)),
            (told("oven-7", "mode", "stop"), Some(TS + 800)),
        ],
        "what is history is not taken"
    );

    node.publish(&device("DDATA"), payload!("ddata-judged"))
        .await;
    let judged = [
        ("temperature", "21"),
        ("setpoint", "(bad-at-source)"),
        ("trim", "(stale)"),
    ];
    assert_eq!(rig.told().await, of_oven(&judged));

    node.publish(&device("DDEATH"), payload!("ddeath")).await;
    let dead: Vec<_> = BORN
        .iter()
        .map(|(tag, _)| (*tag, "(disconnected)"))
        .collect();
    assert_eq!(rig.told().await, of_oven(&dead));
}

/// A certificate may have been missed while the link was down.
#[tokio::test]
async fn a_new_connection_knows_no_alias() {
    let mut broker = Mosquitto::start("").await;
    let mut rig = Rig::start(settings(&oven(broker.port))).await;
    let mut node = Machine::connect(broker.port);
    node.publish(
        "spBv1.0/press-shop/DBIRTH/line-a/oven-7",
        payload!("dbirth"),
    )
    .await;
    assert_eq!(rig.told().await, of_oven(&BORN));
    broker.restart().await;
    assert!(rig.link().await.is_some(), "down");
    assert_eq!(rig.link().await, None);
    let mut node = Machine::connect(broker.port);
    node.publish(
        "spBv1.0/press-shop/DDATA/line-a/oven-7",
        payload!("ddata-aliases"),
    )
    .await;
    let missing: Vec<_> = BORN.iter().map(|(tag, _)| (*tag, "(missing)")).collect();
    assert_eq!(rig.told().await, of_oven(&missing));
}

#[tokio::test]
async fn with_its_node_a_device_dies_but_not_by_the_will_of_a_session_before() {
    let broker = Mosquitto::start("").await;
    let mut rig = Rig::start(settings(&oven(broker.port))).await;
    let mut node = Machine::connect(broker.port);
    node.publish("spBv1.0/press-shop/NBIRTH/line-a", payload!("nbirth"))
        .await;
    assert_eq!(rig.told().await, [told("line-a", "rebirth", "false")]);
    node.publish(
        "spBv1.0/press-shop/DBIRTH/line-a/oven-7",
        payload!("dbirth"),
    )
    .await;
    assert_eq!(rig.told().await, of_oven(&BORN));
    // The death of another node, and of the session before, are not its own.
    node.publish("spBv1.0/press-shop/NDEATH/line-b", payload!("ndeath"))
        .await;
    node.publish(
        "spBv1.0/press-shop/NDEATH/line-a",
        payload!("ndeath-before"),
    )
    .await;
    node.publish("spBv1.0/press-shop/NDEATH/line-a", payload!("ndeath"))
        .await;
    let dead: Vec<_> = BORN
        .iter()
        .map(|(tag, _)| (*tag, "(disconnected)"))
        .collect();
    let mut all = rig.told().await;
    all.extend(rig.told().await);
    let mut expected = of_oven(&dead);
    expected.push(told("line-a", "rebirth", "(disconnected)"));
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
    // A new session begins; the device is not born yet, and its aliases are nothing again.
    node.publish("spBv1.0/press-shop/NBIRTH/line-a", payload!("nbirth"))
        .await;
    assert_eq!(rig.told().await, [told("line-a", "rebirth", "false")]);
    node.publish(
        "spBv1.0/press-shop/DDATA/line-a/oven-7",
        payload!("ddata-aliases"),
    )
    .await;
    let missing: Vec<_> = BORN.iter().map(|(tag, _)| (*tag, "(missing)")).collect();
    assert_eq!(rig.told().await, of_oven(&missing));
}
