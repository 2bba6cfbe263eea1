//! The broker against mosquitto's own clients and a bare socket.

use super::*;
use std::process::{Child, Command, Output, Stdio};
use tokio::sync::oneshot;

/// A broker on a thread of its own, so that tests may wait for client programs.
struct Running {
    port: u16,
    hub: Hub,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start() -> Running {
        let (stop, stopped) = oneshot::channel();
        let (bound, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let broker = Broker::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
                bound
                    .send((broker.address().port(), broker.hub.clone()))
                    .unwrap();
                let _ = stopped.await;
            });
        });
        let (port, hub) = address.recv().unwrap();
        Running {
            port,
            hub,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn client(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command.args(args);
        command
    }

    fn publish(&self, args: &[&str]) -> Output {
        let output = self.client("mosquitto_pub", args).output();
        let output = output.expect("install mosquitto-clients: this test runs mosquitto_pub");
        assert!(output.status.success(), "{output:?}");
        output
    }

    /// A subscriber, once its subscription is granted.
    fn subscribe(&self, args: &[&str]) -> Child {
        let before = self.subscriptions();
        let mut command = self.client("mosquitto_sub", args);
        let child = command
            .args(["-F", "%q %r %t %p", "-W", "30"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("install mosquitto-clients: this test runs mosquitto_sub");
        while self.subscriptions() == before {
            std::thread::yield_now();
        }
        child
    }

    fn subscriptions(&self) -> usize {
        let table = self.hub.table();
        table.clients.values().map(|c| c.filters.len()).sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a subscriber that ends by itself got, as `qos retained topic payload`.
fn messages(subscriber: Child) -> Vec<String> {
    let output = subscriber.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(String::from).collect()
}

#[test]
fn two_hundred_messages_of_qos_1_arrive_in_order() {
    let broker = Running::start();
    let subscriber = broker.subscribe(&["-q", "1", "-t", "line/+/count", "-C", "200"]);
    let mut publisher = broker
        .client("mosquitto_pub", &["-q", "1", "-t", "line/a/count", "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = publisher.stdin.take().unwrap();
    for n in 0..200 {
        io::Write::write_all(&mut input, format!("{n}\n").as_bytes()).unwrap();
    }
    drop(input);
    assert!(publisher.wait().unwrap().success());
    let expected: Vec<String> = (0..200).map(|n| format!("1 0 line/a/count {n}")).collect();
    assert_eq!(messages(subscriber), expected);
}

#[test]
fn a_retained_message_waits_for_subscribers_until_it_is_cleared() {
    let broker = Running::start();
    broker.publish(&["-q", "1", "-r", "-t", "a/state", "-m", "run"]);
    broker.publish(&["-q", "1", "-r", "-t", "b/state", "-m", "wait"]);
    broker.publish(&["-q", "1", "-r", "-t", "b/state", "-n"]);
    let subscriber = broker.subscribe(&["-q", "1", "-t", "#", "-C", "2"]);
    broker.publish(&["-q", "0", "-t", "c/state", "-m", "live"]);
    assert_eq!(
        messages(subscriber),
        ["1 1 a/state run", "0 0 c/state live"],
        "the cleared one must not come, the retained one only as retained"
    );
}

#[test]
fn the_will_is_published_when_a_client_is_killed_but_not_after_goodbye() {
    let broker = Running::start();
    let witness = broker.subscribe(&["-q", "1", "-t", "+/gone", "-C", "1"]);
    let will = |who: &'static str| ["-t", "x", "--will-topic", who, "--will-payload", "gone"];
    // Says goodbye: its will must not come.
    broker.publish(&[&will("polite/gone")[..], &["-m", "hello"]].concat());
    let mut killed = broker.subscribe(&will("killed/gone"));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(messages(witness), ["0 0 killed/gone gone"]);
}

#[test]
fn a_second_client_with_the_same_id_takes_the_place_of_the_first() {
    let hub = Hub::default();
    let (_, mut first) = hub.join("press");
    let (_, mut second) = hub.join("press");
    let (_, mut nameless) = hub.join("");
    let (_, mut another) = hub.join("");
    assert_eq!(
        first.try_recv(),
        Err(mpsc::error::TryRecvError::Disconnected)
    );
    for kept in [&mut second, &mut nameless, &mut another] {
        assert_eq!(kept.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    }
}

#[tokio::test]
async fn hostile_bytes_end_the_connection_and_nothing_else() {
    let broker = Broker::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let connect = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01a";
    let hostile: [&[u8]; 6] = [
        // No packet type.
        b"\xf0\x02xx",
        // A length that is never sent, far over the limit.
        b"\x30\xff\xff\xff\x7f",
        // A second CONNECT.
        connect,
        // A publish to a wildcard, and one of QoS 2.
        b"\x30\x04\x00\x01#x",
        b"\x34\x06\x00\x01t\x00\x01x",
        // A topic that is not UTF-8.
        b"\x30\x04\x00\x01\xffx",
    ];
    for bytes in hostile {
        let mut stream = TcpStream::connect(broker.address()).await.unwrap();
        stream.write_all(connect).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // Ends only when the broker closes; it may do so with a reset.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty() || answer.starts_with(b"\x20\x02\x00\x00"));
    }
    // And it still serves.
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    stream.write_all(connect).await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"\x20\x02\x00\x00");
}

#[test]
fn a_full_queue_drops_the_subscriber_and_spares_the_others() {
    let hub = Hub::default();
    let (slow, _full) = hub.join("slow");
    let (quick, mut received) = hub.join("quick");
    for key in [slow, quick] {
        let filter = SubscribeFilter::new(String::from("t"), QoS::AtLeastOnce);
        hub.subscribe(key, vec![filter]);
    }
    for _ in 0..=QUEUE {
        hub.route(&Publish::new("t", QoS::AtLeastOnce, "x"));
        received.try_recv().unwrap();
    }
    let table = hub.table();
    assert!(!table.clients.contains_key(&slow));
    assert!(table.clients.contains_key(&quick));
}

#[test]
fn filters_match_as_the_standard_says() {
    // MQTT 3.1.1, 4.7.1 and 4.7.2.
    for (topic, filter) in [
        ("sport/tennis/player1", "sport/tennis/player1/#"),
        ("sport/tennis/player1/ranking", "sport/tennis/player1/#"),
        ("sport", "sport/#"),
        ("sport", "#"),
        ("sport/tennis/player1", "sport/tennis/+"),
        ("sport/", "sport/+"),
        ("/finance", "+/+"),
        ("/finance", "/+"),
        ("七号/温度", "+/温度"),
    ] {
        assert!(matches(topic, filter), "{topic} {filter}");
    }
    for (topic, filter) in [
        ("sport", "sport/+"),
        ("sport/tennis/player1/ranking", "sport/tennis/+"),
        ("/finance", "+"),
        ("$SYS/uptime", "#"),
        ("$SYS/uptime", "+/uptime"),
        ("sportx", "sport/#"),
    ] {
        assert!(!matches(topic, filter), "{topic} {filter}");
    }
}
