//! `kill -9` at random moments, and again on the same data.

use andon_tests::line::Line;
use andon_tests::random::Random;
use andon_tests::records::windows;
use andon_tests::{Outcome, next_minute, now_ms, sleep_until};
use std::collections::BTreeSet;
use std::time::Duration;

/// Every record that was on disk arrives, no number is missing, every part is counted once, the
/// windows cover all time, and shifts over kills are the exact sums of their minutes.
#[test]
fn killed_at_random_moments() -> Outcome {
    let kills = std::env::var("ANDON_KILLS").map_or(Ok(12), |text| text.parse::<u32>())?;
    let mut random = Random::from_environment();
    let mut line = Line::in_short_shifts("killed")?;
    // An orderly stop first: then what the counters showed at the beginning is on disk.
    let agent = line.start_agent()?;
    line.wait_until_read()?;
    line.stop_cleanly(agent)?;
    let mut agent = line.start_agent()?;
    line.work()?;
    for kill in 1..=kills {
        wait_for_the_moment(&mut random);
        agent.kill()?;
        if kill == 1 {
            // The last will: nobody else can tell.
            line.recorder.wait_current("status", "status", "offline")?;
        }
        agent = line.start_agent()?;
    }
    line.recorder.wait_current("status", "status", "online")?;

    let records = line.settle(agent)?;
    let boots: BTreeSet<i64> = records
        .iter()
        .map(|record| record.int("boot"))
        .collect::<Outcome<_>>()?;
    let starts = i64::from(kills) + 2;
    assert_eq!(boots.last(), Some(&starts), "boot counts every start");
    for device in ["press-1", "press-2", "oven-7"] {
        let shifts = windows(&records, device, "shift")?;
        assert!(!shifts.is_empty(), "no shift of {device} ended");
    }
    Ok(())
}

/// Up to twelve seconds; where a minute ends within them, half of the times just after that,
/// when most is written.
fn wait_for_the_moment(random: &mut Random) {
    let now = now_ms();
    let mut moment = now + random.below(12_000);
    let boundary = next_minute(now);
    if boundary < now + 12_000 && random.below(2) == 0 {
        moment = boundary + random.below(300);
    }
    sleep_until(moment);
    std::thread::sleep(Duration::from_micros(random.below(1_000).unsigned_abs()));
}
