//! Topic filters (MQTT 3.1.1, §4.7), without `#`: `+` stands for any one level.

/// Whether the messages of a topic come through a filter.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    // `+` at the beginning is not for the broker's own topics (§4.7.2).
    if filter.starts_with('+') && topic.starts_with('$') {
        return false;
    }
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

/// Whether everything that comes through `other` comes through `filter` too. `+` in `other` is a
/// level that only `+` lets through.
pub(super) fn covers(filter: &str, other: &str) -> bool {
    matches(filter, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_one_level() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/B", false),
            ("a/+", "a/b", true),
            ("a/+", "a/", true),
            ("a/+", "a", false),
            ("a/+", "a/b/c", false),
            ("+/b", "a/b", true),
            ("+/+", "/b", true),
            ("+", "/b", false),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d", false),
            ("+/b", "$SYS/b", false),
            ("$SYS/+", "$SYS/b", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} {topic}");
        }
    }

    #[test]
    fn a_filter_covers_what_comes_through_it() {
        for (filter, other, expected) in [
            ("a/+/c", "a/b/c", true),
            ("a/b/c", "a/+/c", false),
            ("a/+/+", "a/+/c", true),
            ("a/+/c", "a/+/+", false),
            ("a/+/c", "a/b/+", false),
        ] {
            assert_eq!(covers(filter, other), expected, "{filter} {other}");
        }
    }
}
