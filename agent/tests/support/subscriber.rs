//! An independent MQTT client that takes everything.

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Subscribed to everything; comes back by itself when the broker does.
pub struct Subscriber {
    client: AsyncClient,
    received: mpsc::UnboundedReceiver<Publish>,
    subscribed: watch::Receiver<u32>,
    markers: u32,
    task: JoinHandle<()>,
}

impl Subscriber {
    /// Connects to 127.0.0.1 and waits until the subscription holds.
    pub async fn start(port: u16) -> Subscriber {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let id = format!("subscriber-{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_max_packet_size(1 << 24, 1 << 24);
        let (client, event_loop) = AsyncClient::new(options, 100);
        let (sender, received) = mpsc::unbounded_channel();
        let (count, subscribed) = watch::channel(0);
        let task = tokio::spawn(listen(client.clone(), event_loop, sender, count));
        let mut subscriber = Subscriber {
            client,
            received,
            subscribed,
            markers: 0,
            task,
        };
        subscriber.subscribed_times(1).await;
        subscriber
    }

    /// Waits until it has subscribed this many times, once for each connection.
    pub async fn subscribed_times(&mut self, times: u32) {
        self.subscribed
            .wait_for(|count| *count >= times)
            .await
            .unwrap();
    }

    /// The next message.
    pub async fn next(&mut self) -> Publish {
        self.received.recv().await.unwrap()
    }

    /// The next message on a topic that ends so.
    pub async fn next_on(&mut self, tail: &str) -> Publish {
        loop {
            let publish = self.next().await;
            if publish.topic.ends_with(tail) {
                return publish;
            }
        }
    }

    /// All that the broker had accepted before now.
    pub async fn drain(&mut self) -> Vec<Publish> {
        self.markers += 1;
        let marker = format!("marker/{}", self.markers);
        let qos = QoS::AtLeastOnce;
        self.client.publish(&marker, qos, false, "").await.unwrap();
        let mut drained = Vec::new();
        loop {
            let publish = self.next().await;
            if publish.topic == marker {
                return drained;
            }
            drained.push(publish);
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    client: AsyncClient,
    mut event_loop: EventLoop,
    received: mpsc::UnboundedSender<Publish>,
    subscribed: watch::Sender<u32>,
) {
    loop {
        match event_loop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                client.subscribe("#", QoS::AtLeastOnce).await.unwrap();
            }
            Ok(Event::Incoming(Packet::SubAck(_))) => subscribed.send_modify(|count| *count += 1),
            // What a broker says to itself is not for wildcards (MQTT 3.1.1, §4.7.2); NATS does not know.
            Ok(Event::Incoming(Packet::Publish(publish))) if publish.topic.starts_with('$') => {}
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                // The test may be over.
                let _ = received.send(publish);
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
