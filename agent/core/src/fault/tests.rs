use super::*;
use State::{Delayed, Faulted, PlannedStop, Producing, Unknown};

/// Passes through the states, each for its milliseconds, beginning from `Producing`.
fn through(states: &[(State, u64)], merge_ms: u64) -> Faults {
    let mut faults = Faults::default();
    let mut before = Producing;
    for &(state, ms) in states {
        if state != before {
            faults.change(before, state, merge_ms);
        }
        faults.pass(state, ms, merge_ms);
        before = state;
    }
    faults
}

fn figures(faults: Faults) -> (u32, u32, u64) {
    (faults.failures, faults.repairs, faults.repair_ms)
}

#[test]
fn a_fault_begins_and_ends() {
    let faults = through(&[(Faulted, 300), (Producing, 10), (Faulted, 200)], 0);
    assert_eq!(figures(faults), (2, 1, 300));
}

#[test]
fn unknown_time_and_breaks_interrupt_a_fault_without_ending_it() {
    let states = [
        (Faulted, 300),
        (Unknown, 50),
        (Faulted, 10),
        (PlannedStop, 99),
        (Faulted, 5),
    ];
    assert_eq!(figures(through(&states, 0)), (1, 0, 0));
    let faults = through(&[&states[..], &[(Delayed, 1)]].concat(), 0);
    assert_eq!(figures(faults), (1, 1, 315));
}

#[test]
fn a_fault_found_after_unknown_time_is_no_new_failure() {
    assert_eq!(
        figures(through(&[(Unknown, 50), (Faulted, 10), (Producing, 5)], 0)),
        (0, 1, 10)
    );
}

#[test]
fn a_fault_back_within_merge_faults_is_the_same_one() {
    let states = [
        (Faulted, 300),
        (Producing, 400),
        (Faulted, 100),
        (Producing, 500),
    ];
    assert_eq!(figures(through(&states, 500)), (1, 1, 400));
    assert_eq!(figures(through(&states, 400)), (2, 2, 400));
}

#[test]
fn an_open_fault_goes_into_the_next_window() {
    let mut faults = through(&[(Faulted, 300)], 0);
    faults.begin_window();
    faults.pass(Faulted, 100, 0);
    faults.change(Faulted, Producing, 0);
    assert_eq!(figures(faults), (0, 1, 400));
}
