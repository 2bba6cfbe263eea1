//! The assertions of the specification (Sparkplug 3.0) that concern an edge node, each a test with the
//! name of its id. Each holds of the sessions in `evidence`, and of no session at all it does not: a
//! check that looks at nothing fails.

use super::evidence::{Evidence, Life, Said, Step, evidence, said};
use super::wire::{Metric, Value};
use super::{GROUP, NODE, plant};
use rumqttc::QoS;
use std::collections::{BTreeMap, BTreeSet};

const DATATYPES: [u32; 5] = [INT64, 10, BOOLEAN, STRING, 13];
const INT64: u32 = 4;
const BOOLEAN: u32 = 11;
const STRING: u32 = 12;

fn check(name: &str, holds: impl Fn(&Evidence) -> bool) {
    assert!(
        !holds(&Evidence::default()),
        "{name} holds of nothing: it checks nothing"
    );
    assert!(holds(evidence()), "{name} does not hold");
}

impl Evidence {
    fn lives(&self) -> impl Iterator<Item = &Life> {
        let alone = self.plain.iter().chain(&self.wrapped);
        alone.chain(&self.hosted).chain(&self.walked)
    }

    fn said<'e>(&'e self, what: &'e str) -> impl Iterator<Item = &'e Said> + 'e {
        let all = self.lives().flat_map(Life::said);
        all.filter(move |said| said.what() == Some(what))
    }

    fn every(&self, whats: &[&str], holds: impl Fn(&Said) -> bool) -> bool {
        whats
            .iter()
            .all(|what| self.said(what).next().is_some() && self.said(what).all(&holds))
    }

    fn every_life(&self, holds: impl Fn(&Life) -> bool) -> bool {
        self.lives().next().is_some() && self.lives().all(holds)
    }

    fn every_metric(&self, whats: &[&str], holds: impl Fn(&Metric) -> bool) -> bool {
        self.every(whats, |said| said.metrics().iter().all(&holds))
            && whats
                .iter()
                .all(|what| self.said(what).any(|said| !said.metrics().is_empty()))
    }

    /// What happened after the test did something, until it did the next; none if it did not.
    fn after(&self, of: impl Fn(&Evidence) -> &Vec<Life>, life: usize, did: &str) -> Vec<&Said> {
        let steps = of(self).get(life).and_then(|life| life.after(did));
        let all = steps.into_iter().flat_map(said);
        all.filter(|said| said.payload.is_some()).collect()
    }

    fn plain(&self, did: &str) -> Vec<&Said> {
        self.after(|evidence| &evidence.plain, 0, did)
    }
}

const BIRTHS: &[&str] = &["NBIRTH", "DBIRTH"];
const DATA: &[&str] = &["NDATA", "DDATA"];
const NUMBERED: &[&str] = &["NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"];

fn qos_0(said: &Said) -> bool {
    said.qos == QoS::AtMostOnce
}

fn not_retained(said: &Said) -> bool {
    !said.retain
}

fn is_of_node(said: &Said) -> bool {
    said.what()
        .is_some_and(|what| said.topic == format!("spBv1.0/{GROUP}/{what}/{NODE}"))
}

fn is_of_device(said: &Said) -> bool {
    let is_known = |device: &str| ["press-1", "meter-1"].contains(&device);
    said.device().is_some_and(is_known)
        && said.what().is_some_and(|what| {
            let device = said.device().unwrap_or_default();
            said.topic == format!("spBv1.0/{GROUP}/{what}/{NODE}/{device}")
        })
}

fn is_now(timestamp: Option<u64>) -> bool {
    // These tests run after the year 2020 and before 2100.
    timestamp.is_some_and(|ms| (1_577_836_800_000..4_102_444_800_000).contains(&ms))
}

fn has_time(said: &Said) -> bool {
    is_now(said.payload.as_ref().and_then(|payload| payload.timestamp))
}

/// Every message but NDEATH is numbered: from 0 with NBIRTH, by one more each, 0 after 255.
fn follows(life: &Life, what: &str) -> bool {
    let mut last: Option<u64> = None;
    let mut holds = true;
    for said in life.said().filter(|said| said.what() != Some("NDEATH")) {
        let expected = match said.what() {
            Some("NBIRTH") => Some(0),
            _ => last.map(|last| (last + 1) % 256),
        };
        if said.what() == Some(what) {
            holds &= said.seq().is_some() && said.seq() == expected;
        }
        last = said.seq();
    }
    holds
}

fn numbers_follow(evidence: &Evidence, what: &str) -> bool {
    evidence.said(what).next().is_some() && evidence.every_life(|life| follows(life, what))
}

/// The metrics of births, by alias: whose, name and type. False if data said something else.
fn data_were_born(life: &Life, holds: impl Fn(&Said, &Metric, Option<&Metric>) -> bool) -> bool {
    let mut born: BTreeMap<u64, (Option<String>, Metric)> = BTreeMap::new();
    life.said().all(|said| match said.what() {
        Some(birth @ ("NBIRTH" | "DBIRTH")) => {
            if birth == "NBIRTH" {
                born.clear();
            }
            for metric in said.metrics() {
                if let Some(alias) = metric.alias {
                    let owner = said.device().map(str::to_owned);
                    born.insert(alias, (owner, metric.clone()));
                }
            }
            true
        }
        Some("NDATA" | "DDATA") => said.metrics().iter().all(|metric| {
            let known = metric.alias.and_then(|alias| born.get(&alias));
            let own = known.filter(|(owner, _)| owner.as_deref() == said.device());
            holds(said, metric, own.map(|(_, metric)| metric))
        }),
        _ => true,
    })
}

fn has_data(evidence: &Evidence) -> bool {
    DATA.iter().all(|what| evidence.said(what).next().is_some())
}

fn every_data_was_born(evidence: &Evidence) -> bool {
    has_data(evidence)
        && evidence.every_life(|life| data_were_born(life, |_, _, born| born.is_some()))
}

fn is_of_type(value: &Value, datatype: Option<u32>) -> bool {
    matches!(
        (value, datatype),
        (Value::Long(_), Some(4 | 13))
            | (Value::Double(_), Some(10))
            | (Value::Boolean(_), Some(11))
            | (Value::String(_), Some(12))
    )
}

/// Name, type, and a value of it or that there is none.
fn is_whole(metric: &Metric) -> bool {
    metric.name.is_some()
        && match &metric.value {
            Some(value) => is_of_type(value, metric.datatype) && metric.is_null != Some(true),
            None => metric.is_null == Some(true) && metric.datatype.is_some(),
        }
}

fn has_null(evidence: &Evidence, what: &str) -> bool {
    let is_null = |metric: &Metric| metric.is_null == Some(true) && metric.value.is_none();
    evidence
        .said(what)
        .any(|said| said.metrics().iter().any(is_null))
}

fn is_chronological(said: &Said) -> bool {
    let now = said
        .metrics()
        .iter()
        .filter(|metric| metric.is_historical != Some(true));
    now.map(|metric| metric.timestamp).is_sorted()
}

fn will_holds(evidence: &Evidence, holds: impl Fn(&Said) -> bool) -> bool {
    evidence.every_life(|life| life.will().is_some_and(|will| holds(&will)))
}

fn is_death(said: &Said) -> bool {
    said.topic == format!("spBv1.0/{GROUP}/NDEATH/{NODE}")
        && said.metrics().len() == 1
        && said
            .metric("bdSeq")
            .is_some_and(|metric| metric.datatype == Some(INT64))
}

/// Births carry the number of their connection's will.
fn births_match_will(evidence: &Evidence) -> bool {
    evidence.said("NBIRTH").next().is_some()
        && evidence.every_life(|life| {
            let number = life.will().and_then(|will| will.birth_number());
            let mut births = life.said().filter(|said| said.what() == Some("NBIRTH"));
            number.is_some() && births.all(|birth| birth.birth_number() == number)
        })
}

fn numbers(lives: &[Life]) -> Vec<u64> {
    let wills = lives.iter().filter_map(Life::will);
    wills.filter_map(|will| will.birth_number()).collect()
}

fn connections_are_numbered(evidence: &Evidence) -> bool {
    numbers(&evidence.plain) == [0, 1]
        && numbers(&evidence.wrapped) == [255, 0]
        && numbers(&evidence.hosted) == [0, 1]
}

fn has_rebirth_metric(said: &Said) -> bool {
    said.metric("Node Control/Rebirth").is_some_and(|metric| {
        metric.datatype == Some(BOOLEAN) && metric.value == Some(Value::Boolean(false))
    })
}

/// What was said after the test asked for a rebirth begins with all births.
fn is_reborn(evidence: &Evidence) -> bool {
    let after = evidence.plain("rebirth");
    let whats: Vec<_> = after.iter().filter_map(|said| said.what()).collect();
    whats.starts_with(&["NBIRTH", "DBIRTH", "DDATA"])
}

fn ignores_other_commands(evidence: &Evidence) -> bool {
    let after = evidence.plain("commands that are none");
    !after.is_empty() && after.iter().all(|said| said.what() != Some("NBIRTH"))
}

/// Births come in one piece, before any data of theirs.
fn births_come_first(evidence: &Evidence, data: &str) -> bool {
    let in_order = |life: &Life| {
        let mut born: BTreeSet<Option<&str>> = BTreeSet::new();
        life.said().all(|said| match said.what() {
            Some("NBIRTH") => {
                born = BTreeSet::from([None]);
                true
            }
            Some("DBIRTH") => born.insert(said.device()) || born.contains(&None),
            Some(what) if what == data => born.contains(&said.device()) && born.contains(&None),
            _ => true,
        })
    };
    evidence.said(data).next().is_some() && evidence.every_life(in_order)
}

fn waits_for_host(evidence: &Evidence) -> bool {
    let silent = |life: &Life| {
        life.around("online").is_some_and(|(before, after)| {
            said(before).next().is_none()
                && said(after).next().and_then(Said::what) == Some("NBIRTH")
        })
    };
    !evidence.hosted.is_empty() && evidence.hosted.iter().all(silent)
}

fn leaves_when_host_goes(evidence: &Evidence) -> bool {
    let after = evidence
        .hosted
        .first()
        .and_then(|life| life.after("offline"));
    matches!(
        after,
        Some([Step::Said(death), Step::Disconnected]) if is_death(death)
    ) && evidence.hosted.len() == 2
}

fn walks_from_broker_to_broker(evidence: &Evidence) -> bool {
    let leaves = |life: &Life| {
        let after = life.after("offline").unwrap_or_default();
        matches!(after, [Step::Said(death), Step::Disconnected] if is_death(death))
            && life.said().any(|said| said.what() == Some("NBIRTH"))
    };
    evidence.walked.len() == 3 && evidence.walked.iter().all(leaves)
}

fn ids(evidence: &Evidence, level: usize) -> BTreeSet<String> {
    let all = evidence.lives().flat_map(Life::said);
    all.filter_map(|said| said.topic.split('/').nth(level).map(str::to_owned))
        .collect()
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && !id.contains(['+', '/', '#', '\0'])
}

fn ids_are_valid(evidence: &Evidence, level: usize, expected: &[&str]) -> bool {
    let ids = ids(evidence, level);
    let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
    ids == expected && ids.iter().all(|id| is_id(id))
}

fn qualities(evidence: &Evidence) -> Vec<(u32, u32)> {
    let all = evidence
        .lives()
        .flat_map(Life::said)
        .flat_map(Said::metrics);
    let sets = all.filter_map(|metric| metric.properties.as_ref());
    sets.flat_map(|set| set.keys.iter().zip(&set.values))
        .filter(|(key, _)| *key == "Quality")
        .filter_map(|(_, value)| Some((value.datatype?, value.int_value?)))
        .collect()
}

fn property_sets_hold(evidence: &Evidence) -> bool {
    let all = evidence
        .lives()
        .flat_map(Life::said)
        .flat_map(Said::metrics);
    let mut sets = all
        .filter_map(|metric| metric.properties.as_ref())
        .peekable();
    sets.peek().is_some() && sets.all(|set| set.keys.len() == set.values.len())
}

fn property_types_hold(evidence: &Evidence) -> bool {
    let qualities = qualities(evidence);
    !qualities.is_empty() && qualities.iter().all(|(datatype, _)| *datatype == 3)
}

fn stops_orderly(evidence: &Evidence) -> bool {
    let ends = |life: &Life| {
        matches!(
            life.steps.as_slice(),
            [.., Step::Said(death), Step::Disconnected] if is_death(death)
        )
    };
    evidence.plain.last().is_some_and(ends)
        && evidence.wrapped.last().is_some_and(ends)
        && !evidence.hosted.is_empty()
        && evidence.hosted.iter().all(ends)
}

fn dies_when_lost(evidence: &Evidence) -> bool {
    let lost = evidence.plain("lost");
    let found = evidence.plain("found");
    lost.first()
        .is_some_and(|said| said.what() == Some("DDEATH") && said.device() == Some("press-1"))
        && lost
            .iter()
            .skip(1)
            .all(|said| said.device() != Some("press-1"))
        && found
            .iter()
            .any(|said| said.what() == Some("DDATA") && said.device() == Some("press-1"))
        && found
            .first()
            .is_some_and(|said| said.what() == Some("DBIRTH"))
}

macro_rules! assertions {
    ($($name:ident: |$evidence:ident| $holds:expr;)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name), |$evidence| $holds);
            }
        )*

        /// All that are checked.
        const CHECKED: &[&str] = &[$(stringify!($name)),*];
    };
}

assertions! {
    tck_id_case_sensitivity_metric_names: |e| e.every(BIRTHS, |said| {
        let names = said.metrics().iter().filter_map(|metric| metric.name.as_ref());
        let lower: BTreeSet<_> = names.map(|name| name.to_lowercase()).collect();
        lower.len() == said.metrics().len()
    });
    tck_id_case_sensitivity_sparkplug_ids: |e| {
        let ids = ids(e, 4);
        ids.len() == 2 && ids.iter().all(|id| *id == id.to_lowercase())
    };
    tck_id_intro_device_id_chars: |e| ids_are_valid(e, 4, &["meter-1", "press-1"]);
    tck_id_intro_device_id_string: |e| ids_are_valid(e, 4, &["meter-1", "press-1"]);
    tck_id_intro_edge_node_id_chars: |e| ids_are_valid(e, 3, &[NODE]);
    tck_id_intro_edge_node_id_string: |e| ids_are_valid(e, 3, &[NODE]);
    tck_id_intro_group_id_chars: |e| ids_are_valid(e, 1, &[GROUP]);
    tck_id_intro_group_id_string: |e| ids_are_valid(e, 1, &[GROUP]);

    tck_id_message_flow_device_birth_publish_dbirth_match_edge_node_topic: |e|
        e.every(&["DBIRTH"], is_of_device) && e.every(&["NBIRTH"], is_of_node);
    tck_id_message_flow_device_birth_publish_dbirth_payload: |e|
        e.every(&["DBIRTH"], |said| !said.metrics().is_empty());
    tck_id_message_flow_device_birth_publish_dbirth_payload_seq: |e| numbers_follow(e, "DBIRTH");
    tck_id_message_flow_device_birth_publish_dbirth_qos: |e| e.every(&["DBIRTH"], qos_0);
    tck_id_message_flow_device_birth_publish_dbirth_retained: |e|
        e.every(&["DBIRTH"], not_retained);
    tck_id_message_flow_device_birth_publish_dbirth_topic: |e| e.every(&["DBIRTH"], is_of_device);
    tck_id_message_flow_device_birth_publish_nbirth_wait: |e| births_come_first(e, "DBIRTH");
    tck_id_message_flow_device_dcmd_subscribe: |e| e.every_life(|life| {
        // No output can be written, so there is nothing to subscribe to.
        life.subscriptions().all(|(filter, _)| !filter.contains("DCMD"))
    });
    tck_id_message_flow_edge_node_birth_publish_connect: |e| e.every_life(|life| {
        life.connect.client_id == NODE && life.said().next().is_none_or(|first| {
            ["NBIRTH", "NDEATH"].contains(&first.what().unwrap_or_default())
        })
    });
    tck_id_message_flow_edge_node_birth_publish_nbirth_payload: |e|
        e.every(&["NBIRTH"], |said| said.metrics().len() > 2);
    tck_id_message_flow_edge_node_birth_publish_nbirth_payload_bdseq: |e|
        births_match_will(e) && e.every(&["NBIRTH"], |said| {
            said.metric("bdSeq").is_some_and(|metric| metric.datatype == Some(INT64))
        });
    tck_id_message_flow_edge_node_birth_publish_nbirth_payload_seq: |e|
        e.every(&["NBIRTH"], |said| said.seq().is_some_and(|seq| seq <= 255));
    tck_id_message_flow_edge_node_birth_publish_nbirth_qos: |e| e.every(&["NBIRTH"], qos_0);
    tck_id_message_flow_edge_node_birth_publish_nbirth_retained: |e|
        e.every(&["NBIRTH"], not_retained);
    tck_id_message_flow_edge_node_birth_publish_nbirth_topic: |e| e.every(&["NBIRTH"], is_of_node);
    tck_id_message_flow_edge_node_birth_publish_phid_offline: |e| leaves_when_host_goes(e);
    tck_id_message_flow_edge_node_birth_publish_phid_wait: |e| waits_for_host(e);
    tck_id_message_flow_edge_node_birth_publish_phid_wait_id: |e| {
        // Another host was online meanwhile.
        waits_for_host(e) && e.hosted.iter().all(|life| {
            life.subscriptions().any(|(filter, _)| filter == "spBv1.0/STATE/scada")
        })
    };
    tck_id_message_flow_edge_node_birth_publish_phid_wait_online: |e| waits_for_host(e);
    tck_id_message_flow_edge_node_birth_publish_phid_wait_timestamp: |e|
        // The second connection has heard an older `online` first.
        waits_for_host(e) && e.hosted.get(1).is_some_and(|life| {
            life.after("old online").is_some_and(|after| said(after).next().is_none())
        });
    tck_id_message_flow_edge_node_birth_publish_will_message: |e| will_holds(e, |_| true);
    tck_id_message_flow_edge_node_birth_publish_will_message_payload: |e| will_holds(e, is_death);
    tck_id_message_flow_edge_node_birth_publish_will_message_payload_bdseq: |e|
        will_holds(e, is_death) && connections_are_numbered(e);
    tck_id_message_flow_edge_node_birth_publish_will_message_qos: |e|
        will_holds(e, |will| will.qos == QoS::AtLeastOnce);
    tck_id_message_flow_edge_node_birth_publish_will_message_topic: |e|
        will_holds(e, |will| will.topic == format!("spBv1.0/{GROUP}/NDEATH/{NODE}"));
    tck_id_message_flow_edge_node_birth_publish_will_message_will_retained: |e|
        will_holds(e, not_retained);
    tck_id_message_flow_edge_node_ncmd_subscribe: |e| e.every_life(|life| {
        let commands = (format!("spBv1.0/{GROUP}/NCMD/{NODE}"), QoS::AtLeastOnce);
        life.subscriptions().any(|filter| *filter == commands)
            && matches!(life.steps.first(), Some(Step::Subscribed(_)))
    });

    tck_id_operational_behavior_data_commands_ncmd_rebirth_name: |e|
        is_reborn(e) && ignores_other_commands(e);
    tck_id_operational_behavior_data_commands_ncmd_rebirth_value: |e|
        is_reborn(e) && ignores_other_commands(e);
    tck_id_operational_behavior_data_commands_ncmd_rebirth_verb: |e|
        is_reborn(e) && ignores_other_commands(e);
    tck_id_operational_behavior_data_commands_rebirth_action_1: |e| is_reborn(e);
    tck_id_operational_behavior_data_commands_rebirth_action_2: |e| is_reborn(e);
    tck_id_operational_behavior_data_commands_rebirth_action_3: |e|
        births_match_will(e) && is_reborn(e);
    tck_id_operational_behavior_data_commands_rebirth_datatype: |e|
        e.every(&["NBIRTH"], has_rebirth_metric);
    tck_id_operational_behavior_data_commands_rebirth_name: |e|
        e.every(&["NBIRTH"], has_rebirth_metric);
    tck_id_operational_behavior_data_commands_rebirth_name_aliases: |e|
        e.every(&["NBIRTH"], |said| {
            said.metric("Node Control/Rebirth").is_some_and(|metric| metric.alias.is_none())
        });
    tck_id_operational_behavior_data_commands_rebirth_value: |e|
        e.every(&["NBIRTH"], has_rebirth_metric);
    tck_id_operational_behavior_data_publish_dbirth: |e| every_data_was_born(e);
    tck_id_operational_behavior_data_publish_dbirth_change: |e| changes_only(e, "DDATA");
    tck_id_operational_behavior_data_publish_dbirth_order: |e|
        e.every(&["DBIRTH", "DDATA"], is_chronological);
    tck_id_operational_behavior_data_publish_dbirth_values: |e|
        e.every_metric(&["DBIRTH"], is_whole) && has_null(e, "DBIRTH");
    tck_id_operational_behavior_data_publish_nbirth: |e| every_data_was_born(e);
    tck_id_operational_behavior_data_publish_nbirth_change: |e| changes_only(e, "NDATA");
    tck_id_operational_behavior_data_publish_nbirth_order: |e|
        e.every(&["NBIRTH", "NDATA"], is_chronological);
    tck_id_operational_behavior_data_publish_nbirth_values: |e|
        e.every_metric(&["NBIRTH"], is_whole) && has_null(e, "NBIRTH");
    tck_id_operational_behavior_device_ddeath: |e| dies_when_lost(e);
    tck_id_operational_behavior_edge_node_birth_sequence_wait: |e| waits_for_host(e);
    tck_id_operational_behavior_edge_node_intentional_disconnect_ndeath: |e| stops_orderly(e);
    tck_id_operational_behavior_edge_node_intentional_disconnect_packet: |e| stops_orderly(e);
    tck_id_operational_behavior_edge_node_termination_host_offline: |e| leaves_when_host_goes(e);
    tck_id_operational_behavior_edge_node_termination_host_offline_reconnect: |e|
        walks_from_broker_to_broker(e);
    tck_id_operational_behavior_primary_application_state_with_multiple_servers_single_server: |e|
        walks_from_broker_to_broker(e);
    tck_id_operational_behavior_primary_application_state_with_multiple_servers_walk: |e|
        walks_from_broker_to_broker(e);
    tck_id_operational_behavior_edge_node_termination_host_offline_timestamp: |e|
        e.hosted.first().and_then(|life| life.after("old offline")).is_some_and(|after| {
            matches!(after, [Step::Said(data), ..] if data.what() == Some("DDATA"))
        });
    tck_id_operational_behavior_primary_application_state_with_multiple_servers_state_subs: |e|
        !e.hosted.is_empty() && e.hosted.iter().all(|life| {
            let state = ("spBv1.0/STATE/scada".to_owned(), QoS::AtLeastOnce);
            life.subscriptions().any(|filter| *filter == state)
        });

    tck_id_payloads_alias_birth_requirement: |e| e.every_metric(BIRTHS, |metric| {
        metric.name.is_some()
            && (metric.alias.is_some() || metric.name.as_deref() == Some("Node Control/Rebirth"))
    });
    tck_id_payloads_alias_data_cmd_requirement: |e|
        e.every_metric(DATA, |metric| metric.alias.is_some() && metric.name.is_none());
    tck_id_payloads_alias_uniqueness: |e| e.said("DBIRTH").next().is_some() && e.every_life(|life| {
        let mut owners: BTreeMap<u64, (Option<&str>, Option<&String>)> = BTreeMap::new();
        let births = life.said().filter(|said| BIRTHS.contains(&said.what().unwrap_or_default()));
        births.flat_map(|said| said.metrics().iter().map(move |metric| (said, metric))).all(
            |(said, metric)| metric.alias.is_none_or(|alias| {
                let owner = (said.device(), metric.name.as_ref());
                *owners.entry(alias).or_insert(owner) == owner
            }),
        )
    });
    tck_id_payloads_dbirth_order: |e|
        births_come_first(e, "NDATA") && births_come_first(e, "DDATA") && is_reborn(e);
    tck_id_payloads_dbirth_qos: |e| e.every(&["DBIRTH"], qos_0);
    tck_id_payloads_dbirth_retain: |e| e.every(&["DBIRTH"], not_retained);
    tck_id_payloads_dbirth_seq: |e| e.every(&["DBIRTH"], |said| said.seq().is_some());
    tck_id_payloads_dbirth_seq_inc: |e| numbers_follow(e, "DBIRTH");
    tck_id_payloads_dbirth_timestamp: |e| e.every(&["DBIRTH"], has_time);
    tck_id_payloads_ddata_order: |e| births_come_first(e, "DDATA");
    tck_id_payloads_ddata_qos: |e| e.every(&["DDATA"], qos_0);
    tck_id_payloads_ddata_retain: |e| e.every(&["DDATA"], not_retained);
    tck_id_payloads_ddata_seq: |e| e.every(&["DDATA"], |said| said.seq().is_some());
    tck_id_payloads_ddata_seq_inc: |e| numbers_follow(e, "DDATA") && has_wrapped(e);
    tck_id_payloads_ddata_timestamp: |e| e.every(&["DDATA"], has_time);
    tck_id_payloads_ddeath_seq: |e| e.every(&["DDEATH"], |said| said.seq().is_some());
    tck_id_payloads_ddeath_seq_inc: |e| numbers_follow(e, "DDEATH");
    tck_id_payloads_ddeath_seq_number: |e| numbers_follow(e, "DDEATH");
    tck_id_payloads_ddeath_timestamp: |e| e.every(&["DDEATH"], has_time);
    tck_id_payloads_metric_datatype_not_req: |e|
        e.every_metric(DATA, |metric| metric.datatype.is_none());
    tck_id_payloads_metric_datatype_req: |e|
        e.every_metric(BIRTHS, |metric| metric.datatype.is_some());
    tck_id_payloads_metric_datatype_value: |e| e.every_metric(BIRTHS, |metric| {
        metric.datatype.is_some_and(|datatype| DATATYPES.contains(&datatype))
    });
    // The field is one: another type does not decode.
    tck_id_payloads_metric_datatype_value_type: |e|
        e.every_metric(BIRTHS, |metric| metric.datatype.is_some());
    tck_id_payloads_metric_propertyvalue_type_req: |e| property_types_hold(e);
    tck_id_payloads_metric_propertyvalue_type_type: |e| property_types_hold(e);
    tck_id_payloads_metric_propertyvalue_type_value: |e| property_types_hold(e);
    tck_id_payloads_metric_timestamp_in_utc: |e|
        e.every_metric(&["NBIRTH", "DBIRTH", "NDATA", "DDATA"], |metric| is_now(metric.timestamp));
    tck_id_payloads_name_birth_data_requirement: |e|
        e.every_metric(&["NBIRTH", "DBIRTH", "NDATA", "DDATA"], |metric| metric.timestamp.is_some());
    tck_id_payloads_name_requirement: |e|
        e.every_metric(BIRTHS, |metric| metric.name.is_some()) && every_data_was_born(e);
    tck_id_payloads_nbirth_bdseq: |e|
        e.every(&["NBIRTH"], |said| said.birth_number().is_some());
    tck_id_payloads_nbirth_bdseq_repeat: |e| births_match_will(e);
    tck_id_payloads_nbirth_qos: |e| e.every(&["NBIRTH"], qos_0);
    tck_id_payloads_nbirth_rebirth_req: |e| e.every(&["NBIRTH"], has_rebirth_metric);
    tck_id_payloads_nbirth_retain: |e| e.every(&["NBIRTH"], not_retained);
    tck_id_payloads_nbirth_seq: |e|
        e.every(&["NBIRTH"], |said| said.seq().is_some_and(|seq| seq <= 255));
    tck_id_payloads_nbirth_timestamp: |e| e.every(&["NBIRTH"], has_time);
    tck_id_payloads_ndata_order: |e| births_come_first(e, "NDATA");
    tck_id_payloads_ndata_qos: |e| e.every(&["NDATA"], qos_0);
    tck_id_payloads_ndata_retain: |e| e.every(&["NDATA"], not_retained);
    tck_id_payloads_ndata_seq: |e| e.every(&["NDATA"], |said| said.seq().is_some());
    tck_id_payloads_ndata_seq_inc: |e| numbers_follow(e, "NDATA") && has_wrapped(e);
    tck_id_payloads_ndata_timestamp: |e| e.every(&["NDATA"], has_time);
    tck_id_payloads_ndeath_bdseq: |e| births_match_will(e);
    tck_id_payloads_ndeath_seq: |e|
        will_holds(e, |will| will.payload.is_some() && will.seq().is_none())
            && e.every(&["NDEATH"], |said| said.seq().is_none());
    tck_id_payloads_ndeath_will_message: |e| will_holds(e, is_death);
    tck_id_payloads_ndeath_will_message_publisher: |e| stops_orderly(e);
    tck_id_payloads_ndeath_will_message_publisher_disconnect_mqtt311: |e| stops_orderly(e);
    tck_id_payloads_ndeath_will_message_qos: |e|
        will_holds(e, |will| will.qos == QoS::AtLeastOnce);
    tck_id_payloads_ndeath_will_message_retain: |e| will_holds(e, not_retained);
    tck_id_payloads_propertyset_keys_array_size: |e| property_sets_hold(e);
    tck_id_payloads_propertyset_quality_value_type: |e| property_types_hold(e);
    tck_id_payloads_propertyset_quality_value_value: |e| {
        let values: BTreeSet<u32> = qualities(e).into_iter().map(|(_, value)| value).collect();
        // What is good says nothing.
        values == BTreeSet::from([0, 500])
    };
    tck_id_payloads_propertyset_values_array_size: |e| property_sets_hold(e);
    tck_id_payloads_sequence_num_always_included: |e|
        e.every(NUMBERED, |said| said.seq().is_some());
    tck_id_payloads_sequence_num_incrementing: |e|
        NUMBERED.iter().all(|what| numbers_follow(e, what)) && has_wrapped(e);
    tck_id_payloads_sequence_num_req_nbirth: |e|
        e.every(&["NBIRTH"], |said| said.seq().is_some_and(|seq| seq <= 255));
    tck_id_payloads_timestamp_in_utc: |e| e.every(NUMBERED, has_time);

    tck_id_principles_birth_certificates_order: |e| e.every_life(|life| {
        life.all_said().next().and_then(Said::what) == Some("NBIRTH")
    });
    tck_id_principles_persistence_clean_session_311: |e|
        e.every_life(|life| life.connect.clean_session);
    tck_id_principles_rbe_recommended: |e| changes_only(e, "DDATA") && changes_only(e, "NDATA");

    tck_id_topic_structure: |e| e.every(NUMBERED, |said| is_of_node(said) || is_of_device(said));
    tck_id_topic_structure_namespace_a: |e|
        e.every(NUMBERED, |said| said.topic.starts_with("spBv1.0/"));
    tck_id_topic_structure_namespace_device_id_associated_message_types: |e|
        e.every(&["DBIRTH", "DDATA", "DDEATH"], is_of_device);
    tck_id_topic_structure_namespace_device_id_non_associated_message_types: |e|
        e.every(&["NBIRTH", "NDATA", "NDEATH"], |said| {
            is_of_node(said) && said.device().is_none()
        });
    tck_id_topic_structure_namespace_unique_device_id: |e| {
        let plant = plant();
        let ids: BTreeSet<_> = plant.devices.iter().map(|device| device.id.to_string()).collect();
        ids.len() == plant.devices.len() && self::ids(e, 4) == ids
    };
    tck_id_topic_structure_namespace_valid_device_id: |e|
        ids_are_valid(e, 4, &["meter-1", "press-1"]);
    tck_id_topic_structure_namespace_valid_edge_node_id: |e| ids_are_valid(e, 3, &[NODE]);
    tck_id_topic_structure_namespace_valid_group_id: |e| ids_are_valid(e, 1, &[GROUP]);

    tck_id_topics_dbirth_metric_reqs: |e| every_data_was_born(e);
    tck_id_topics_dbirth_metrics: |e| e.every_metric(&["DBIRTH"], is_whole);
    tck_id_topics_dbirth_mqtt: |e| e.every(&["DBIRTH"], |said| qos_0(said) && not_retained(said));
    tck_id_topics_dbirth_seq: |e| numbers_follow(e, "DBIRTH");
    tck_id_topics_dbirth_timestamp: |e| e.every(&["DBIRTH"], has_time);
    tck_id_topics_dbirth_topic: |e| e.every(&["DBIRTH"], is_of_device);
    tck_id_topics_ddata_mqtt: |e| e.every(&["DDATA"], |said| qos_0(said) && not_retained(said));
    tck_id_topics_ddata_payload: |e|
        e.every_metric(&["DDATA"], |metric| metric.alias.is_some()) && states_are_told(e);
    tck_id_topics_ddata_seq_num: |e| numbers_follow(e, "DDATA");
    tck_id_topics_ddata_timestamp: |e| e.every(&["DDATA"], has_time);
    tck_id_topics_ddata_topic: |e| e.every(&["DDATA"], is_of_device);
    tck_id_topics_ddeath_mqtt: |e| e.every(&["DDEATH"], |said| qos_0(said) && not_retained(said));
    tck_id_topics_ddeath_seq_num: |e| numbers_follow(e, "DDEATH");
    tck_id_topics_ddeath_topic: |e| e.every(&["DDEATH"], is_of_device);
    tck_id_topics_nbirth_bdseq_included: |e|
        e.every(&["NBIRTH"], |said| said.birth_number().is_some());
    tck_id_topics_nbirth_bdseq_increment: |e| connections_are_numbered(e);
    tck_id_topics_nbirth_bdseq_matching: |e| births_match_will(e);
    tck_id_topics_nbirth_metric_reqs: |e| every_data_was_born(e);
    tck_id_topics_nbirth_metrics: |e| e.every_metric(&["NBIRTH"], is_whole);
    tck_id_topics_nbirth_mqtt: |e| e.every(&["NBIRTH"], |said| qos_0(said) && not_retained(said));
    tck_id_topics_nbirth_rebirth_metric: |e| e.every(&["NBIRTH"], has_rebirth_metric);
    tck_id_topics_nbirth_seq_num: |e| e.every(&["NBIRTH"], |said| said.seq() == Some(0));
    tck_id_topics_nbirth_timestamp: |e| e.every(&["NBIRTH"], has_time);
    tck_id_topics_nbirth_topic: |e| e.every(&["NBIRTH"], is_of_node);
    tck_id_topics_ndata_mqtt: |e| e.every(&["NDATA"], |said| qos_0(said) && not_retained(said));
    tck_id_topics_ndata_payload: |e|
        e.every_metric(&["NDATA"], |metric| metric.alias.is_some()) && alarms_are_told(e);
    tck_id_topics_ndata_seq_num: |e| numbers_follow(e, "NDATA");
    tck_id_topics_ndata_timestamp: |e| e.every(&["NDATA"], has_time);
    tck_id_topics_ndata_topic: |e| e.every(&["NDATA"], is_of_node);
    tck_id_topics_ndeath_payload: |e| will_holds(e, is_death) && e.every(&["NDEATH"], is_death);
    tck_id_topics_ndeath_seq: |e|
        will_holds(e, |will| will.payload.is_some() && will.seq().is_none())
            && e.every(&["NDEATH"], |said| said.seq().is_none());
    tck_id_topics_ndeath_topic: |e|
        will_holds(e, is_of_node) && e.every(&["NDEATH"], is_of_node);
}

/// Numbers went on from 255 to 0 without a birth.
fn has_wrapped(evidence: &Evidence) -> bool {
    evidence.lives().any(|life| {
        let all: Vec<&Said> = life.said().collect();
        all.windows(2).any(|pair| {
            pair[0].seq() == Some(255)
                && pair[1].seq() == Some(0)
                && pair[1].what() != Some("NBIRTH")
        })
    })
}

/// No two messages in a row say the same of the same metrics.
fn changes_only(evidence: &Evidence, what: &str) -> bool {
    evidence.said(what).next().is_some()
        && evidence.every_life(|life| {
            let of = life.said().filter(|said| said.what() == Some(what));
            let all: Vec<&Said> = of.collect();
            all.windows(2)
                .all(|pair| pair[0].metrics() != pair[1].metrics())
        })
}

/// The values of a metric in data, by the name that its birth gave it.
fn told(life: &Life, wanted: &str) -> Vec<Option<Value>> {
    let values = std::cell::RefCell::new(Vec::new());
    data_were_born(life, |_, metric, born| {
        if born.and_then(|born| born.name.as_deref()) == Some(wanted) {
            values.borrow_mut().push(metric.value.clone());
        }
        true
    });
    values.into_inner()
}

fn text(text: &str) -> Option<Value> {
    Some(Value::String(text.into()))
}

fn states_are_told(evidence: &Evidence) -> bool {
    let told = evidence.plain.first().map(|life| told(life, "state/state"));
    let wanted = ["faulted", "unknown", "idle", "producing", "faulted"];
    told.is_some_and(|told| told == wanted.map(text))
}

fn alarms_are_told(evidence: &Evidence) -> bool {
    let alarm = &plant().alarms;
    let own = alarm
        .iter()
        .find(|alarm| matches!(alarm.owner, andon_core::plant::Owner::Gateway));
    let Some((own, life)) = own.zip(evidence.plain.first()) else {
        return false;
    };
    told(life, &format!("alarm/{}/state", own.id)) == ["unack-active", "normal"].map(text)
}

/// The table in the docs says of each id that concerns an edge node whether it is met.
#[test]
fn the_table_in_the_docs_is_that_of_the_tests() {
    let docs = include_str!("../../../docs/sparkplug.md");
    let rows = docs.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `tck-id-")?.split(" | ");
        let id = format!("tck-id-{}", cells.next()?.trim_end_matches('`'));
        Some((id, cells.next()?.trim_end_matches(" |").to_owned()))
    });
    let rows: Vec<(String, String)> = rows.collect();
    let name = |id: &str| id.to_lowercase().replace('-', "_");
    let met = rows
        .iter()
        .filter(|(_, verdict)| verdict.starts_with("met"));
    let met: BTreeSet<String> = met.map(|(id, _)| name(id)).collect();
    let checked: BTreeSet<String> = CHECKED.iter().map(|name| (*name).to_owned()).collect();
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        only(&met, &checked),
        [""; 0],
        "said to be met, and not checked"
    );
    assert_eq!(
        only(&checked, &met),
        [""; 0],
        "checked, and not said to be met"
    );
    let ids: BTreeSet<&String> = rows.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), rows.len(), "an id has one row");
    // Of the 299 of the specification: the others are of hosts and brokers.
    assert_eq!(rows.len(), 203);
}
