//! The gateway behind a link that loses packets, and whose cable is pulled out under load.

use andon_tests::line::Line;
use andon_tests::network::{Gateway, in_a_namespace};
use andon_tests::{Failure, Outcome, now_ms, sleep_until};

#[test]
fn behind_a_link_that_loses_packets() -> Outcome {
    in_a_namespace("lossy_link::behind_a_link_that_loses_packets", || {
        let gateway = Gateway::new()?;
        let mut line = Line::behind("lossy-link", gateway)?;
        line.upstream("ack_timeout = \"10 s\"\nkeep_alive = \"5 s\"")?;
        let mut agent = line.start_agent()?;
        line.wait_until_read()?;
        line.work()?;
        if !line.gateway()?.lose(15) {
            return Err(Failure::new(
                "this kernel has neither netem nor statistic matches",
            ));
        }
        sleep_until(now_ms() + 20_000);
        for _ in 0..2 {
            line.gateway()?.cable(false)?;
            sleep_until(now_ms() + 15_000);
            agent.must_run()?;
            line.gateway()?.cable(true)?;
            line.wait_for_minute()?;
        }
        line.settle(agent)?;
        Ok(())
    })
}
