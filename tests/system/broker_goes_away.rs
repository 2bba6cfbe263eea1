//! The broker is restarted ten times, and once it has forgotten everything.

use andon_tests::line::Line;
use andon_tests::random::Random;
use andon_tests::{Outcome, now_ms, sleep_until};

#[test]
fn broker_restarted_ten_times() -> Outcome {
    let mut random = Random::from_environment();
    let mut line = Line::around_the_clock("broker-goes-away")?;
    let mut agent = line.start_agent()?;
    line.wait_until_read()?;
    line.work()?;
    for restart in 1..=10 {
        sleep_until(now_ms() + random.below(5_000));
        if restart == 6 {
            line.broker.stop_and_forget()?;
        } else {
            line.broker.stop()?;
        }
        sleep_until(now_ms() + random.below(4_000));
        line.broker.start_again()?;
        agent.must_run()?;
    }
    line.recorder.wait_current("status", "status", "online")?;

    line.settle(agent)?;
    Ok(())
}
