//! The address of a webhook, as it is copied from the product: part of it is a secret.

use crate::settings::Address;

impl Address {
    /// Reads `https://HOST:PORT/PATH?QUERY`.
    pub(crate) fn parse(text: &str) -> Option<Address> {
        let (rest, tls) = match text.strip_prefix("https://") {
            Some(rest) => (rest, true),
            None => (text.strip_prefix("http://")?, false),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (server, path) = rest.split_at(end);
        let (host, port) = match server
            .strip_prefix('[')
            .and_then(|rest| rest.split_once(']'))
        {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match server.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (server, None),
            },
        };
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if host.is_empty() || !host.chars().all(is_host) || !path.bytes().all(plain) {
            return None;
        }
        let default = if tls { 443 } else { 80 };
        Some(Address {
            tls,
            host: host.to_owned(),
            port: port.map_or(Some(default), |port| port.parse().ok())?,
            path: match path.strip_prefix('?') {
                Some(_) => format!("/{path}"),
                None if path.is_empty() => "/".to_owned(),
                None => path.to_owned(),
            },
        })
    }

    /// With a further part of the query.
    pub(super) fn path_with(&self, query: Option<&str>) -> String {
        match query {
            None => self.path.clone(),
            Some(query) => {
                let sign = if self.path.contains('?') { '&' } else { '?' };
                format!("{}{sign}{query}", self.path)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_they_are_copied() {
        let read = |text: &str| {
            let it = Address::parse(text)?;
            Some((it.tls, it.host, it.port, it.path))
        };
        let want = |tls, host: &str, port, path: &str| Some((tls, host.into(), port, path.into()));
        assert_eq!(
            read("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a-7"),
            want(
                true,
                "qyapi.weixin.qq.com",
                443,
                "/cgi-bin/webhook/send?key=693a-7"
            )
        );
        assert_eq!(
            read("http://10.1.1.9:8080/alarms"),
            want(false, "10.1.1.9", 8080, "/alarms")
        );
        assert_eq!(read("https://mes"), want(true, "mes", 443, "/"));
        assert_eq!(read("https://mes?a=1"), want(true, "mes", 443, "/?a=1"));
        assert_eq!(read("http://[::1]:81/x"), want(false, "::1", 81, "/x"));
        for wrong in [
            "",
            "mes/alarms",
            "ftp://mes/x",
            "https://",
            "https://user@mes/",
            "https://mes:99999/",
            "https://mes/a b",
            "https://mes/x#y",
            "https://mes/压",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_query_is_added_to() {
        let with = |text: &str| Address::parse(text).unwrap().path_with(Some("sign=x"));
        assert_eq!(
            with("https://d/robot/send?access_token=a"),
            "/robot/send?access_token=a&sign=x"
        );
        assert_eq!(with("https://d/robot"), "/robot?sign=x");
    }
}
