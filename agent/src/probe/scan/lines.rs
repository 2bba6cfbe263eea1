//! Which line settings are tried on a serial port, and in which order.

use crate::probe::address::{Form, LineOptions, RATES};
use crate::settings::Parity;

/// The forms of characters in use, the usual ones first (Modbus over Serial Line 1.02, §2.5.1,
/// wants eleven bits; what is delivered mostly has ten).
const CHARACTERS: [(Parity, u8); 4] = [
    (Parity::None, 1),
    (Parity::Even, 1),
    (Parity::Odd, 1),
    (Parity::None, 2),
];

/// The rates of most devices are tried in every form before the others are.
const USUAL_RATES: usize = 2;

/// The line settings to try: those that are `configured` first, and only what fits what is `given`.
pub fn forms(configured: Option<Form>, given: LineOptions) -> Vec<Form> {
    let (usual, others) = RATES.split_at(USUAL_RATES);
    let of = |rates: &[u32]| -> Vec<Form> {
        let each = |(parity, stop_bits): (Parity, u8)| {
            rates.iter().map(move |&baud| Form {
                baud,
                parity,
                stop_bits,
            })
        };
        CHARACTERS.into_iter().flat_map(each).collect()
    };
    let mut forms: Vec<Form> = configured.into_iter().collect();
    for form in of(usual).into_iter().chain(of(others)) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms.retain(|form| {
        given.baud.is_none_or(|baud| baud == form.baud)
            && given.parity.is_none_or(|parity| parity == form.parity)
            && given.stop_bits.is_none_or(|bits| bits == form.stop_bits)
    });
    if forms.is_empty() {
        // What is given is no usual combination; somebody will know why.
        forms.push(given.form());
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(configured: Option<Form>, given: LineOptions) -> Vec<String> {
        let forms = forms(configured, given);
        forms.into_iter().map(Form::shown).collect()
    }

    #[test]
    fn the_usual_settings_come_first_and_each_once() {
        let all = shown(None, LineOptions::default());
        assert_eq!(
            all[..8],
            [
                "9600 8N1",
                "19200 8N1",
                "9600 8E1",
                "19200 8E1",
                "9600 8O1",
                "19200 8O1",
                "9600 8N2",
                "19200 8N2"
            ]
        );
        assert_eq!(all.len(), 32);
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), 32);
    }

    #[test]
    fn what_is_known_is_kept_to() {
        let configured = Form {
            baud: 38_400,
            parity: Parity::Odd,
            stop_bits: 1,
        };
        let all = shown(Some(configured), LineOptions::default());
        assert_eq!((&*all[0], all.len()), ("38400 8O1", 32));
        let given = LineOptions {
            baud: Some(4800),
            ..LineOptions::default()
        };
        assert_eq!(
            shown(None, given),
            ["4800 8N1", "4800 8E1", "4800 8O1", "4800 8N2"]
        );
        let odd = LineOptions {
            parity: Some(Parity::Even),
            stop_bits: Some(2),
            baud: Some(9600),
        };
        assert_eq!(shown(None, odd), ["9600 8E2"]);
    }
}
