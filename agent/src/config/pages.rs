//! What to ask a machine for that answers HTTP requests: its tags, by the page they stand on.

use super::gateway::BrokerUrl;
use super::values::{host_port, text};
use super::walk::Item;
use crate::settings::{Page, Reader};
use andon_core::plant::Device;
use andon_core::tag::{DeviceIndex, LinkIndex, TagIndex};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longer ones are no paths.
const LONGEST: usize = 500;

/// The page of each tag of a device, where it is another than that of the link.
pub(super) type Paths = Vec<Option<Arc<str>>>;

/// The pages of a link whose address names the page `own`: tags of one page and one period are read
/// with one request. `called` and `paths` are those of `devices`.
pub(super) fn pages(
    link: LinkIndex,
    own: &Arc<str>,
    devices: &[Device],
    called: &[Arc<str>],
    paths: &[Paths],
) -> Vec<Page> {
    let mut pages: BTreeMap<(Arc<str>, u64), Vec<Reader>> = BTreeMap::new();
    let devices = (0..)
        .map(DeviceIndex)
        .zip(devices)
        .zip(called.iter().zip(paths));
    for ((index, device), (called, paths)) in devices {
        if device.link != link {
            continue;
        }
        let tags = (0..).map(TagIndex).zip(&device.model.tags).zip(paths);
        for ((tag, configured), path) in tags {
            let path = path.as_ref().unwrap_or(own).clone();
            let readers = pages.entry((path, configured.every_ms)).or_default();
            match readers.last_mut().filter(|last| last.device == index) {
                Some(last) => last.tags.push(tag),
                None => readers.push(Reader {
                    device: index,
                    called: called.clone(),
                    tags: vec![tag],
                }),
            }
        }
    }
    let page = |((path, every_ms), readers)| Page {
        path,
        every_ms,
        readers,
    };
    pages.into_iter().map(page).collect()
}

/// `/path?query`, on the host of the link.
pub(super) fn page_path(item: &Item<'_>) -> Option<Arc<str>> {
    let text = text(item)?;
    if text.starts_with('/') && is_path(text) {
        return Some(text.into());
    }
    item.wrong(
        format!("`{text}` is not the path of a page"),
        "write it from the first `/`, without the host, such as \"/api/status.json\"",
    )
}

fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    text.len() <= LONGEST && text.bytes().all(plain)
}

/// `http://host:port/path` or `https://`.
pub(super) fn http_url(item: &Item<'_>) -> Option<(BrokerUrl, Arc<str>)> {
    let text = text(item)?;
    let (rest, tls, default_port) = if let Some(rest) = text.strip_prefix("http://") {
        (rest, false, 80)
    } else if let Some(rest) = text.strip_prefix("https://") {
        (rest, true, 443)
    } else {
        return item.wrong(
            format!("`{text}` is not the address of a page"),
            "write \"http://HOST/status.json\", or \"https://\" for TLS",
        );
    };
    let (server, path) = match rest.find(['/', '?']) {
        Some(end) => rest.split_at(end),
        None => (rest, "/"),
    };
    if server.contains('@') {
        item.out.hide(item.span.clone());
        return item.wrong(
            "an address does not name users: secrets are never in this file",
            "use `username` and `password_file`",
        );
    }
    let (host, port) = host_port(item, server, default_port, "http://HOST/status.json")?;
    if !is_path(path) || !path.starts_with('/') {
        return item.wrong(
            format!("`{path}` is not the path of a page"),
            "write \"http://HOST/status.json\", with %20 for a space and without `#`",
        );
    }
    Some((BrokerUrl { host, port, tls }, path.into()))
}
