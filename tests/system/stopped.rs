//! SIGTERM: what was counted is kept, the window stays open, and the agent ends at once.

use andon_tests::line::Line;
use andon_tests::{Outcome, SOON, now_ms, sleep_until, wait_for};

/// With the broker there, the gateway says goodbye; the next start goes on in the same window.
#[test]
fn stopped_in_the_middle_of_a_window() -> Outcome {
    let mut line = Line::around_the_clock("stopped")?;
    for _ in 0..3 {
        let agent = line.start_agent()?;
        line.wait_until_read()?;
        line.work()?;
        sleep_until(now_ms() + 8_000);
        line.stop_cleanly(agent)?;
    }
    let agent = line.start_agent()?;
    line.recorder.wait_current("status", "status", "online")?;
    line.settle(agent)?;
    Ok(())
}

/// Without a broker there is nobody to say goodbye to, and nothing to wait for.
#[test]
fn stopped_while_the_broker_is_gone() -> Outcome {
    let mut line = Line::around_the_clock("stopped-without-broker")?;
    let agent = line.start_agent()?;
    line.wait_until_read()?;
    line.work()?;
    line.wait_for_minute()?;
    line.broker.stop()?;
    sleep_until(now_ms() + 5_000);
    let ended = agent.terminate()?;
    assert!(ended.success(), "{ended}");

    line.broker.start_again()?;
    let agent = line.start_agent()?;
    line.recorder.wait_current("status", "status", "online")?;
    // The oven's clients went with the broker; the presses go on.
    wait_for("second boot", SOON, || {
        let records = line.recorder.records().ok()?;
        records
            .iter()
            .any(|record| record.int("boot").is_ok_and(|boot| boot == 2))
            .then_some(())
    })?;
    line.settle(agent)?;
    Ok(())
}
