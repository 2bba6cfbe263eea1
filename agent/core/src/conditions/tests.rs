use super::*;
use crate::rule::{Limit, Op};
use crate::tag::DeviceIndex;
use alloc::boxed::Box;
use proptest::prelude::*;

const NOW: Mono = Mono(1_000);

/// The contact with this number is closed.
fn closed(tag: u16) -> Rule {
    Rule::Tag {
        device: DeviceIndex(0),
        tag: TagIndex(tag),
        op: Op::Equal,
        limit: Limit::Bool(true),
    }
}

fn and(a: Rule, b: Rule) -> Rule {
    Rule::And(Box::new(a), Box::new(b))
}

fn or(a: Rule, b: Rule) -> Rule {
    Rule::Or(Box::new(a), Box::new(b))
}

/// Contacts as they were last read well, and until when that counts; none if never.
fn inputs(contacts: &[Option<(bool, u64)>]) -> Inputs {
    let tags: Vec<TagIndex> = (0..).map(TagIndex).take(contacts.len()).collect();
    let mut inputs = Inputs::new(&tags);
    for (tag, contact) in tags.iter().zip(contacts) {
        if let Some((closed, until)) = contact {
            let reading = Reading::Good(Value::Bool(*closed));
            assert!(inputs.take(*tag, &reading, Mono(0), Mono(*until)));
        }
    }
    inputs
}

fn ask(rule: &Rule, contacts: &[Option<(bool, u64)>]) -> Result<(bool, u64), Reason> {
    let answer = inputs(contacts).ask(rule, NOW)?;
    Ok((answer.yes, answer.rests.until.0))
}

#[test]
fn what_decides_alone_needs_nothing_else() {
    let either = or(closed(0), closed(1));
    assert_eq!(
        ask(&either, &[Some((true, 5_000)), None]),
        Ok((true, 5_000))
    );
    assert_eq!(
        ask(&either, &[Some((false, 5_000)), None]),
        Err(Reason::NeverRead)
    );
    let both = and(closed(0), closed(1));
    assert_eq!(
        ask(&both, &[None, Some((false, 7_000))]),
        Ok((false, 7_000))
    );
    // Both are needed, or either is enough.
    let read = [Some((true, 5_000)), Some((true, 7_000))];
    assert_eq!(ask(&both, &read), Ok((true, 5_000)));
    assert_eq!(ask(&either, &read), Ok((true, 7_000)));
    assert_eq!(ask(&closed(0), &[Some((true, 1_000))]), Err(Reason::Stale));
}

#[test]
fn a_failing_reading_takes_nothing_back_and_tells_why_it_ends() {
    let mut inputs = inputs(&[Some((true, 5_000))]);
    let tag = TagIndex(0);
    for reason in [Reason::Timeout, Reason::Disconnected] {
        inputs.take(tag, &Reading::Bad(reason), NOW, Mono(9_000));
    }
    let answer = inputs.ask(&closed(0), NOW).unwrap();
    assert_eq!(answer.rests.until, Mono(5_000));
    assert_eq!(
        answer.rests.failing,
        Some(Reason::Timeout),
        "the first reason"
    );
    assert_eq!(inputs.ask(&closed(0), Mono(5_000)), Err(Reason::Timeout));
    // One that is too old when it comes is as good as none.
    let good = Reading::Good(Value::Bool(false));
    inputs.take(tag, &good, Mono(6_000), Mono(6_000));
    assert_eq!(inputs.ask(&closed(0), Mono(6_000)), Err(Reason::Timeout));
    inputs.take(tag, &good, Mono(6_000), Mono(9_000));
    assert!(!inputs.ask(&closed(0), Mono(6_000)).unwrap().yes);
    assert!(
        !inputs.take(TagIndex(7), &good, NOW, Mono(9_000)),
        "not one of them"
    );
}

#[test]
fn doubt_counts_where_it_matters() {
    let mut inputs = inputs(&[Some((true, 5_000)), Some((true, 5_000))]);
    let retained = Reading::Uncertain(Value::Bool(true), Reason::Retained);
    inputs.take(TagIndex(1), &retained, NOW, Mono(5_000));
    let quality = |rule: Rule| inputs.ask(&rule, NOW).unwrap().rests.quality();
    let doubtful = Quality::Uncertain(Reason::Retained);
    assert_eq!(quality(closed(1)), doubtful);
    assert_eq!(quality(and(closed(0), closed(1))), doubtful);
    assert_eq!(quality(or(closed(0), closed(1))), Quality::Good);
}

const CONTACTS: u16 = 4;

fn rules() -> impl Strategy<Value = Rule> {
    let leaf = (0..CONTACTS).prop_map(closed);
    leaf.prop_recursive(5, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| and(a, b)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| or(a, b)),
            inner.prop_map(|a| Rule::Not(Box::new(a))),
        ]
    })
}

/// Kleene's answer, written down as it stands in the books.
fn kleene(rule: &Rule, contacts: &[Option<(bool, u64)>], now: Mono) -> Option<bool> {
    match rule {
        Rule::Tag { tag, .. } => {
            let known = contacts[usize::from(tag.0)].filter(|(_, until)| now.0 < *until);
            known.map(|(closed, _)| closed)
        }
        Rule::And(a, b) => match (kleene(a, contacts, now), kleene(b, contacts, now)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Rule::Or(a, b) => match (kleene(a, contacts, now), kleene(b, contacts, now)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Rule::Not(a) => kleene(a, contacts, now).map(|yes| !yes),
        _ => None,
    }
}

proptest! {
    /// What an answer rests on is exactly what it needs: it holds up to that millisecond without any
    /// further reading, and is undecided from it on.
    #[test]
    fn an_answer_holds_until_it_is_undecided(
        rule in rules(),
        contacts in prop::collection::vec(
            prop::option::weighted(0.9, (any::<bool>(), 900_u64..1_100)),
            usize::from(CONTACTS),
        ),
    ) {
        let inputs = inputs(&contacts);
        let answer = inputs.ask(&rule, NOW);
        prop_assert_eq!(answer.ok().map(|answer| answer.yes), kleene(&rule, &contacts, NOW));
        if let Ok(Answer { yes, rests }) = answer {
            prop_assert!(rests.until > NOW);
            let last = Mono(rests.until.0 - 1);
            prop_assert_eq!(kleene(&rule, &contacts, last), Some(yes));
            prop_assert_eq!(kleene(&rule, &contacts, rests.until), None);
        }
    }
}
