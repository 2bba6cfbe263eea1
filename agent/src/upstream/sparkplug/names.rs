//! What an edge node is called, and its topics (specification 3.0, §4).

use crate::sparkplug::NAMESPACE;
use andon_core::plant::Gateway;

/// Group, edge node and primary host, from which every topic follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    group: Box<str>,
    node: Box<str>,
    host: Option<Box<str>>,
}

impl Names {
    /// The edge node is the gateway. Its group is `{site}:{area}` unless another is given: no id has
    /// a colon, so that no two areas can have one group.
    pub fn new(gateway: &Gateway, group: Option<&str>, primary_host: Option<&str>) -> Names {
        let group = group.map_or_else(
            || format!("{}:{}", gateway.site, gateway.area),
            str::to_owned,
        );
        Names {
            group: group.into(),
            node: (*gateway.id).into(),
            host: primary_host.map(Box::from),
        }
    }

    /// The primary host that is waited for, if any is.
    pub fn primary_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// `NBIRTH`, `NDATA`, `NDEATH` or `NCMD` of the node.
    pub(super) fn of_node(&self, what: &str) -> String {
        format!("{NAMESPACE}/{}/{what}/{}", self.group, self.node)
    }

    /// `DBIRTH`, `DDATA` or `DDEATH` of one of its devices.
    pub(super) fn of_device(&self, what: &str, device: &str) -> String {
        format!("{NAMESPACE}/{}/{what}/{}/{device}", self.group, self.node)
    }

    /// Where the primary host tells whether it is there.
    pub(super) fn state(&self) -> Option<String> {
        let host = self.host.as_ref()?;
        Some(format!("{NAMESPACE}/STATE/{host}"))
    }
}
