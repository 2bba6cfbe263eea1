//! Where a page has moved to, if that is on the same host: pure.

use crate::settings::Broker;
use hyper::Uri;

/// The path of `location`, as an answer to the request for `path` names it (RFC 9110, §10.2.2);
/// none if it is on another host, or nonsense.
pub(super) fn resolve(server: &Broker, path: &str, location: &str) -> Option<String> {
    let location = location.split('#').next()?;
    let scheme = if server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    if let Some(rest) = location.strip_prefix("//") {
        return resolve(server, path, &format!("{scheme}://{rest}"));
    }
    if location.starts_with('/') {
        return whole(location);
    }
    let Some((of, _)) = location.split_once("://") else {
        let folder = path.split('?').next()?.rsplit_once('/')?.0;
        return whole(&format!("{folder}/{location}"));
    };
    let uri: Uri = location.parse().ok()?;
    let default_port = if server.tls.is_some() { 443 } else { 80 };
    let same = of.eq_ignore_ascii_case(scheme)
        && bare(uri.host()?).eq_ignore_ascii_case(bare(&server.host))
        && uri.port_u16().unwrap_or(default_port) == server.port;
    same.then(|| {
        uri.path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned()
    })
}

/// A path that can be asked for.
fn whole(path: &str) -> Option<String> {
    let uri: Uri = path.parse().ok()?;
    Some(uri.path_and_query()?.as_str().to_owned())
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Tls;

    fn server(tls: bool, host: &str, port: u16) -> Broker {
        Broker {
            host: host.into(),
            port,
            tls: tls.then(Tls::default),
            username: None,
            username_file: None,
            password_file: None,
        }
    }

    #[test]
    fn only_the_same_host_is_followed() {
        let plain = server(false, "10.1.1.7", 80);
        for (location, path) in [
            ("/new", Some("/new")),
            ("/new?a=1#part", Some("/new?a=1")),
            ("other.json", Some("/api/other.json")),
            ("?page=2", Some("/api/?page=2")),
            ("http://10.1.1.7/x", Some("/x")),
            ("HTTP://10.1.1.7:80/x", Some("/x")),
            ("http://10.1.1.7", Some("/")),
            ("//10.1.1.7/x", Some("/x")),
            ("http://10.1.1.7:8080/x", None),
            ("http://10.1.1.8/x", None),
            ("https://10.1.1.7/x", None),
            ("//10.1.1.8/x", None),
            ("ftp://10.1.1.7/x", None),
            ("/a b", None),
            ("http://", None),
        ] {
            let resolved = resolve(&plain, "/api/status.json?x=/y", location);
            assert_eq!(resolved.as_deref(), path, "{location}");
        }
        let secure = server(true, "::1", 443);
        let resolve = |location| resolve(&secure, "/", location);
        assert_eq!(resolve("https://[::1]/x").as_deref(), Some("/x"));
        assert_eq!(resolve("http://[::1]/x"), None, "not without TLS");
    }
}
