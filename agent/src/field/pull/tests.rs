//! The poller in front of machines that answer as they like.

use super::*;
use crate::config;
use crate::settings::LinkKind;
use andon_core::sample::Value;
use andon_core::tag::LinkIndex;
use std::sync::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a machine does with a request.
enum Reply {
    Say(String),
    SayAndClose(String),
    Close,
    Nothing,
}

/// What it was asked, on which of its connections.
type Asked = Arc<Mutex<Vec<(usize, String)>>>;

/// A machine that answers every request as `reply` says of its number and path.
struct Machine {
    port: u16,
    asked: Asked,
}

impl Machine {
    async fn start(reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Machine {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Machine::at(listener, reply)
    }

    fn at(
        listener: TcpListener,
        reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Machine {
        let port = listener.local_addr().unwrap().port();
        let asked = Asked::default();
        let (log, reply) = (asked.clone(), Arc::new(reply));
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(talk(stream, connection, log.clone(), reply.clone()));
            }
        });
        Machine { port, asked }
    }

    /// The connections that were used, in their order.
    fn connections(&self) -> Vec<usize> {
        let mut connections: Vec<usize> = self.asked.lock().unwrap().iter().map(|a| a.0).collect();
        connections.dedup();
        connections
    }

    fn heads(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(_, head)| head.clone()).collect()
    }
}

async fn talk(
    mut stream: TcpStream,
    connection: usize,
    log: Asked,
    reply: Arc<impl Fn(usize, &str) -> Reply>,
) {
    let mut head = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        head.push(byte);
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let path = text.split(' ').nth(1).unwrap().to_owned();
        let number = {
            let mut log = log.lock().unwrap();
            log.push((connection, text));
            log.len() - 1
        };
        match reply(number, &path) {
            Reply::Say(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            Reply::SayAndClose(answer) => {
                stream.write_all(answer.as_bytes()).await.unwrap();
                return;
            }
            Reply::Close => return,
            Reply::Nothing => {}
        }
    }
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn status(status: u16) -> String {
    format!("HTTP/1.1 {status} No\r\ncontent-length: 4\r\n\r\nsorr")
}

fn moved(to: &str) -> Reply {
    Reply::Say(format!(
        "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"
    ))
}

/// A device with the tag `speed` on the link's page.
const SPEED: &str = r#"
[[device]]
id = "compressor"
link = "machine"
every = "20 ms"
tags = { speed = { at = "/speed", type = "f64" } }
"#;

/// A running poller and what it tells.
struct Bench {
    field: mpsc::Receiver<FromField>,
    _folder: TempDir,
}

impl Bench {
    fn new(port: u16, keys: &str, devices: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "open sesame\n").unwrap();
        let text = format!(
            "gateway = {{ id = \"gw\", site = \"s\", area = \"a\" }}\n\
             upstream = {{ broker = \"mqtt://127.0.0.1\" }}\n\
             [[link]]\nid = \"machine\"\nhttp_get = \"http://127.0.0.1:{port}/status.json\"\n\
             {keys}\n{devices}"
        );
        let file = folder.path().join("andon.toml");
        std::fs::write(&file, text).unwrap();
        let loaded = config::load(&file);
        let settings = loaded.unwrap_or_else(|report| panic!("{report}")).settings;
        let LinkKind::HttpGet(link) = &settings.links[0].kind else {
            panic!("no HTTP link");
        };
        let (tx, field) = mpsc::channel(64);
        let outlet = Outlet::new(tx, LinkIndex(0), "machine".into());
        let poller = Poller::new(link.clone(), &settings.plant, outlet);
        tokio::spawn(poller.run(Pace::now()));
        Bench {
            field,
            _folder: folder,
        }
    }

    async fn told(&mut self) -> FromField {
        let told = timeout(Duration::from_secs(20), self.field.recv()).await;
        told.expect("something is told").unwrap()
    }

    /// The next word about the link.
    async fn link(&mut self) -> (bool, Option<String>) {
        loop {
            if let FromField::Link { up, why, .. } = self.told().await {
                return (up, why);
            }
        }
    }

    /// The next readings, as device, tag and reading.
    async fn readings(&mut self) -> Vec<(u16, u16, Reading)> {
        loop {
            if let FromField::Readings {
                device, readings, ..
            } = self.told().await
            {
                let flat = |(tag, it): (TagIndex, Sample)| (device.0, tag.0, it.reading);
                return readings.into_iter().map(flat).collect();
            }
        }
    }

    /// The next reading of the only tag.
    async fn reading(&mut self) -> Reading {
        self.readings().await.remove(0).2
    }

    /// The next reading that is another.
    async fn other(&mut self, than: &Reading) -> Reading {
        loop {
            let reading = self.reading().await;
            if reading != *than {
                return reading;
            }
        }
    }
}

const fn speed(value: f64) -> Reading {
    Reading::Good(Value::Float(value))
}

#[tokio::test]
async fn tags_of_one_page_and_pace_are_one_request_on_one_connection() {
    let machine = Machine::start(|_, path| {
        Reply::Say(ok(match path {
            "/status.json" => r#"{"speed":1500,"mode":"run"}"#,
            "/energy?a=1" => "42.5",
            _ => "null",
        }))
    })
    .await;
    let devices = r#"
[[device]]
id = "compressor"
link = "machine"
every = "1 d"
[device.tags]
speed = { at = "/speed", type = "f64" }
mode = { at = "/mode", type = "string" }
energy = { path = "/energy?a=1", type = "f64" }
missing = { at = "/nothing", type = "f64" }

[[device]]
id = "other"
link = "machine"
every = "1 d"
tags = { speed = { at = "/speed", type = "u16" } }
"#;
    let mut bench = Bench::new(machine.port, "", devices);
    let mut read = Vec::new();
    for _ in 0..3 {
        read.extend(bench.readings().await);
    }
    read.sort_by_key(|(device, tag, _)| (*device, *tag));
    let text = Value::Text("run".try_into().unwrap());
    let expected = [
        (0, 0, speed(1500.0)),
        (0, 1, Reading::Good(text)),
        (0, 2, speed(42.5)),
        (0, 3, Reading::Bad(Reason::Missing)),
        (1, 0, Reading::Good(Value::Int(1500))),
    ];
    assert_eq!(read, expected);
    assert_eq!(machine.heads().len(), 2, "{:?}", machine.heads());
    assert_eq!(machine.connections(), [0]);
}

#[tokio::test]
async fn it_asks_as_clients_do() {
    let machine = Machine::start(|_, _| Reply::Say(ok("{}"))).await;
    let keys = "username = \"Aladdin\"\npassword_file = \"password\"";
    let mut bench = Bench::new(machine.port, keys, SPEED);
    bench.reading().await;
    let head = machine.heads().remove(0).to_lowercase();
    for part in [
        "get /status.json http/1.1\r\n",
        &format!("host: 127.0.0.1:{}\r\n", machine.port),
        "authorization: basic qwxhzgrpbjpvcgvuihnlc2ftzq==\r\n",
        "user-agent: andon/",
    ] {
        assert!(head.contains(part), "{part} is missing in {head}");
    }
}

#[tokio::test]
async fn an_error_is_an_answer_and_the_link_stays_up() {
    let machine = Machine::start(|number, _| {
        Reply::Say(match number {
            0 => status(503),
            1 => ok("{\"speed\":"),
            2 => ok("{\"speed\":\"fast\"}"),
            3 => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
            _ => ok("{\"speed\":7}"),
        })
    })
    .await;
    let mut bench = Bench::new(machine.port, "", SPEED);
    assert_eq!(bench.link().await, (true, None));
    for reason in [
        Reason::HttpStatus(503.into()),
        Reason::Malformed,
        Reason::WrongType,
        Reason::Malformed,
    ] {
        assert_eq!(bench.reading().await, Reading::Bad(reason));
    }
    assert_eq!(bench.reading().await, speed(7.0));
    assert_eq!(machine.connections(), [0]);
}

#[tokio::test]
async fn a_document_over_the_limit_is_bad_and_leaves_nothing_for_the_next() {
    let machine = Machine::start(|number, _| match number {
        0 => Reply::Say(ok(&format!("{{\"speed\":1{}}}", " ".repeat(300)))),
        _ => Reply::Say(ok("{\"speed\":2}")),
    })
    .await;
    let mut bench = Bench::new(machine.port, "max_payload = \"256 B\"", SPEED);
    assert_eq!(bench.reading().await, Reading::Bad(Reason::TooLong));
    assert_eq!(bench.reading().await, speed(2.0));
    assert_eq!(machine.connections(), [0, 1], "on a new connection");
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout_and_never_the_next_value() {
    // The answer to the first request comes after the second.
    let machine = Machine::start(|number, _| match number {
        0 => Reply::Nothing,
        _ => Reply::Say(ok(&format!("{{\"speed\":{number}}}"))),
    })
    .await;
    let mut bench = Bench::new(machine.port, "timeout = \"100 ms\"", SPEED);
    assert_eq!(bench.link().await, (true, None), "it is there");
    let timeout = Reading::Bad(Reason::Timeout);
    assert_eq!(bench.reading().await, timeout);
    assert_eq!(bench.other(&timeout).await, speed(1.0));
    assert_eq!(machine.connections(), [0, 1], "on a new connection");
}

#[tokio::test]
async fn a_page_that_hangs_is_no_reason_to_leave_out_the_others() {
    let machine = Machine::start(|_, path| match path {
        "/slow" => Reply::Nothing,
        _ => Reply::Say(ok("{\"speed\":3}")),
    })
    .await;
    let slow = r#"
[[device]]
id = "slow"
link = "machine"
every = "20 ms"
path = "/slow"
tags = { speed = { at = "/speed", type = "f64" } }
"#;
    let devices = format!("{SPEED}{slow}");
    let mut bench = Bench::new(machine.port, "timeout = \"50 ms\"", &devices);
    let mut good = 0;
    while good < 10 {
        let [(device, 0, reading)] = &bench.readings().await[..] else {
            panic!("one tag each");
        };
        let expected = match device {
            0 => speed(3.0),
            _ => Reading::Bad(Reason::Timeout),
        };
        assert_eq!(*reading, expected, "device {device}");
        good += u32::from(*device == 0);
    }
}

#[tokio::test]
async fn a_machine_that_goes_and_returns_is_read_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let one = tokio::spawn(async move {
        // Answers once and is gone, with its port.
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await.unwrap();
        stream
            .write_all(ok("{\"speed\":1}").as_bytes())
            .await
            .unwrap();
    });
    let mut bench = Bench::new(at.port(), "", SPEED);
    assert_eq!(bench.reading().await, speed(1.0));
    one.await.unwrap();
    let gone = Reading::Bad(Reason::Disconnected);
    let (up, why) = bench.link().await;
    assert!(
        !up && why.as_ref().unwrap().contains("nothing listens"),
        "{why:?}"
    );
    assert_eq!(bench.reading().await, gone);

    let _machine = Machine::at(TcpListener::bind(at).await.unwrap(), |_, _| {
        Reply::Say(ok("{\"speed\":2}"))
    });
    assert_eq!(bench.link().await, (true, None));
    assert_eq!(bench.other(&gone).await, speed(2.0));
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_costs_no_reading() {
    // One says so, one does not.
    let machine = Machine::start(|number, _| {
        let close = match number % 2 {
            0 => "connection: close\r\n",
            _ => "",
        };
        let answer = format!("HTTP/1.1 200 OK\r\n{close}content-length: 1\r\n\r\n5");
        Reply::SayAndClose(answer)
    })
    .await;
    let bare = SPEED.replace("at = \"/speed\", ", "");
    let mut bench = Bench::new(machine.port, "", &bare);
    for _ in 0..6 {
        assert_eq!(bench.reading().await, speed(5.0));
    }
}

#[tokio::test]
async fn a_server_that_closes_without_a_word_is_a_link_that_is_down() {
    let machine = Machine::start(|_, _| Reply::Close).await;
    let mut bench = Bench::new(machine.port, "", SPEED);
    let (up, why) = bench.link().await;
    assert!(!up, "{why:?}");
    assert_eq!(bench.reading().await, Reading::Bad(Reason::Disconnected));
}

#[tokio::test]
async fn what_is_not_http_is_a_bad_answer() {
    let machine = Machine::start(|_, _| Reply::Say("220 welcome to FTP\r\n".into())).await;
    let mut bench = Bench::new(machine.port, "", SPEED);
    assert_eq!(bench.reading().await, Reading::Bad(Reason::BadAnswer));
}

#[tokio::test]
async fn a_moved_page_is_followed_on_its_own_host_only() {
    let machine = Machine::start(|_, path| match path {
        "/status.json" => moved("/new/"),
        "/new/" => moved("status"),
        _ => Reply::Say(ok("{\"speed\":9}")),
    })
    .await;
    let mut bench = Bench::new(machine.port, "", SPEED);
    assert_eq!(bench.reading().await, speed(9.0));
    assert!(machine.heads()[2].starts_with("GET /new/status "));

    let elsewhere = Machine::start(|_, _| Reply::Say(ok("{\"speed\":9}"))).await;
    let to = format!("http://127.0.0.1:{}/status.json", elsewhere.port);
    let machine = Machine::start(move |_, _| moved(&to)).await;
    let mut bench = Bench::new(machine.port, "", SPEED);
    assert_eq!(bench.reading().await, Reading::Bad(Reason::BadAnswer));
    assert!(elsewhere.heads().is_empty());
}

#[tokio::test]
async fn a_page_that_moves_in_circles_is_given_up() {
    let machine = Machine::start(|_, _| moved("/status.json")).await;
    let day = SPEED.replace("20 ms", "1 d");
    let mut bench = Bench::new(machine.port, "", &day);
    assert_eq!(bench.reading().await, Reading::Bad(Reason::BadAnswer));
    assert_eq!(machine.heads().len(), 1 + REDIRECTS);
}
