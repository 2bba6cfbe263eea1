//! The conversation on a serial line, on a model of one (`line`). The model lives in virtual time, so
//! that hours of faults take seconds.

use super::harness::{Random, is_right, patient, read};
use super::line::{Act, Clash, Line, framed, random_act};
use super::*;
use crate::field::modbus::bus::{Bus, Pacing};
use crate::field::modbus::timer::Timer;
use andon_core::line::Line as Speed;
use andon_core::modbus::permit::{Allowed, Target};
use andon_core::plant::Manners;
use std::collections::BTreeSet;
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

/// Every deadline in these tests; an answer can be late by up to a second.
const PATIENCE: Duration = Duration::from_millis(100);

const RATES: [u32; 3] = [9_600, 19_200, 115_200];

fn speed(baud: u32) -> Speed {
    Speed {
        baud,
        char_bits: 11,
    }
}

/// A line with a master on it.
struct Bench {
    bus: Bus,
    line: Arc<Mutex<Line>>,
    meter: Meter,
    _model: JoinHandle<()>,
}

impl Bench {
    async fn new(baud: u32, script: Vec<Act>) -> Bench {
        let line = Arc::new(Mutex::new(Line::new(speed(baud), script, 7)));
        let (ours, theirs) = duplex(4096);
        let model = tokio::spawn(play(Arc::clone(&line), theirs));
        let pacing = Pacing {
            line: Some(speed(baud)),
            turnaround: Duration::from_micros(speed(baud).turnaround_us()),
            transmits: true,
        };
        let Ok(bus) = Bus::open(ours, pacing, Timer::Coarse).await else {
            panic!("the line does not open");
        };
        let endpoint = tcp_link(1, PATIENCE).endpoint;
        Bench {
            bus,
            line,
            meter: idle_meter(&endpoint),
            _model: model,
        }
    }

    async fn ask(&mut self, read: &Read) -> Result<Result<Answer, u8>, Fault> {
        self.ask_as(read, &patient(PATIENCE)).await
    }

    async fn ask_as(
        &mut self,
        read: &Read,
        manners: &Manners,
    ) -> Result<Result<Answer, u8>, Fault> {
        let reply = self.bus.ask(&Ask::new(read, manners), &self.meter).await;
        if let Ok(Ok(answer)) = &reply {
            assert!(
                is_right(read, answer),
                "a wrong value for {read:?}: {answer:?}"
            );
        }
        reply
    }

    /// Asks until there is an answer, which must be soon.
    async fn until_good(&mut self, read: &Read) {
        for _ in 0..6 {
            if let Ok(Ok(_)) = self.ask(read).await {
                return;
            }
        }
        panic!("not well again");
    }

    /// Every frame that was sent: function, start, count.
    fn sent(&self) -> Vec<(u8, u16, u16)> {
        let line = self.line.lock().unwrap();
        let word = |frame: &[u8], at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let frames = line.frames.iter().map(|(_, _, frame)| frame);
        frames.map(|f| (f[1], word(f, 2), word(f, 4))).collect()
    }
}

/// Lets the line have its way between the two ends of a pipe.
async fn play(line: Arc<Mutex<Line>>, mut pipe: DuplexStream) {
    let began = Instant::now();
    let moment = |us: u64| began + Duration::from_micros(us);
    let mut bytes = [0; 512];
    loop {
        let next = line.lock().unwrap().next(1);
        let wait = async {
            match next {
                Some(us) => tokio::time::sleep_until(moment(us)).await,
                None => std::future::pending().await,
            }
        };
        let heard = tokio::select! {
            biased;
            read = pipe.read(&mut bytes) => read.unwrap_or(0),
            () = wait => usize::MAX,
        };
        let now = began.elapsed().as_micros() as u64;
        match heard {
            0 => return,
            usize::MAX => {
                let arrived = line.lock().unwrap().arrived(now);
                if pipe.write_all(&arrived).await.is_err() {
                    return;
                }
            }
            length => line.lock().unwrap().hears(now, &bytes[..length]),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_on_the_line_is_read() {
    for baud in RATES {
        let mut bench = Bench::new(baud, vec![]).await;
        let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
        for table in tables {
            for count in [1, 9, 125] {
                bench.until_good(&read(table, 5, 300, count, 0)).await;
            }
        }
        assert_eq!(bench.line.lock().unwrap().too_early, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_question_to_a_unit_is_only_to_get_in_step() {
    let mut bench = Bench::new(19_200, vec![]).await;
    let whole = read(Table::Holding, 5, 300, 10, 0);
    bench.until_good(&whole).await;
    bench.until_good(&whole).await;
    assert_eq!(bench.sent(), [(3, 300, 2), (3, 300, 10), (3, 300, 10)]);
}

#[tokio::test(start_paused = true)]
async fn another_block_of_the_same_length_is_asked_for_with_one_register_more() {
    let mut bench = Bench::new(19_200, vec![]).await;
    let (low, high) = (
        read(Table::Holding, 5, 0, 10, 0),
        read(Table::Holding, 5, 50, 10, 0),
    );
    for _ in 0..2 {
        bench.until_good(&low).await;
        bench.until_good(&high).await;
    }
    let asked = [(3, 0, 2), (3, 0, 10), (3, 50, 11), (3, 0, 10), (3, 50, 11)];
    assert_eq!(bench.sent(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_has_no_register_more_is_not_asked_for_it_again() {
    let answers = [Act::Answer, Act::Answer, Act::Exception(2)];
    for refuses in [Act::Exception(2), Act::Never] {
        let mut script = answers.to_vec();
        script[2] = refuses;
        let mut bench = Bench::new(19_200, script).await;
        let (low, high) = (
            read(Table::Holding, 5, 0, 10, 0),
            read(Table::Holding, 5, 50, 10, 0),
        );
        bench.until_good(&low).await;
        for _ in 0..3 {
            bench.until_good(&high).await;
            bench.until_good(&low).await;
        }
        let longer = bench
            .sent()
            .iter()
            .filter(|(_, at, count)| (*at, *count) == (50, 11))
            .count();
        assert_eq!(longer, 1, "asked for a register that is not there");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_nobodys() {
    for late_us in (60_000..700_000).step_by(20_000) {
        let mut script = vec![Act::Answer; 2];
        script.extend([Act::Late(late_us), Act::Late(30_000)]);
        let mut bench = Bench::new(9_600, script).await;
        let reads = [0, 100].map(|start| read(Table::Holding, 5, start, 10, 0));
        bench.until_good(&reads[0]).await;
        for n in 0..8 {
            // Right or nothing: that is asserted inside.
            let _ = bench.ask(&reads[n % 2]).await;
        }
        bench.until_good(&reads[1]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_refuses_its_synchroniser_is_read_all_the_same() {
    let mut script = vec![Act::Answer; 2];
    script.extend([Act::Never, Act::Exception(2)]);
    let mut bench = Bench::new(9_600, script).await;
    let block = read(Table::Holding, 5, 0, 10, 0);
    bench.until_good(&block).await;
    assert!(matches!(bench.ask(&block).await, Err(Fault::Timeout(_))));
    assert!(matches!(bench.ask(&block).await, Ok(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_silent_about_its_synchroniser_is_read_after_a_while() {
    // It answers blocks of ten and nothing else.
    let mut script = vec![Act::Never; 3];
    script.push(Act::Answer);
    let mut bench = Bench::new(9_600, script).await;
    let block = read(Table::Holding, 5, 0, 10, 0);
    for _ in 0..3 {
        assert!(matches!(bench.ask(&block).await, Err(Fault::Timeout(_))));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(matches!(bench.ask(&block).await, Ok(Ok(_))));
    let last = bench.sent().pop();
    assert_eq!(
        last,
        Some((3, 0, 10)),
        "as it is: nothing can come any more"
    );
}

#[tokio::test(start_paused = true)]
async fn what_came_before_the_request_had_left_is_no_answer() {
    // A frame that fits, but begins while the request is on its way.
    let mut bench = Bench::new(9_600, vec![Act::Answer, Act::Answer, Act::Never]).await;
    let block = read(Table::Holding, 5, 0, 10, 0);
    bench.until_good(&block).await;
    // Two characters after its beginning, in the right form.
    let mut content = vec![5, 3, 20];
    content.extend([0xEE; 20]);
    bench.line.lock().unwrap().meddler = Some((2_000, framed(&content)));
    let reply = bench.ask(&block).await;
    assert!(matches!(reply, Err(Fault::Unfit(_))), "{reply:?}");
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_told_as_what_it_is_and_the_line_is_well_again() {
    type Told = fn(&Fault) -> bool;
    let unfit: Told = |fault| matches!(fault, Fault::Unfit(_));
    let damaged: Told = |fault| matches!(fault, Fault::Damaged(_));
    let silent: Told = |fault| matches!(fault, Fault::Timeout(_));
    let cases = [
        (Act::Never, silent),
        (Act::Late(150_000), silent),
        (Act::WrongUnit, unfit),
        (Act::WrongFunction, unfit),
        (Act::Count(1), unfit),
        (Act::Count(-1), unfit),
        (Act::BrokenSum, damaged),
        (Act::ByteCountLies(18), unfit),
        (Act::Before(vec![0xFF]), damaged),
        (Act::After(vec![0xFF]), damaged),
        (Act::Cut(7), damaged),
        (Act::Glued, damaged),
        (Act::Previous, unfit),
        (Act::Garbage(vec![0x55; 300]), damaged),
    ];
    for baud in RATES {
        for (act, told) in &cases {
            let mut script = vec![Act::Answer; 2];
            script.push(act.clone());
            let mut bench = Bench::new(baud, script).await;
            bench.until_good(&read(Table::Holding, 5, 0, 4, 0)).await;
            let block = read(Table::Holding, 5, 0, 10, 0);
            let fault = bench.ask(&block).await.expect_err("taken for an answer");
            assert!(told(&fault), "{baud}: {act:?} told as {fault}");
            bench.until_good(&block).await;
            assert_eq!(bench.line.lock().unwrap().too_early, [""; 0]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_inside_an_answer_is_no_fault() {
    // Adapters on USB hand over what they hear in blocks.
    let mut bench = Bench::new(19_200, vec![Act::Answer, Act::Answer, Act::Halting(18_000)]).await;
    let block = read(Table::Holding, 5, 0, 10, 0);
    bench.until_good(&block).await;
    assert!(matches!(bench.ask(&block).await, Ok(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_needs_a_pause_gets_it_after_its_synchroniser_too() {
    let mut bench = Bench::new(19_200, vec![]).await;
    let slow = Manners {
        between_requests_ms: 80,
        ..patient(PATIENCE)
    };
    let reply = bench
        .ask_as(&read(Table::Holding, 5, 0, 10, 0), &slow)
        .await;
    assert!(matches!(reply, Ok(Ok(_))));
    let line = bench.line.lock().unwrap();
    let [(_, sync_end, _), (begin, ..)] = &line.frames[..] else {
        panic!("{:?}", line.frames);
    };
    assert!(begin - sync_end > 80_000);
}

#[tokio::test(start_paused = true)]
async fn before_a_request_to_another_unit_the_line_is_silent_for_longer() {
    for baud in RATES {
        let mut bench = Bench::new(baud, vec![]).await;
        for _ in 0..3 {
            for unit in [5, 6] {
                bench
                    .until_good(&read(Table::Holding, unit, 0, 10, 0))
                    .await;
                bench
                    .until_good(&read(Table::Holding, unit, 0, 10, 0))
                    .await;
            }
        }
        let line = bench.line.lock().unwrap();
        let (silent, turnaround) = (speed(baud).silent_us(), speed(baud).turnaround_us());
        let mut changes = 0;
        for pair in line.gaps.windows(2) {
            let ((before, _), (unit, gap)) = (pair[0], pair[1]);
            let changed = u64::from(before != unit);
            changes += changed;
            let least = silent + changed * turnaround;
            assert!(gap >= least, "{gap} µs at {baud} baud, {changed}");
            // The timer of this test has ticks of a millisecond.
            assert!(gap <= least + 2_000, "{gap} µs at {baud} baud, {changed}");
        }
        assert_eq!(changes, 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_never_silent_is_given_up() {
    let mut bench = Bench::new(19_200, vec![Act::Garbage(vec![0x55; 20_000])]).await;
    let fault = bench
        .ask(&read(Table::Holding, 5, 0, 10, 0))
        .await
        .unwrap_err();
    assert!(
        matches!(&fault, Fault::Lost(why) if why.contains("never silent")),
        "{fault}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_permitted_write_leaves_and_is_done_when_it_is_echoed() {
    let allowed = Allowed {
        unit: 9,
        target: Target::Holding,
        address: 5,
        values: 0..=3,
    };
    let permit = || allowed.permit(2).unwrap();
    let mut bench = Bench::new(9_600, vec![Act::Answer, Act::Exception(2), Act::BrokenSum]).await;
    let done = bench.bus.write(&permit(), PATIENCE, &bench.meter).await;
    assert!(matches!(done, Ok(Ok(Answer::Registers(value))) if value == [2]));
    let refused = bench.bus.write(&permit(), PATIENCE, &bench.meter).await;
    assert!(matches!(refused, Ok(Err(2))));
    let damaged = bench.bus.write(&permit(), PATIENCE, &bench.meter).await;
    assert!(matches!(damaged, Err(Fault::Damaged(_))));
    assert_eq!(bench.sent(), [(6, 5, 2); 3]);
    assert_eq!(bench.line.lock().unwrap().too_early, [""; 0]);
}

/// Ten thousand faults: late, twice, of other units, lengths and checksums, cut, glued, stale. Nothing
/// is accepted for a register but what it holds, no frame starts inside the silent interval, and
/// nothing leaves but reading.
#[tokio::test(start_paused = true)]
async fn ten_thousand_random_faults_and_no_wrong_value() {
    let mut random = Random(0x0BAD_5EED);
    let (mut good, mut exceptions, mut faults, mut made) = (0, 0, 0, 0);
    for (baud, clash) in RATES
        .into_iter()
        .zip([Clash::Garbles, Clash::Deaf, Clash::Heard])
    {
        let script = (0..3_500).map(|_| random_act(&mut random)).collect();
        let mut bench = Bench::new(baud, script).await;
        bench.line.lock().unwrap().clash = clash;
        let reads = [
            read(Table::Holding, 1, 0, 10, 0),
            read(Table::Holding, 1, 100, 10, 0),
            read(Table::Holding, 1, 200, 125, 0),
            read(Table::Holding, 1, 400, 125, 0),
            read(Table::Input, 2, 500, 1, 0),
            read(Table::Input, 2, 600, 1, 0),
            read(Table::Input, 2, 700, 2, 0),
            read(Table::Coil, 3, 7, 12, 0),
            read(Table::Coil, 3, 300, 9, 0),
            read(Table::Discrete, 3, 7, 16, 0),
        ];
        while !bench.line.lock().unwrap().is_done() {
            let read = &reads[random.below(reads.len() as u64) as usize];
            match bench.ask(read).await {
                Ok(Ok(_)) => good += 1,
                Ok(Err(_)) => exceptions += 1,
                Err(_) => faults += 1,
            }
            if random.below(8) == 0 {
                tokio::time::sleep(Duration::from_millis(random.below(400))).await;
            }
        }
        for read in &reads {
            bench.until_good(read).await;
        }
        let line = bench.line.lock().unwrap();
        made += line.faults;
        assert_eq!(line.too_early, [""; 0]);
        let functions: BTreeSet<u8> = line.frames.iter().map(|(_, _, frame)| frame[1]).collect();
        assert_eq!(functions, BTreeSet::from([1, 2, 3, 4]));
    }
    assert!(made >= 10_000, "{made} faults were made");
    assert!(
        good > 1_000 && exceptions > 100 && faults > 4_000,
        "{good} good, {exceptions} exceptions, {faults} faults"
    );
    println!("{made} faults: {good} good, {exceptions} exceptions, {faults} told as faults");
}
