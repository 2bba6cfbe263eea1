//! An address in a `[[device]]` makes its link.
//!
//! Devices allow one connection, so there is one link for each address: devices with the same one
//! share it, also with a `[[link]]` that has it. Before the files are walked the address is taken
//! out of the device and becomes a `[[link]]` of its own, which is then read like any other.

use super::report::Finding;
use super::tree;
use super::values::{LONGEST_ID, slug};
use super::walk::Findings;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Keys of a link that a device may have instead of `link`.
pub(super) const ADDRESSES: [&str; 4] = ["modbus_tcp", "modbus_rtu", "modbus_rtu_tcp", "http_get"];

/// What else a device may say of the serial line that its address makes: all that a link says of it
/// and a device does not mean for itself, as it does a `timeout`.
pub(super) const SERIAL: [&str; 6] = [
    "baud",
    "parity",
    "stop_bits",
    "turnaround",
    "optional",
    "rs485",
];

/// The first of them are known of the line behind a converter too.
const BEHIND_CONVERTER: usize = 4;

/// A link with an address of its own.
struct Known<'i> {
    id: String,
    /// The key of its address, and where that stands.
    key: &'static str,
    span: Range<usize>,
    /// The link itself where a device made it, and the file of that device.
    made: Option<(usize, Spanned<DeTable<'i>>)>,
}

/// Takes the addresses out of the devices of all files, and adds the links they make.
pub(super) fn make_links<'i>(roots: &mut [&mut DeTable<'i>], out: &Findings) {
    let mut links = Links::default();
    for root in roots.iter() {
        for (link, _) in tree::tables(root, "link") {
            links.note(link, out);
        }
    }
    for (file, root) in roots.iter_mut().enumerate() {
        let Some(DeValue::Array(devices)) = root.get_mut("device").map(Spanned::get_mut) else {
            continue;
        };
        for device in devices.iter_mut() {
            let span = device.span();
            if let DeValue::Table(device) = device.get_mut() {
                links.connect(device, span, file, out);
            }
        }
    }
    for (file, link) in links.known.into_iter().filter_map(|known| known.made) {
        tree::push(roots[file], "link", link);
    }
}

#[derive(Default)]
struct Links<'i> {
    known: Vec<Known<'i>>,
    by_endpoint: HashMap<String, usize>,
    ids: BTreeSet<String>,
}

impl<'i> Links<'i> {
    /// Remembers a `[[link]]`; two with one address are a mistake.
    fn note(&mut self, link: &DeTable<'i>, out: &Findings) {
        let Some((id, _)) = tree::text_of(link, "id") else {
            return;
        };
        self.ids.insert(id.to_owned());
        for key in ADDRESSES {
            let Some((address, span)) = tree::text_of(link, key) else {
                continue;
            };
            let endpoint = endpoint(key, address);
            if let Some(&first) = self.by_endpoint.get(&endpoint) {
                let first = &self.known[first];
                let what = format!("the link `{}` has this address already", first.id);
                let hint = match key {
                    "http_get" => "read the other pages of this host through one link, by `path`",
                    _ => "machines allow one connection: read their devices through one link",
                };
                out.mistake(
                    Finding::at(span, what)
                        .hint(hint)
                        .also(first.span.clone(), "the first"),
                );
                continue;
            }
            self.by_endpoint.insert(endpoint, self.known.len());
            self.known.push(Known {
                id: id.to_owned(),
                key,
                span,
                made: None,
            });
        }
    }

    /// Gives a device with an address its link.
    fn connect(
        &mut self,
        device: &mut DeTable<'i>,
        span: Range<usize>,
        file: usize,
        out: &Findings,
    ) {
        let mut taken = ADDRESSES
            .into_iter()
            .filter_map(|key| device.remove_entry(key).map(|entry| (key, entry)));
        let Some((key, (key_name, address))) = taken.next() else {
            return;
        };
        let others: Vec<_> = taken.collect();
        if let Some((other, (other_name, _))) = others.first() {
            let what = format!("a device is reached by `{key}` or by `{other}`");
            out.mistake(
                Finding::at(other_name.span(), what)
                    .hint("keep the one that is right")
                    .also(key_name.span(), "already said here"),
            );
        }
        if let Some((link, _)) = device.get_key_value("link") {
            out.mistake(
                Finding::at(key_name.span(), "an address makes a link of its own")
                    .hint(format!("leave out `{key}` or `link`"))
                    .also(link.span(), "another link"),
            );
            return;
        }
        let place = address.span();
        let (text, endpoint) = match address.get_ref().as_str() {
            Some(text) => (text, endpoint(key, text)),
            // Its link will tell that it is no address.
            None => ("", format!("at {}", place.start)),
        };
        if key == "http_get" && !device.contains_key("path") {
            // Its page stays its own; the link is that of the host.
            let path = Cow::Owned(page(text).to_owned());
            let path = Spanned::new(place.clone(), DeValue::String(path));
            device.insert(Spanned::new(key_name.span(), Cow::Borrowed("path")), path);
        }
        let knobs = knobs(key, device);
        let id = match self.by_endpoint.get(&endpoint) {
            Some(&at) => {
                let known = &mut self.known[at];
                share(known, key, &place, knobs, out);
                known.id.clone()
            }
            None => {
                let id = self.new_id(key, text);
                let at_key = |key: &'static str| Spanned::new(key_name.span(), Cow::Borrowed(key));
                let value = Spanned::new(place.clone(), DeValue::String(Cow::Owned(id.clone())));
                let mut link: DeTable<'i> = knobs.into_iter().collect();
                link.insert(at_key("id"), value);
                link.insert(key_name.clone(), address);
                self.by_endpoint.insert(endpoint, self.known.len());
                self.known.push(Known {
                    id: id.clone(),
                    key,
                    span: place.clone(),
                    made: Some((file, Spanned::new(span, link))),
                });
                id
            }
        };
        let link = Spanned::new(place, DeValue::String(Cow::Owned(id)));
        device.insert(Spanned::new(key_name.span(), Cow::Borrowed("link")), link);
    }

    /// An id for the link of an address, in the letters of ids.
    fn new_id(&mut self, key: &str, address: &str) -> String {
        let short = match key {
            "modbus_rtu" => address.rsplit('/').next().unwrap_or(address),
            "http_get" => host(address),
            _ => address.strip_suffix(":502").unwrap_or(address),
        };
        let slug = match slug(short) {
            slug if slug.is_empty() => "link".to_owned(),
            slug if slug.len() > LONGEST_ID => {
                // Names of serial adapters differ at their end.
                let end = slug.len() - LONGEST_ID;
                slug.get(end..)
                    .unwrap_or("link")
                    .trim_matches('-')
                    .to_owned()
            }
            slug => slug,
        };
        let mut id = slug.clone();
        for n in 2.. {
            if self.ids.insert(id.clone()) {
                break;
            }
            let room = LONGEST_ID - 8;
            id = format!("{}-{n}", slug.get(..room.min(slug.len())).unwrap_or("link"));
        }
        id
    }
}

/// Takes out of a device what it says of its line.
fn knobs<'i>(key: &str, device: &mut DeTable<'i>) -> Vec<Entry<'i>> {
    let keys = match key {
        "modbus_rtu" => &SERIAL[..],
        "modbus_rtu_tcp" => &SERIAL[..BEHIND_CONVERTER],
        _ => &[],
    };
    keys.iter()
        .filter_map(|knob| device.remove_entry(*knob))
        .collect()
}

type Entry<'i> = (Spanned<Cow<'i, str>>, Spanned<DeValue<'i>>);

/// A further device with a known address: what it says of the link must fit what is said already.
fn share<'i>(
    known: &mut Known<'i>,
    key: &str,
    place: &Range<usize>,
    knobs: Vec<Entry<'i>>,
    out: &Findings,
) {
    if key != known.key {
        let what = format!(
            "the link `{}` reaches this address by `{}`",
            known.id, known.key
        );
        out.mistake(
            Finding::at(place.clone(), what)
                .hint("an address speaks one protocol: write the right one in both places")
                .also(known.span.clone(), "the other"),
        );
        return;
    }
    for (name, value) in knobs {
        let knob = name.get_ref();
        let Some((_, link)) = &mut known.made else {
            let what = format!("`{knob}` is said by the link `{}`", known.id);
            out.mistake(
                Finding::at(name.span(), what)
                    .hint("leave it out here")
                    .also(known.span.clone(), "that link"),
            );
            continue;
        };
        let first = link.get_ref().get(&**knob);
        match first {
            Some(first) if shown(first.get_ref()) != shown(value.get_ref()) => {
                let what = format!("two devices of one line differ in `{knob}`");
                out.mistake(
                    Finding::at(value.span(), what)
                        .hint("write what the line is set to, in both")
                        .also(first.span(), "the first"),
                );
            }
            Some(_) => {}
            None => drop(link.get_mut().insert(name, value)),
        }
    }
}

/// A value as it is written, without quotes: 9600 and "9600" are the same.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

/// What there can be only one connection to.
fn endpoint(key: &str, address: &str) -> String {
    if key == "modbus_rtu" {
        return address.to_owned();
    }
    let default_port = match key {
        "http_get" if address.starts_with("https:") => ":443",
        "http_get" => ":80",
        _ => ":502",
    };
    let address = match key {
        "http_get" => host(address),
        _ => address,
    };
    let address = address.to_ascii_lowercase();
    let after_host = address.rsplit(']').next().unwrap_or("");
    match after_host.contains(':') {
        true => address,
        false => address + default_port,
    }
}

/// Host and port of the address of a page.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or(rest)
}

/// What follows host and port.
fn page(url: &str) -> &str {
    let start = url.find("://").map_or(0, |scheme| scheme + 3);
    let rest = url.get(start..).unwrap_or("");
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_of_addresses() {
        let mut links = Links::default();
        for (key, address, id) in [
            ("modbus_tcp", "10.1.3.101:502", "10-1-3-101"),
            ("modbus_tcp", "10.1.3.101:5020", "10-1-3-101-5020"),
            ("modbus_tcp", "PLC-7.plant.lan", "plc-7-plant-lan"),
            ("modbus_tcp", "10-1-3-101", "10-1-3-101-2"),
            ("modbus_tcp", "[fe80::1]:502", "fe80-1"),
            (
                "modbus_rtu",
                "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZP4-if00-port0",
                "ftdi-ft232r-usb-uart-a10kzp4-if00-port0",
            ),
            ("modbus_rtu", "/dev/ttyS1", "ttys1"),
            ("modbus_tcp", "号", "link"),
            ("modbus_tcp", "", "link-2"),
            ("http_get", "http://10.1.1.7:8080/a/b.json", "10-1-1-7-8080"),
            ("http_get", "https://web.lan?x", "web-lan"),
        ] {
            assert_eq!(links.new_id(key, address), id);
            assert!(id.len() <= LONGEST_ID);
        }
    }

    #[test]
    fn one_address_is_one_endpoint_however_it_is_written() {
        let is = |address: &str| endpoint("modbus_tcp", address);
        assert_eq!(is("PLC.lan"), is("plc.lan:502"));
        assert_eq!(is("[fe80::1]"), is("[fe80::1]:502"));
        assert_ne!(is("plc.lan:503"), is("plc.lan"));
        assert_eq!(is("plc.lan"), endpoint("modbus_rtu_tcp", "plc.lan:502"));
        let is = |address: &str| endpoint("http_get", address);
        assert_eq!(is("http://Web.lan/a?b"), is("http://web.lan:80"));
        assert_eq!(is("https://web.lan/a"), is("https://web.lan:443/b"));
        assert_ne!(is("https://web.lan/a"), is("http://web.lan/a"));
        assert_ne!(is("http://web.lan:81/a"), is("http://web.lan/a"));
    }

    #[test]
    fn the_page_of_an_address_is_what_follows_the_host() {
        assert_eq!(page("http://web.lan/a/b?c=/d"), "/a/b?c=/d");
        assert_eq!(page("http://web.lan"), "/");
        assert_eq!(page("nonsense"), "/");
    }
}
