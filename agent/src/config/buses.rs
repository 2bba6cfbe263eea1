//! Serial buses that are asked for more than there is time for.

use super::links::LinkPart;
use super::report::Finding;
use super::walk::Findings;
use crate::bus;
use andon_core::modbus::load::{Load, Share};
use andon_core::modbus::plan::Plan;
use andon_core::plant::Plant;

/// Whether more than half of the time goes to the turnaround between units.
fn by_turnaround(load: &Load) -> bool {
    let of_turnaround = |share: &Share| share.ppm * share.turnaround_us / share.exchange_us.max(1);
    2 * load.shares.iter().map(of_turnaround).sum::<u64>() > load.ppm()
}

/// Refuses what cannot fit, and warns of what leaves no room for repeats.
pub(super) fn check(plant: &Plant, links: &[LinkPart], out: &Findings) {
    let plan = Plan::new(plant);
    for (index, load) in bus::loads(plant, &plan) {
        let Some(link) = links.get(usize::from(index.0)) else {
            continue;
        };
        let Some((share, read)) = bus::largest(&load, &plan).into_iter().next() else {
            continue;
        };
        let baud = load.line.baud;
        let most = format!(
            "most of it is {}: {}, {} of the time",
            bus::reading(plant, read),
            bus::arithmetic(plant, &load, read, &share),
            bus::percent(share.ppm),
        );
        let share = bus::percent(load.ppm());
        if !load.fits() {
            let what = format!(
                "`{}` would have to be in use for {share} of the time at {baud} baud",
                link.id
            );
            let keys = match by_turnaround(&load) {
                true => "shorten `turnaround`, or read less often",
                false => "read less often, or raise `baud`",
            };
            let hint = format!("{keys}; {most}");
            out.mistake(Finding::at(link.span(), what).hint(hint));
        } else if load.ppm() > bus::TIGHT {
            let what = format!(
                "`{}` is in use for {share} of the time at {baud} baud",
                link.id
            );
            let hint =
                format!("that leaves little for repeats and for units that are slow; {most}");
            out.warn(Finding::at(link.span(), what).hint(hint));
        }
    }
}
