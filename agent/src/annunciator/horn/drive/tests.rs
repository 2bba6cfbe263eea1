use super::super::Horns;
use super::super::health::{Health, OutputHealth, Report};
use super::*;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What was switched, and when, in milliseconds from the start.
type Log = Arc<Mutex<Vec<(u64, bool)>>>;

/// A line without a chip: it takes its time, and fails while it is told to.
struct Fake {
    log: Log,
    began: Instant,
    takes: Duration,
    fails: watch::Receiver<bool>,
}

impl Switch for Fake {
    const REFRESH: Duration = Duration::from_secs(10);

    async fn set(&mut self, on: bool) -> Result<(), String> {
        sleep(self.takes).await;
        if *self.fails.borrow() {
            return Err("no answer".into());
        }
        let at = u64::try_from(self.began.elapsed().as_millis()).unwrap();
        self.log.lock().unwrap().push((at, on));
        Ok(())
    }
}

/// A driver at work, in a time that is moved by hand.
struct Bench {
    teller: super::super::Teller,
    stop: watch::Sender<bool>,
    fail: watch::Sender<bool>,
    log: Log,
    health: Health,
    tries: mpsc::Sender<Trial>,
    task: JoinHandle<()>,
    began: Instant,
}

/// The moment at which a bench begins.
const BEGAN: Mono = Mono(1_000_000);

impl Bench {
    fn new(role: Role, takes: Duration) -> Bench {
        let (teller, horns) = Horns::new(1);
        let (stop, stopped) = watch::channel(false);
        let (fail, fails) = watch::channel(false);
        let log = Log::default();
        let began = Instant::now();
        let (mut reports, health) = Report::on(vec![OutputHealth {
            horn: "horn".into(),
            through: "a line".into(),
            part: Some(role.part),
            works: None,
            why: None,
        }]);
        let fake = Fake {
            log: log.clone(),
            began,
            takes,
            fails,
        };
        let now = move || BEGAN + u64::try_from(began.elapsed().as_millis()).unwrap();
        let follow = horns.follow(0, stopped);
        let (tries, trials) = mpsc::channel(1);
        let report = reports.remove(0);
        let task = tokio::spawn(drive(follow, role, fake, report, trials, now));
        Bench {
            teller,
            stop,
            fail,
            log,
            health,
            tries,
            task,
            began,
        }
    }

    /// What a self-test finds.
    async fn tried(&self) -> Result<(), String> {
        let (done, outcome) = oneshot::channel();
        self.tries.send(done).await.unwrap();
        outcome.await.unwrap()
    }

    fn tell(&self, horn: Horn) {
        self.teller.tell(&[horn]);
    }

    /// Lets time pass until so many milliseconds from the start.
    async fn until(&self, ms: u64) {
        sleep_until(self.began + Duration::from_millis(ms)).await;
    }

    fn log(&self) -> Vec<(u64, bool)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }
}

const PULSED: Role = Role {
    part: Part::Sound,
    pulsed: true,
};
const STEADY: Role = Role {
    part: Part::Sound,
    pulsed: false,
};

fn tone(tone: Tone, since_ms: u64) -> Horn {
    Horn {
        tone,
        since: BEGAN + since_ms,
        ..Horn::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_follows_the_pattern_and_the_horn() {
    let bench = Bench::new(PULSED, Duration::ZERO);
    bench.until(1_001).await;
    assert_eq!(bench.log(), [(0, false)], "off from the start");
    bench.tell(tone(Tone::High, 1_001));
    bench.until(2_100).await;
    let pulses = [
        (1_001, true),
        (1_251, false),
        (1_501, true),
        (1_751, false),
        (2_001, true),
    ];
    assert_eq!(bench.log(), pulses);
    bench.tell(Horn::default());
    bench.until(5_000).await;
    assert_eq!(bench.log(), [(2_100, false)], "silent at once");
    bench.tell(tone(Tone::Medium, 5_000));
    bench.until(9_000).await;
    let pulses = [(5_000, true), (5_200, false), (5_400, true), (5_600, false)];
    assert_eq!(bench.log(), pulses);
    bench.stop.send_replace(true);
    bench.task.await.unwrap();
    assert_eq!(*bench.log.lock().unwrap(), [], "it was off already");
}

#[tokio::test(start_paused = true)]
async fn a_lamp_flashes_and_is_dark_when_the_agent_stops() {
    let role = Role {
        part: Part::Red,
        pulsed: true,
    };
    let bench = Bench::new(role, Duration::ZERO);
    bench.until(100).await;
    bench.log();
    let red = |red| Horn {
        red,
        ..Horn::default()
    };
    bench.tell(red(Lamp::FlashSlow));
    bench.until(3_500).await;
    // In step with the clock, not with when it began.
    assert_eq!(
        bench.log(),
        [(100, true), (1_000, false), (2_000, true), (3_000, false)]
    );
    bench.tell(red(Lamp::On));
    bench.until(4_000).await;
    assert_eq!(bench.log(), [(3_500, true)]);
    bench.stop.send_replace(true);
    bench.task.await.unwrap();
    assert_eq!(*bench.log.lock().unwrap(), [(4_000, false)]);
}

/// What is slow is on for as long as there is something to be heard, and written anew now and then.
#[tokio::test(start_paused = true)]
async fn an_output_without_pulses_is_switched_once_and_refreshed() {
    let bench = Bench::new(STEADY, Duration::from_millis(20));
    bench.until(1_000).await;
    bench.tell(tone(Tone::Medium, 1_000));
    bench.until(21_500).await;
    assert_eq!(
        bench.log(),
        [(20, false), (1_020, true), (11_040, true), (21_060, true)]
    );
    bench.tell(tone(Tone::Ringback, 21_500));
    bench.until(22_000).await;
    assert_eq!(bench.log(), [], "on already");
    bench.until(25_000).await;
    assert_eq!(bench.log(), [(22_520, false)], "a ringback is heard once");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_switched_is_tried_again_and_told() {
    let bench = Bench::new(STEADY, Duration::ZERO);
    bench.until(100).await;
    assert_eq!(bench.health.borrow()[0].works, Some(true));
    bench.log();
    bench.fail.send_replace(true);
    bench.tell(tone(Tone::High, 100));
    bench.until(2_500).await;
    assert_eq!(bench.log(), []);
    let health = bench.health.borrow()[0].clone();
    assert_eq!(
        (health.works, health.why.as_deref()),
        (Some(false), Some("no answer"))
    );
    bench.fail.send_replace(false);
    bench.until(3_500).await;
    assert_eq!(bench.log(), [(3_100, true)], "each second");
    assert_eq!(bench.health.borrow()[0].works, Some(true));
    // Silent while it fails: that is what holds when it works again.
    bench.fail.send_replace(true);
    bench.tell(Horn::default());
    bench.until(3_600).await;
    bench.fail.send_replace(false);
    bench.until(5_000).await;
    assert_eq!(bench.log(), [(4_500, false)]);
}

/// A horn that changes while its output is being switched ends as it is wanted, not as it was.
#[tokio::test(start_paused = true)]
async fn what_changes_while_it_is_switched_is_not_missed() {
    let bench = Bench::new(STEADY, Duration::from_millis(300));
    bench.until(1_000).await;
    bench.log();
    bench.tell(tone(Tone::High, 1_000));
    bench.until(1_100).await;
    bench.tell(Horn::default());
    bench.until(3_000).await;
    assert_eq!(bench.log(), [(1_300, true), (1_600, false)]);
}

/// A stop does not wait for an output that does not answer.
#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_output_for_long() {
    let bench = Bench::new(STEADY, Duration::from_millis(400));
    bench.tell(tone(Tone::High, 0));
    bench.until(1_500).await;
    let slow = Bench::new(STEADY, Duration::from_secs(3600));
    slow.until(10).await;
    let stopped = Instant::now();
    bench.stop.send_replace(true);
    bench.task.await.unwrap();
    assert_eq!(stopped.elapsed(), Duration::from_millis(400));
    assert_eq!(
        bench.log.lock().unwrap().last().map(|(_, on)| *on),
        Some(false)
    );
    slow.task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_trial_switches_to_what_is_already_and_tells_how_that_went() {
    let bench = Bench::new(STEADY, Duration::ZERO);
    bench.until(1_000).await;
    assert_eq!(bench.log(), [(0, false)]);
    assert_eq!(bench.tried().await, Ok(()));
    assert_eq!(bench.log(), [(1_000, false)], "nobody hears it");
    bench.fail.send_replace(true);
    assert_eq!(bench.tried().await, Err("no answer".into()));
    assert_eq!(bench.health.borrow()[0].works, Some(false));
    // Also while it is waited for to try again.
    assert_eq!(bench.tried().await, Err("no answer".into()));
    bench.fail.send_replace(false);
    assert_eq!(bench.tried().await, Ok(()));
    assert_eq!(bench.health.borrow()[0].works, Some(true));
}
