//! Single requests through a link at work, and what may leave the agent.

use super::harness::{Link, bit, read, value};
use super::server::{Act, Server};
use super::*;
use andon_core::modbus::permit::{Allowed, Target};
use andon_core::tag::LinkIndex;
use errand::{Done, Refusal, Task};

const LINK: LinkIndex = LinkIndex(0);

fn look(unit: u8, start: u16, count: u16) -> Task {
    Task::Read {
        unit,
        table: Table::Holding,
        start,
        count,
        patience: None,
    }
}

fn write(target: Target, address: u16, value: u16) -> Task {
    Task::Write {
        unit: 9,
        target,
        address,
        value,
    }
}

/// A link that reads unit 1 and may write a coil and a register of unit 9.
async fn link_with_writes(script: Vec<Act>) -> (Server, Link) {
    let server = Server::start(script).await;
    let allowed = |target, address, values| Allowed {
        unit: 9,
        target,
        address,
        values,
    };
    let modbus = Modbus {
        allow_write: vec![
            allowed(Target::Coil, 7, 0..=1),
            allowed(Target::Holding, 5, 2..=3),
        ],
        ..server.link()
    };
    let reads = vec![read(Table::Holding, 1, 0, 4, 20)];
    (server, Link::start(modbus, reads))
}

#[tokio::test]
async fn anything_can_be_read_once_while_the_link_is_at_work() {
    let (server, mut link) = link_with_writes(vec![]).await;
    link.until_good().await;
    let Done { answer, .. } = link.errands.run(LINK, look(3, 100, 2)).await.unwrap();
    let Answer::Registers(registers) = answer else {
        panic!("registers were asked for");
    };
    assert_eq!(registers, [value(3, 100), value(3, 101)]);
    let bits = Task::Read {
        unit: 3,
        table: Table::Discrete,
        start: 7,
        count: 3,
        patience: None,
    };
    let Answer::Bits(bits) = link.errands.run(LINK, bits).await.unwrap().answer else {
        panic!("bits were asked for");
    };
    assert_eq!(bits, [bit(3, 7), bit(3, 8), bit(3, 9)]);
    link.until_good().await;
    assert_eq!(server.books.connections(), 1);
    link.stop().await;
}

#[tokio::test]
async fn an_errand_that_cannot_be_done_says_why() {
    let (server, mut link) = link_with_writes(vec![]).await;
    link.until_good().await;
    let errands = link.errands.clone();
    let refusal = async |task| errands.run(LINK, task).await.unwrap_err();
    assert_eq!(refusal(look(3, 0, 126)).await, Refusal::Count);
    assert_eq!(refusal(look(3, 0, 0)).await, Refusal::Count);
    assert_eq!(refusal(look(3, 0xFFFF, 2)).await, Refusal::Count);
    server
        .books
        .script
        .lock()
        .unwrap()
        .extend([Act::Exception(6), Act::Exception(6)]);
    assert_eq!(refusal(look(3, 0, 2)).await, Refusal::Exception(6));
    let elsewhere = errands.run(LinkIndex(1), look(3, 0, 2)).await;
    assert_eq!(elsewhere.unwrap_err(), Refusal::NoModbus);
    link.stop().await;
    assert_eq!(refusal(look(3, 0, 2)).await, Refusal::Stopping);
}

#[tokio::test]
async fn errands_that_pile_up_are_refused_and_hold_up_no_read() {
    let (server, mut link) = link_with_writes(vec![]).await;
    link.until_good().await;
    let run = |n| {
        let errands = link.errands.clone();
        tokio::spawn(async move { errands.run(LINK, look(3, n, 2)).await })
    };
    let all: Vec<_> = (0..40).map(run).collect();
    let before = server.books.asked();
    for _ in 0..6 {
        link.until_good().await;
    }
    let mut done = 0;
    for errand in all {
        match errand.await.unwrap() {
            Ok(_) => done += 1,
            Err(refusal) => assert_eq!(refusal, Refusal::Busy),
        }
    }
    assert!((1..40).contains(&done), "{done} done");
    assert!(server.books.asked() >= before + 6);
    link.stop().await;
}

#[tokio::test]
async fn what_is_allowed_can_be_written_and_nothing_else() {
    let (server, mut link) = link_with_writes(vec![]).await;
    link.until_good().await;
    let errands = link.errands.clone();
    for refused in [
        write(Target::Coil, 8, 1),
        write(Target::Coil, 7, 2),
        write(Target::Holding, 5, 4),
        write(Target::Holding, 7, 2),
        Task::Write {
            unit: 1,
            target: Target::Coil,
            address: 7,
            value: 1,
        },
    ] {
        let outcome = errands.run(LINK, refused.clone()).await;
        assert_eq!(outcome.unwrap_err(), Refusal::NotAllowed, "{refused:?}");
    }
    let written = async |task| errands.run(LINK, task).await.unwrap().answer;
    let coil = written(write(Target::Coil, 7, 1)).await;
    assert!(matches!(coil, Answer::Bits(bits) if bits == [true]));
    let register = written(write(Target::Holding, 5, 3)).await;
    assert!(matches!(register, Answer::Registers(registers) if registers == [3]));
    link.until_good().await;
    let requests = server.books.requests.lock().unwrap().clone();
    let writes: Vec<&[u8]> = requests
        .iter()
        .map(|(_, frame)| &frame[6..])
        .filter(|frame| frame[1] > 4)
        .collect();
    assert_eq!(writes, [&[9, 5, 0, 7, 0xFF, 0][..], &[9, 6, 0, 5, 0, 3]]);
    link.stop().await;
}

#[tokio::test]
async fn a_write_that_is_not_echoed_is_not_done() {
    let other = Act::Garbage(vec![0, 0, 0, 0, 0, 6, 9, 6, 0, 5, 0, 2]);
    for act in [Act::Never, Act::WrongUnit, other] {
        let (server, mut link) = link_with_writes(vec![]).await;
        link.until_good().await;
        // The next read may take the first of them.
        server
            .books
            .script
            .lock()
            .unwrap()
            .extend([act.clone(), act]);
        let outcome = link.errands.run(LINK, write(Target::Holding, 5, 3)).await;
        let is_lost = matches!(outcome, Err(Refusal::Fault(_) | Refusal::Silence(_)));
        assert!(is_lost, "{outcome:?}");
        link.stop().await;
    }
}
