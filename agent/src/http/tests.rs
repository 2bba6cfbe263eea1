//! The handlers as a client sees them; the engine is whoever answers the questions.

use super::*;
use crate::config;
use crate::field::FromField;
use crate::run::{Ask, Given, NotDone, Order, OwnReports, Question, Refusals, Remote};
use crate::settings::Settings;
use andon_core::alarm::{Refusal, Verb, Via};
use andon_core::engine::Refused;
use andon_core::sample::Value;
use andon_core::tag::{DeviceIndex, LinkIndex};
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tempfile::TempDir;
use tokio::sync::mpsc;

const TOKEN: &str = "0123456789abcdef";

const CONFIG: &str = r#"
gateway = { id = "gw", site = "s", area = "a" }
upstream = { broker = "mqtt://127.0.0.1" }
http = { listen = "127.0.0.1:0001", act_token_file = "act.token", names = ["gw.plant.example"] }

[[link]]
id = "scripts"
http_push = true
token_file = "push.token"

[[link]]
id = "others"
http_push = true
token_file = "others.token"

[[device]]
id = "saw"
link = "scripts"
tags = { speed = { type = "f64" }, "a-b" = { type = "string" } }

[[device]]
id = "lathe"
link = "scripts"
tags = { speed = { type = "f64" } }

[[device]]
id = "robot"
link = "others"
tags = { speed = { type = "f64" } }

[[alarm]]
id = "no-data"
devices = ["saw"]
when = "no_data"
"#;

/// A door, with both sides of everything behind it.
struct Bench {
    router: TowerToHyperService<Router>,
    /// What answers on the control socket.
    socket: TowerToHyperService<Router>,
    questions: mpsc::Receiver<Ask>,
    given: mpsc::Receiver<Given>,
    field: mpsc::Receiver<FromField>,
    stop: watch::Sender<bool>,
    refusals: Refusals,
    folder: TempDir,
}

impl Bench {
    /// The engine takes as many messages before it falls behind.
    async fn new(room: usize) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("push.token"), TOKEN).unwrap();
        Bench::of(settings(&folder), room, folder).await
    }

    async fn of(settings: Settings, room: usize, folder: TempDir) -> Bench {
        let (asks, questions) = Asks::channel();
        let (orders, given) = Orders::channel();
        let (tx, field) = mpsc::channel(room);
        let (stop, stopped) = watch::channel(false);
        let refusals = Refusals::default();
        let door = Door {
            selftest: SelfTest::new(
                asks.clone(),
                OwnReports::new(),
                None,
                None,
                folder.path().into(),
            ),
            asks,
            orders,
            plant: Arc::new(settings.plant.clone()),
            scripts: Arc::new(Scripts::open(&settings, &tx, stopped).await),
            errands: Errands::default(),
            board: None,
            texts: None,
            acting: Acting::open(settings.http.as_ref(), &refusals)
                .await
                .map(Arc::new),
        };
        Bench {
            socket: TowerToHyperService::new(control().with_state(door.clone())),
            router: TowerToHyperService::new(network().with_state(door)),
            refusals,
            questions,
            given,
            field,
            stop,
            folder,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        Bench::answered(&self.router, request).await
    }

    async fn answered(router: &TowerToHyperService<Router>, request: Request<Body>) -> Answer {
        let Ok(response) = router.call(request).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.map(|body| body.to_bytes()).ok(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn push(&self, token: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post("/api/v1/samples")
            .header("authorization", format!("Bearer {token}"))
            .body(body.into());
        self.send(request.unwrap()).await
    }

    /// The next message to the engine, if there is one.
    fn told(&mut self) -> Option<FromField> {
        self.field.try_recv().ok()
    }

    /// Answers one question after the other.
    fn answering(&mut self, answer: impl Fn(Question) -> Bytes + Send + 'static) {
        let (_, nothing) = mpsc::channel(1);
        let mut questions = std::mem::replace(&mut self.questions, nothing);
        tokio::spawn(async move {
            while let Some(ask) = questions.recv().await {
                let _ = ask.answer.send(answer(ask.question));
            }
        });
    }
}

fn settings(folder: &TempDir) -> Settings {
    let file = folder.path().join("andon.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let loaded = config::load(&file);
    loaded.unwrap_or_else(|report| panic!("{report}")).settings
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    /// None if it was cut off.
    body: Option<Bytes>,
}

impl Answer {
    fn json(&self) -> Json {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(self.body.as_ref().unwrap()).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.body.as_ref().unwrap()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_alive_without_an_engine_but_not_ready() {
    let bench = Bench::new(8).await;
    assert_eq!(bench.get("/healthz").await.status, StatusCode::OK);
    let ready = bench.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text().contains("engine"), "{ready:?}");
    let status = bench.get("/api/v1/status").await;
    assert_eq!(status.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(status.headers["retry-after"], "2");
}

#[tokio::test]
async fn it_is_ready_while_the_disk_takes_records() {
    let mut bench = Bench::new(8).await;
    bench.answering(|_| Bytes::new());
    assert_eq!(bench.get("/readyz").await.status, StatusCode::OK);
    let mut bench = Bench::new(8).await;
    bench.answering(|_| Bytes::from_static(b"the disk is full\n"));
    let ready = bench.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.text(), "the disk is full\n");
}

#[tokio::test]
async fn what_the_engine_says_is_passed_on() {
    let mut bench = Bench::new(8).await;
    bench.answering(|question| Bytes::from(json!(format!("{question:?}")).to_string()));
    for (path, question) in [
        ("/api/v1/status", Question::Status),
        ("/api/v1/devices", Question::Devices),
        ("/api/v1/tags?device=lathe", Question::Tags(DeviceIndex(1))),
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.json(), format!("{question:?}"));
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn the_tags_of_all_devices_are_one_list() {
    let mut bench = Bench::new(8).await;
    // The first has none to show.
    bench.answering(|question| match question {
        Question::Tags(DeviceIndex(0)) => Bytes::from_static(b"[]"),
        Question::Tags(DeviceIndex(n)) => json!([{ "n": n }, { "n": n }]).to_string().into(),
        other => panic!("{other:?}"),
    });
    let all = bench.get("/api/v1/tags").await.json();
    assert_eq!(all, json!([{ "n": 1 }, { "n": 1 }, { "n": 2 }, { "n": 2 }]));
    let mut bench = Bench::new(8).await;
    bench.answering(|_| Bytes::from_static(b"[]"));
    assert_eq!(bench.get("/api/v1/tags").await.json(), json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_finished_is_cut_off() {
    let mut bench = Bench::new(8).await;
    let (_, nothing) = mpsc::channel(1);
    let mut questions = std::mem::replace(&mut bench.questions, nothing);
    tokio::spawn(async move {
        let first = questions.recv().await.unwrap();
        first.answer.send(Bytes::from_static(b"[1]")).unwrap();
        // And then no more.
        std::future::pending::<()>().await;
        drop(questions);
    });
    let answer = bench.get("/api/v1/tags").await;
    assert_eq!(answer.body, None, "half a list is no answer");
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let bench = Bench::new(8).await;
    for (path, status, named) in [
        ("/api/v1/tags?device=press", StatusCode::NOT_FOUND, "press"),
        ("/api/v1/tags?devise=saw", StatusCode::BAD_REQUEST, "device"),
        ("/api/v1/nothing", StatusCode::NOT_FOUND, "/api/v1/nothing"),
        ("/api/v1/samples", StatusCode::METHOD_NOT_ALLOWED, "GET"),
    ] {
        let answer = bench.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let error = answer.json()["error"].clone();
        assert!(error.as_str().unwrap().contains(named), "{error}");
    }
}

#[tokio::test]
async fn what_a_script_pushes_is_with_the_engine() {
    let mut bench = Bench::new(8).await;
    let body =
        r#"[{"device":"saw","tags":{"speed":3.5,"a-b":7}},{"device":"lathe","tags":{"speed":1}}]"#;
    let answer = bench.push(TOKEN, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({ "devices": 2, "readings": 3, "bad": 1 })
    );
    // The second link has no token yet: one was made, and it is not down.
    assert!(bench.file("others.token").exists());
    let Some(FromField::Link { link, up: true, .. }) = bench.told() else {
        panic!("the link is not up");
    };
    assert_eq!(link, LinkIndex(0));
    let mut values = vec![];
    while let Some(FromField::Readings { readings, .. }) = bench.told() {
        values.extend(
            readings
                .into_iter()
                .filter_map(|(_, it)| it.reading.value().cloned()),
        );
    }
    assert_eq!(values, [Value::Float(3.5), Value::Float(1.0)]);

    let again = r#"{"device":"lathe","tags":{"speed":2}}"#;
    assert_eq!(bench.push(TOKEN, again).await.status, StatusCode::OK);
    let second = bench.told();
    assert!(
        matches!(second, Some(FromField::Readings { .. })),
        "{second:?}"
    );
}

#[tokio::test]
async fn without_the_right_token_nothing_is_looked_at() {
    let mut bench = Bench::new(8).await;
    let body = r#"{"device":"saw","tags":{"speed":3.5}}"#;
    for token in ["", "wrong", "0123456789abcdeF"] {
        let answer = bench.push(token, body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{token}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert!(!answer.text().contains(TOKEN));
    }
    let bare = Request::post("/api/v1/samples").body(Body::from(body));
    let answer = bench.send(bare.unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(bench.told().is_none());
}

#[tokio::test]
async fn a_token_is_for_the_devices_behind_its_link() {
    let mut bench = Bench::new(8).await;
    let robot = r#"{"device":"robot","tags":{"speed":3.5}}"#;
    let answer = bench.push(TOKEN, robot).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["at"], "/device");
    assert!(bench.told().is_none());
    let alone = bench
        .push(TOKEN, r#"{"device":"saw","tags":{"x":1}}"#)
        .await;
    assert_eq!(alone.json()["at"], "/tags/x", "of a body that is no list");
    let token = std::fs::read_to_string(bench.file("others.token")).unwrap();
    let answer = bench.push(token.trim(), robot).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_token_that_was_replaced_holds_at_once() {
    let mut bench = Bench::new(8).await;
    let body = r#"{"device":"saw","tags":{"speed":3.5}}"#;
    std::fs::write(bench.file("push.token"), "another token that is long").unwrap();
    let old = bench.push(TOKEN, body).await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED);
    let new = bench.push("another token that is long", body).await;
    assert_eq!(new.status, StatusCode::OK);
    while bench.told().is_some() {}

    std::fs::remove_file(bench.file("push.token")).unwrap();
    let gone = bench.push("another token that is long", body).await;
    assert_eq!(gone.status, StatusCode::SERVICE_UNAVAILABLE);
    match bench.told() {
        Some(FromField::Link {
            up: false,
            why: Some(why),
            ..
        }) => assert!(why.contains("push.token"), "{why}"),
        other => panic!("the link is not down: {other:?}"),
    }
}

#[tokio::test]
async fn of_a_body_with_a_mistake_nothing_is_taken() {
    let mut bench = Bench::new(8).await;
    let good = r#"{"device":"saw","tags":{"speed":1}}"#;
    for (bad, at) in [
        (
            r#"{"device":"saw","tags":{"spede":1}}"#,
            json!("/1/tags/spede"),
        ),
        (
            r#"{"device":"saw","tags":{"a/b":1}}"#,
            json!("/1/tags/a~1b"),
        ),
        (r#"{"device":"saw","ts":"noon","tags":{}}"#, json!("/1/ts")),
        (r#"{"tags":{"speed":1}}"#, json!("/1")),
        ("", Json::Null),
    ] {
        let answer = bench.push(TOKEN, format!("[{good},{bad}]")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
        assert_eq!(answer.json()["at"], at, "{bad}");
        assert!(bench.told().is_none(), "{bad}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let mut bench = Bench::new(8).await;
    let most = vec![b' '; LARGEST_BODY];
    let answer = bench.push(TOKEN, most).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "it was looked at");
    let answer = bench.push(TOKEN, vec![b' '; LARGEST_BODY + 1]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(bench.told().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_gives_its_turn_back() {
    let bench = Bench::new(8).await;
    let mut slow = JoinSet::new();
    for _ in 0..AT_ONCE {
        let request = Request::post("/api/v1/samples")
            .header("authorization", format!("Bearer {TOKEN}"))
            .body(Body::new(Silent));
        slow.spawn(bench.router.call(request.unwrap()));
    }
    while let Some(ended) = slow.join_next().await {
        let Ok(response) = ended.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    }
    let body = r#"{"device":"saw","tags":{"speed":1}}"#;
    assert_eq!(bench.push(TOKEN, body).await.status, StatusCode::OK);
}

/// A body that never comes.
struct Silent;

impl http_body::Body for Silent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, io::Error>>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_keep_up_takes_nothing_of_a_body() {
    let mut bench = Bench::new(2).await;
    let body = r#"[{"device":"saw","tags":{"speed":1}},{"device":"lathe","tags":{"speed":1}}]"#;
    // The word that the link is up takes one of the two places.
    let answer = bench.push(TOKEN, body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers["retry-after"], "2");
    assert!(matches!(
        bench.told(),
        Some(FromField::Link { up: true, .. })
    ));
    assert!(bench.told().is_none(), "half a body was taken");
    assert_eq!(bench.push(TOKEN, body).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_is_promised_once_the_agent_stops() {
    let bench = Bench::new(8).await;
    bench.stop.send(true).unwrap();
    let body = r#"{"device":"saw","tags":{"speed":1}}"#;
    let answer = bench.push(TOKEN, body).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_what_to_do() {
    let Listener::Tcp(first) = listen("127.0.0.1", 0).await.unwrap() else {
        panic!("no TCP");
    };
    let port = first.local_addr().unwrap().port();
    let error = listen("127.0.0.1", port).await.unwrap_err().to_string();
    for part in ["[http] listen", &format!("127.0.0.1:{port}"), "another"] {
        assert!(error.contains(part), "{part} is missing in {error}");
    }
}

#[tokio::test]
async fn devices_are_read_for_the_control_socket_only() {
    let bench = Bench::new(1).await;
    let wanted = |link: &str, table: &str| errand::Wanted {
        link: link.to_owned(),
        unit: 1,
        table: table.to_owned(),
        start: 0,
        count: 1,
        timeout_ms: 100,
    };
    let path = wanted("scripts", "holding").path();
    assert_eq!(bench.get(&path).await.status, StatusCode::NOT_FOUND);
    for (wanted, status, part) in [
        (
            wanted("scripts", "holding"),
            StatusCode::NOT_FOUND,
            "does not speak Modbus",
        ),
        (
            wanted("plc", "holding"),
            StatusCode::NOT_FOUND,
            "no link `plc`",
        ),
        (
            wanted("scripts", "registers"),
            StatusCode::BAD_REQUEST,
            "no table `registers`",
        ),
    ] {
        let request = Request::get(wanted.path()).body(Body::empty()).unwrap();
        let answer = Bench::answered(&bench.socket, request).await;
        let said = String::from_utf8(answer.body.unwrap().to_vec()).unwrap();
        assert_eq!(answer.status, status, "{said}");
        assert!(said.contains(part), "{said}");
    }
}

/// Posts to the control socket, where an engine answers every order like this.
async fn ordered(
    path: &str,
    body: &str,
    answer: impl Fn(Order) -> Result<Bytes, NotDone> + Send + 'static,
) -> (StatusCode, String) {
    let mut bench = Bench::new(1).await;
    let mut given = bench.given;
    let (_, nothing) = mpsc::channel(1);
    bench.given = nothing;
    tokio::spawn(async move {
        while let Some(Given { order, answer: to }) = given.recv().await {
            let _ = to.send(answer(order));
        }
    });
    let request = Request::post(path).body(Body::from(body.to_owned()));
    let answer = Bench::answered(&bench.socket, request.unwrap()).await;
    let said = String::from_utf8(answer.body.unwrap().to_vec()).unwrap();
    (answer.status, said)
}

#[tokio::test]
async fn an_order_reaches_the_engine_as_it_was_given() {
    let path = "/api/v1/alarms/saw.no-data/shelve";
    let body = r#"{"by":"li","why":"repair","for_ms":60000,"occurrence":3}"#;
    let (status, said) = ordered(path, body, |order| {
        let Order::Alarm(command) = order else {
            panic!("{order:?}");
        };
        assert_eq!(&*command.id, "saw.no-data");
        assert_eq!(command.verb, Verb::Shelve(60_000));
        assert_eq!(command.occurrence, Some(3));
        assert_eq!(command.act.via, Via::Cli);
        assert_eq!(command.act.by.as_deref(), Some("li"));
        assert_eq!(command.act.why.as_deref(), Some("repair"));
        Ok(Bytes::from_static(b"{}"))
    })
    .await;
    assert_eq!((status, &*said), (StatusCode::OK, "{}"));
}

#[tokio::test]
async fn why_an_order_was_not_carried_out_is_told() {
    let ack = "/api/v1/alarms/saw.no-dat/ack";
    let none = |_| -> Result<Bytes, NotDone> { panic!("it must not reach the engine") };
    for (path, body, not_done, status, part) in [
        (
            ack,
            "",
            NotDone::Refused(Refused::Unknown),
            StatusCode::NOT_FOUND,
            "did you mean `saw.no-data`?",
        ),
        (
            ack,
            "{}",
            NotDone::Refused(Refused::Alarm(Refusal::Active)),
            StatusCode::CONFLICT,
            "condition still holds",
        ),
        (
            ack,
            "{}",
            NotDone::Refused(Refused::Alarm(Refusal::NoReason)),
            StatusCode::BAD_REQUEST,
            "as `why`",
        ),
        (
            ack,
            "{}",
            NotDone::NotStored("no space left".into()),
            StatusCode::SERVICE_UNAVAILABLE,
            "no space left",
        ),
        (
            ack,
            "{}",
            NotDone::NoAnswer,
            StatusCode::SERVICE_UNAVAILABLE,
            "look at the alarm list",
        ),
    ] {
        let said = ordered(path, body, move |_| Err(not_done.clone())).await;
        assert_eq!(said.0, status, "{}", said.1);
        assert!(said.1.contains(part), "{}", said.1);
    }
    for (path, body, status, part) in [
        (
            ack,
            "{\"ocurrence\":1}",
            StatusCode::BAD_REQUEST,
            "occurrence",
        ),
        (
            ack,
            "{\"for_ms\":1}",
            StatusCode::BAD_REQUEST,
            "for shelving",
        ),
        (
            "/api/v1/alarms/saw.no-data/kill",
            "",
            StatusCode::NOT_FOUND,
            "ack, reset, shelve",
        ),
    ] {
        let said = ordered(path, body, none).await;
        assert_eq!(said.0, status, "{}", said.1);
        assert!(said.1.contains(part), "{}", said.1);
    }
}

mod acting;
