//! Numbers as spreadsheets write them: `1.0` for 1, `1,200` for 1200.
//!
//! Only what can be meant in one way is taken.

/// A whole number.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = ungrouped(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    is_plain(whole).then_some(())?;
    is_whole.then(|| whole.parse().ok())?
}

/// A number; a comma is a decimal one where it cannot separate thousands.
pub(super) fn number(text: &str) -> Option<f64> {
    if let Some((whole, fraction)) = text.split_once(',') {
        let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
        if digits && is_plain(whole) && fraction.len() != 3 {
            return format!("{whole}.{fraction}").parse().ok();
        }
        // 1,234 may be either; 1,234,567 and 1,234.5 are not.
        if digits && is_plain(whole) {
            return None;
        }
    }
    let text = ungrouped(text);
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    let value: f64 = text.parse().ok().filter(|_| text.chars().all(plain))?;
    value.is_finite().then_some(value)
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The text without separators of thousands, if all of them stand where such stand.
pub(super) fn ungrouped(text: &str) -> String {
    let whole = text.split('.').next().unwrap_or("");
    let mut groups = whole.split(|c: char| c == ',' || c.is_whitespace());
    let first = groups.next().unwrap_or("");
    let first = first.strip_prefix('-').unwrap_or(first);
    let all_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = (1..=3).contains(&first.len())
        && all_digits(first)
        && groups.all(|group| group.len() == 3 && all_digits(group));
    if !grouped {
        return text.to_owned();
    }
    let (whole, rest) = text.split_at(whole.len());
    whole
        .chars()
        .filter(|c| c.is_ascii_digit() || *c == '-')
        .collect::<String>()
        + rest
}

fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_excel_writes_them() {
        for (text, value) in [
            ("1", 1),
            ("-7", -7),
            ("1.0", 1),
            ("17.00", 17),
            ("1,200", 1200),
            ("1 200", 1200),
            ("1\u{a0}200", 1200),
            ("-1,234,567.0", -1_234_567),
            ("0", 0),
        ] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            "1.5",
            "1,2",
            "1,20",
            "1200,000x",
            ",200",
            "1,,200",
            "0x10",
            "1e3",
            "99999999999999999999",
            "一",
            "1234,567",
            "+1",
        ] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_taken_only_if_they_mean_one_thing() {
        for (text, value) in [
            ("0.5", 0.5),
            ("0,5", 0.5),
            ("-20", -20.0),
            ("1,234.5", 1234.5),
            ("1,234,567", 1_234_567.0),
            ("1E+3", 1000.0),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["1,234", "nan", "inf", "1e999", "", "1,2,3", "5 %"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
