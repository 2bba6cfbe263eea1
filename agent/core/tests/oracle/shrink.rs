//! The smallest stream that still shows a difference.

use crate::differences;
use crate::machine::Rate;
use crate::stream::{Event, Stream, Zone};

/// The smallest stream that still shows a difference, as far as leaving things out makes it smaller.
pub fn shrunk(mut stream: Stream) -> Stream {
    loop {
        let smaller = candidates(&stream).find(|candidate| differences(candidate).is_err());
        match smaller {
            Some(smaller) => stream = smaller,
            None => break,
        }
    }
    stream
}

/// The stream with something left out or simpler, the most first.
fn candidates(stream: &Stream) -> impl Iterator<Item = Stream> + '_ {
    let count = stream.events.len();
    let sizes = std::iter::successors(Some(count.div_ceil(2)), |size| Some(size / 2))
        .take_while(|size| *size > 0);
    let without = sizes.flat_map(move |size| {
        (0..count)
            .step_by(size)
            .map(move |from| without(stream, from, (from + size).min(count)))
    });
    let simpler: [fn(&mut Stream); 12] = [
        |it| it.calendars.truncate(1),
        |it| it.calendars.iter_mut().for_each(|it| it.shifts.clear()),
        |it| it.calendars.iter_mut().for_each(|it| it.holidays.clear()),
        |it| it.calendars.iter_mut().for_each(|it| it.day_start = 0),
        |it| it.pace = None,
        |it| it.unset = None,
        |it| it.zone = Zone::Shanghai,
        |it| it.machines.truncate(1),
        |it| it.machines.truncate(2),
        |it| it.first = (0..it.machines.len()).collect(),
        |it| it.machines.iter_mut().for_each(|it| it.rate = Rate::None),
        |it| it.machines.iter_mut().for_each(|it| it.merge_faults = 0),
    ];
    let simpler = simpler.into_iter().filter_map(move |change| {
        let mut candidate = stream.clone();
        change(&mut candidate);
        let calendars = candidate.calendars.len();
        let machines = candidate.machines.len();
        for machine in &mut candidate.machines {
            machine.calendar = machine.calendar.min(calendars - 1);
        }
        candidate.first.retain(|at| *at < machines);
        for (_, event) in &mut candidate.events {
            if let Event::Restart {
                machines: Some(all),
                ..
            } = event
            {
                all.retain(|at| *at < machines);
            }
        }
        candidate
            .events
            .retain(|(_, event)| !matches!(event, Event::Read(at, _) if *at >= machines));
        (format!("{candidate:?}") != format!("{stream:?}")).then_some(candidate)
    });
    let readings = (0..count).flat_map(move |at| {
        let count = match &stream.events[at].1 {
            Event::Read(_, readings) if readings.len() > 1 => readings.len(),
            _ => 0,
        };
        (0..count).map(move |gone| {
            let mut candidate = stream.clone();
            if let Event::Read(_, readings) = &mut candidate.events[at].1 {
                readings.remove(gone);
            }
            candidate
        })
    });
    without.chain(simpler).chain(readings)
}

/// The stream without some events; the others stay where they are.
fn without(stream: &Stream, from: usize, to: usize) -> Stream {
    let mut candidate = stream.clone();
    let waits: u64 = candidate.events.drain(from..to).map(|(wait, _)| wait).sum();
    if let Some((wait, _)) = candidate.events.get_mut(from) {
        *wait += waits;
    }
    candidate
}
