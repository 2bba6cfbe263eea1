//! Acting from the network.

use super::*;
use crate::http::acting::{LARGEST_BODY as LARGEST_WISH, MOST_WRONG};
use axum::http::request;

const ACK: &str = "/api/v1/alarms/saw.no-data/ack";
const RESET: &str = "/api/v1/alarms/saw.no-data/reset";
const SILENCE: &str = "/api/v1/horn/silence";
const LI: &str = r#"{"by":"li","occurrence":3}"#;

/// The token that the agent has written.
fn token(bench: &Bench) -> String {
    std::fs::read_to_string(bench.file("act.token")).unwrap()
}

/// A request as curl would send it.
fn post(bench: &Bench, path: &str) -> request::Builder {
    Request::post(path)
        .header("host", "127.0.0.1:8080")
        .header("authorization", format!("Bearer {}", token(bench).trim()))
        .header("content-type", "application/json")
}

impl Bench {
    /// Carries out every order; those arrive here too.
    fn obeying(&mut self) -> mpsc::UnboundedReceiver<Order> {
        let (_, nothing) = mpsc::channel(1);
        let mut given = std::mem::replace(&mut self.given, nothing);
        let (tell, obeyed) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(Given { order, answer }) = given.recv().await {
                let _ = tell.send(order);
                let _ = answer.send(Ok(Bytes::from_static(b"{}")));
            }
        });
        obeyed
    }

    async fn sent(&self, request: request::Builder, body: impl Into<Body>) -> Answer {
        self.send(request.body(body.into()).unwrap()).await
    }
}

#[tokio::test]
async fn who_has_the_token_acts_and_is_named() {
    let mut bench = Bench::new(1).await;
    let mut obeyed = bench.obeying();
    let answer = bench.sent(post(&bench, ACK), LI).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let Some(Order::Alarm(command)) = obeyed.recv().await else {
        panic!("no command");
    };
    assert_eq!(&*command.id, "saw.no-data");
    assert_eq!(command.verb, Verb::Acknowledge);
    assert_eq!(command.occurrence, Some(3));
    assert_eq!(command.act.by.as_deref(), Some("li"));
    assert_eq!(command.act.via, Via::Http);

    let answer = bench.sent(post(&bench, SILENCE), r#"{"by":"li"}"#).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let Some(Order::Silence(act)) = obeyed.recv().await else {
        panic!("no silence");
    };
    assert_eq!((act.by.as_deref(), act.via), (Some("li"), Via::Http));
    assert_eq!(bench.refusals.count(Remote::Http), 0);
}

#[tokio::test]
async fn every_step_of_an_alarm_and_of_a_call_can_be_taken() {
    let mut bench = Bench::new(1).await;
    let mut obeyed = bench.obeying();
    let body = r#"{"by":"li","why":"repair","for_ms":60000}"#;
    let shelve = bench
        .sent(post(&bench, "/api/v1/alarms/saw.no-data/shelve"), body)
        .await;
    assert_eq!(shelve.status, StatusCode::OK, "{shelve:?}");
    for verb in [
        "reset",
        "unshelve",
        "out-of-service",
        "return",
        "call",
        "solve",
    ] {
        let path = format!("/api/v1/alarms/saw.no-data/{verb}");
        let answer = bench.sent(post(&bench, &path), r#"{"by":"li"}"#).await;
        assert_eq!(answer.status, StatusCode::OK, "{verb}: {answer:?}");
    }
    let mut verbs = Vec::new();
    while let Ok(Order::Alarm(command)) = obeyed.try_recv() {
        verbs.push(command.verb);
    }
    let expected = [
        Verb::Shelve(60_000),
        Verb::Reset,
        Verb::Unshelve,
        Verb::OutOfService,
        Verb::Return,
        Verb::Call,
        Verb::Solve,
    ];
    assert_eq!(verbs, expected);
}

#[tokio::test]
async fn nobody_acts_from_the_network_unless_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("push.token"), TOKEN).unwrap();
    let mut settings = settings(&folder);
    settings.http.as_mut().unwrap().act_token_file = None;
    let mut bench = Bench::of(settings, 1, folder).await;
    for path in [ACK, SILENCE] {
        let request = Request::post(path)
            .header("host", "127.0.0.1")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json");
        let answer = bench.sent(request, LI).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(answer.text().contains("act_token_file"), "{answer:?}");
    }
    assert!(bench.given.try_recv().is_err());
    assert!(!bench.file("act.token").exists());
}

#[tokio::test]
async fn what_may_not_act_does_nothing_and_is_counted() {
    let mut bench = Bench::new(1).await;
    let bare = |path| {
        Request::post(path)
            .header("host", "127.0.0.1:8080")
            .header("content-type", "application/json")
    };
    let of_others = format!("Bearer {TOKEN}");
    let own = format!("Bearer {}", token(&bench).trim());
    for (request, status, part) in [
        (bare(ACK), StatusCode::UNAUTHORIZED, "no token"),
        (bare(SILENCE), StatusCode::UNAUTHORIZED, "no token"),
        (
            bare(ACK).header("authorization", "Bearer wrong"),
            StatusCode::UNAUTHORIZED,
            "wrong",
        ),
        (
            bare(ACK).header("authorization", &own[..own.len() - 1]),
            StatusCode::UNAUTHORIZED,
            "wrong",
        ),
        // What scripts push with is not for acting.
        (
            bare(ACK).header("authorization", &of_others),
            StatusCode::UNAUTHORIZED,
            "act_token_file",
        ),
        (
            Request::post(ACK).header("authorization", &own),
            StatusCode::MISDIRECTED_REQUEST,
            "names",
        ),
        (
            Request::post(ACK)
                .header("host", "rebound.example:8080")
                .header("authorization", &own),
            StatusCode::MISDIRECTED_REQUEST,
            "names",
        ),
        (
            post(&bench, ACK).header("host", "rebound.example"),
            StatusCode::MISDIRECTED_REQUEST,
            "names",
        ),
        (
            post(&bench, ACK).header("origin", "http://rebound.example"),
            StatusCode::FORBIDDEN,
            "other sites",
        ),
        (
            post(&bench, ACK).header("origin", "null"),
            StatusCode::FORBIDDEN,
            "other sites",
        ),
    ] {
        let before = bench.refusals.count(Remote::Http);
        let answer = bench.sent(request, LI).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.text().contains(part), "{answer:?}");
        assert_eq!(bench.refusals.count(Remote::Http), before + 1);
    }
    assert!(bench.given.try_recv().is_err());
}

#[tokio::test]
async fn the_gateway_is_known_by_address_short_name_and_configured_name() {
    let mut bench = Bench::new(1).await;
    let _obeyed = bench.obeying();
    for host in [
        "10.1.3.1:8080",
        "[fd00::1]:8080",
        "localhost:8080",
        "gw-press-1",
        "GW.plant.example:8080",
    ] {
        let request = Request::post(ACK)
            .header("host", host)
            .header("origin", format!("http://{host}"))
            .header("authorization", format!("bearer {}", token(&bench).trim()))
            .header("content-type", "application/json; charset=utf-8");
        let answer = bench.sent(request, LI).await;
        assert_eq!(answer.status, StatusCode::OK, "{host}: {answer:?}");
    }
}

#[tokio::test]
async fn a_wish_that_lacks_something_is_refused_with_what_to_do() {
    let mut bench = Bench::new(1).await;
    let long = format!(r#"{{"by":"li","why":"{}"}}"#, "x".repeat(LARGEST_WISH));
    for (path, body, status, part) in [
        (ACK, "", StatusCode::BAD_REQUEST, "`by`"),
        (ACK, r#"{"by":" "}"#, StatusCode::BAD_REQUEST, "`by`"),
        (ACK, r#"{"by":"li"}"#, StatusCode::BAD_REQUEST, "occurrence"),
        (ACK, r#"{"by":"li","#, StatusCode::BAD_REQUEST, "EOF"),
        (
            RESET,
            r#"{"by":"li","token":"x"}"#,
            StatusCode::BAD_REQUEST,
            "token",
        ),
        (RESET, &*long, StatusCode::PAYLOAD_TOO_LARGE, "4 KiB"),
        (
            "/api/v1/alarms/saw.no-data/kill",
            r#"{"by":"li"}"#,
            StatusCode::NOT_FOUND,
            "ack, reset, shelve",
        ),
    ] {
        let answer = bench.sent(post(&bench, path), body.to_owned()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.text().contains(part), "{answer:?}");
    }
    // A form that a page has a browser send is no JSON.
    let form = Request::post(ACK)
        .header("host", "127.0.0.1")
        .header("authorization", format!("Bearer {}", token(&bench).trim()))
        .header("content-type", "text/plain");
    let answer = bench.sent(form, LI).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(bench.given.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn who_guesses_tokens_is_shut_out_even_with_the_right_one() {
    let mut bench = Bench::new(1).await;
    let _obeyed = bench.obeying();
    for _ in 0..MOST_WRONG {
        let wrong = Request::post(ACK)
            .header("host", "127.0.0.1")
            .header("authorization", "Bearer 0000");
        let answer = bench.sent(wrong, LI).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let answer = bench.sent(post(&bench, ACK), LI).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers["retry-after"], "60");
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let answer = bench.sent(post(&bench, ACK), LI).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

#[tokio::test]
async fn a_token_that_was_replaced_or_taken_away_holds_at_once() {
    let mut bench = Bench::new(1).await;
    let _obeyed = bench.obeying();
    let old = post(&bench, ACK);
    std::fs::write(bench.file("act.token"), "another token that is long").unwrap();
    assert_eq!(bench.sent(old, LI).await.status, StatusCode::UNAUTHORIZED);
    let answer = bench.sent(post(&bench, ACK), LI).await;
    assert_eq!(answer.status, StatusCode::OK);
    let request = post(&bench, ACK);
    std::fs::remove_file(bench.file("act.token")).unwrap();
    let answer = bench.sent(request, LI).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
