//! What the conditions of a machine's state come to, and how long that holds.
//!
//! Each tag counts with its last good value until `stale_after` after it, as a status does; a reading
//! that fails takes nothing back before. The answers have three values (Kleene logic): a condition
//! is decided as soon as the tags that can be used decide it, whatever the others are. What is
//! decided holds until so many of the tags that decided it are stale that the rest decides nothing.

use crate::rule::Rule;
use crate::sample::{Quality, Reading, Reason, Value};
use crate::tag::TagIndex;
use crate::time::Mono;
use alloc::vec::Vec;

/// The last good values of the tags that tell a state.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    inputs: Vec<Input>,
    /// Whether anything was read since they were last asked.
    changed: bool,
}

/// The last good value of a tag.
#[derive(Debug, Clone)]
pub struct Input {
    tag: TagIndex,
    value: Option<Value>,
    rests: Rests,
}

/// What an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rests {
    /// Until when it holds if nothing more is read.
    pub until: Mono,
    /// Why the tag that ends it could not be read since: the first reason.
    pub failing: Option<Reason>,
    /// Why it is not quite certain.
    pub doubt: Option<Reason>,
}

/// A decided answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Whether the condition holds.
    pub yes: bool,
    /// What that rests on.
    pub rests: Rests,
}

impl Rests {
    /// On both.
    #[must_use]
    pub fn and(self, other: Rests) -> Rests {
        let first = if other.until < self.until {
            other
        } else {
            self
        };
        Rests {
            doubt: self.doubt.or(other.doubt),
            ..first
        }
    }

    /// On either.
    fn or(self, other: Rests) -> Rests {
        let last = if other.until > self.until {
            other
        } else {
            self
        };
        Rests {
            doubt: self.doubt.and(other.doubt),
            ..last
        }
    }

    /// The quality of what rests on it.
    pub fn quality(&self) -> Quality {
        self.doubt.map_or(Quality::Good, Quality::Uncertain)
    }
}

impl Inputs {
    /// None of these tags has been read.
    pub fn new(tags: &[TagIndex]) -> Inputs {
        let input = |tag: &TagIndex| Input {
            tag: *tag,
            value: None,
            rests: Rests {
                until: Mono(0),
                failing: None,
                doubt: None,
            },
        };
        Inputs {
            inputs: tags.iter().map(input).collect(),
            changed: false,
        }
    }

    /// A reading of a tag, a value of which can be used until `until`; true if it is one of these.
    pub fn take(&mut self, tag: TagIndex, reading: &Reading, now: Mono, until: Mono) -> bool {
        let Some(input) = self.inputs.iter_mut().find(|input| input.tag == tag) else {
            return false;
        };
        self.changed = true;
        let (value, doubt) = match reading {
            Reading::Good(value) if now < until => (value, None),
            Reading::Uncertain(value, reason) if now < until => (value, Some(*reason)),
            Reading::Good(_) | Reading::Uncertain(..) => {
                input.rests.failing.get_or_insert(Reason::Stale);
                return true;
            }
            Reading::Bad(reason) => {
                input.rests.failing.get_or_insert(*reason);
                return true;
            }
        };
        input.rests = Rests {
            until,
            failing: None,
            doubt,
        };
        match &mut input.value {
            Some(known) => known.clone_from(value),
            none => *none = Some(value.clone()),
        }
        true
    }

    /// Whether anything was read since this was last asked.
    pub const fn take_changed(&mut self) -> bool {
        core::mem::replace(&mut self.changed, false)
    }

    /// What the value of a tag rests on, or why there is none.
    pub fn rests(&self, tag: TagIndex, now: Mono) -> Result<Rests, Reason> {
        self.value(tag, now).map(|(_, rests)| rests)
    }

    fn value(&self, tag: TagIndex, now: Mono) -> Result<(&Value, Rests), Reason> {
        let input = self.inputs.iter().find(|input| input.tag == tag);
        let input = input.ok_or(Reason::NeverRead)?;
        match &input.value {
            Some(value) if now < input.rests.until => Ok((value, input.rests)),
            Some(_) => Err(input.rests.failing.unwrap_or(Reason::Stale)),
            None => Err(input.rests.failing.unwrap_or(Reason::NeverRead)),
        }
    }

    /// The answer to a condition at `now`; if it is undecided, why the first tag that it lacks cannot
    /// be used.
    pub fn ask(&self, rule: &Rule, now: Mono) -> Result<Answer, Reason> {
        match rule {
            Rule::Tag { tag, op, limit, .. } => {
                let (value, rests) = self.value(*tag, now)?;
                let yes = limit.compare(*op, value, 0.0).ok_or(Reason::WrongType)?;
                Ok(Answer { yes, rests })
            }
            Rule::And(a, b) => joined(self.ask(a, now), self.ask(b, now), false),
            Rule::Or(a, b) => joined(self.ask(a, now), self.ask(b, now), true),
            Rule::Not(a) => self.ask(a, now).map(|answer| Answer {
                yes: !answer.yes,
                ..answer
            }),
            // The configuration lets no state ask for these.
            Rule::State { .. }
            | Rule::NoData(_)
            | Rule::Suspect(_)
            | Rule::Own(_)
            | Rule::Call(_)
            | Rule::TagNoData(..)
            | Rule::Figure { .. }
            | Rule::Rate { .. }
            | Rule::Lost => Err(Reason::Missing),
        }
    }
}

/// Both answers to one question, which either alone decides if it is `decisive`.
fn joined(
    a: Result<Answer, Reason>,
    b: Result<Answer, Reason>,
    decisive: bool,
) -> Result<Answer, Reason> {
    let decides = |answer: &Answer| answer.yes == decisive;
    match (a, b) {
        (Ok(a), Ok(b)) => {
            let rests = match (decides(&a), decides(&b)) {
                (true, true) => a.rests.or(b.rests),
                (true, false) => a.rests,
                (false, true) => b.rests,
                (false, false) => a.rests.and(b.rests),
            };
            let yes = (decides(&a) || decides(&b)) == decisive;
            Ok(Answer { yes, rests })
        }
        (Ok(only), Err(_)) | (Err(_), Ok(only)) if decides(&only) => Ok(only),
        (Err(reason), _) | (_, Err(reason)) => Err(reason),
    }
}

#[cfg(test)]
mod tests;
