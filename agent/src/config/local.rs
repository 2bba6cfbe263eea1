//! `[http]` and `[sms]`.

use super::sms::{self, SmsPart};
use super::values::{host_port, text};
use super::walk::Section;
use crate::settings::Http;
use std::path::Path;

/// What is on the gateway itself.
pub(super) struct Local {
    /// The modem for text messages, and who gets them.
    pub(super) sms: Option<SmsPart>,
}

/// Reads the sections; files are relative to `base`.
pub(super) fn sections(root: &mut Section<'_>, base: &Path) -> Local {
    let sms = root.section("sms");
    Local {
        sms: sms.map(|section| sms::sms(section, base)),
    }
}

/// `[http]`: where the HTTP door listens.
pub(super) fn http(mut section: Section<'_>) -> Option<Http> {
    let listen = section.need("listen", "listen = \"127.0.0.1:8080\"", |item| {
        host_port(item, text(item)?, 8080, "127.0.0.1:8080")
    });
    section.finish();
    let (host, port) = listen?.value;
    Some(Http { host, port })
}
