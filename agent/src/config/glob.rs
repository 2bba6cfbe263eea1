//! Names with `*` in them: of devices, and of files.

/// `*` stands for anything, also nothing.
pub(super) fn glob_matches(glob: &str, id: &str) -> bool {
    let Some((head, rest)) = glob.split_once('*') else {
        return glob == id;
    };
    let Some(mut id) = id.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or("");
    for part in parts {
        let Some(at) = id.find(part) else {
            return false;
        };
        id = &id[at + part.len()..];
    }
    id.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn a_star_stands_for_anything() {
        for (glob, id) in [
            ("press-1", "press-1"),
            ("*", "press-1"),
            ("press-*", "press-"),
            ("*-1", "press-1"),
            ("p*s*1", "press-1"),
            ("**ss**", "press-1"),
        ] {
            assert!(glob_matches(glob, id), "{glob} {id}");
        }
        for (glob, id) in [
            ("press-", "press-1"),
            ("press-*", "oven-7"),
            ("*-2", "press-1"),
            ("press-1*1", "press-1"),
            ("*s*s*s*", "press-1"),
        ] {
            assert!(!glob_matches(glob, id), "{glob} {id}");
        }
    }
}
