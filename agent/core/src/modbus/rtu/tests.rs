use super::*;
use alloc::vec::Vec;
use proptest::prelude::*;

fn framed(content: &[u8]) -> Vec<u8> {
    let mut frame = content.to_vec();
    frame.extend(checksum(content).to_le_bytes());
    frame
}

fn asked(unit: u8, function: u8, start: u16, count: u16) -> Asked {
    let [a, b] = start.to_be_bytes();
    let [c, d] = count.to_be_bytes();
    Asked::of(&framed(&[unit, function, a, b, c, d])).unwrap()
}

/// The answer to a request for registers with these values.
fn registers(unit: u8, function: u8, values: &[u16]) -> Vec<u8> {
    let mut content = Vec::from([unit, function, values.len() as u8 * 2]);
    content.extend(values.iter().flat_map(|value| value.to_be_bytes()));
    framed(&content)
}

#[test]
fn the_checksum_is_that_of_the_standard() {
    // The frame of the guide's own example: slave 2, function 7.
    assert_eq!(checksum(&[0x02, 0x07]), 0x1241);
    assert_eq!(framed(&[0x01, 0x03, 0, 0, 0, 1])[6..], [0x84, 0x0A]);
}

#[test]
fn only_requests_of_this_agent_are_requests() {
    assert!(Asked::of(&framed(&[1, 3, 0, 0, 0, 125])).is_some());
    assert!(Asked::of(&framed(&[1, 3, 0, 0, 0, 200])).is_none());
    assert!(Asked::of(&framed(&[1, 16, 0, 0, 0, 1])).is_none());
    assert!(Asked::of(&framed(&[1, 3, 0, 0, 0])).is_none());
    assert!(Asked::of(&[1, 3, 0, 0, 0, 1, 0, 0]).is_none());
}

#[test]
fn an_answer_is_whole_with_its_last_byte_and_with_nothing_behind_it() {
    let asked = asked(17, 3, 100, 2);
    let answer = registers(17, 3, &[0xABCD, 0x1234]);
    assert_eq!(asked.answer_bytes(), answer.len());
    for at in 0..answer.len() {
        let Progress::Missing(missing) = asked.progress(&answer[..at]) else {
            panic!("{at}");
        };
        assert!(missing > 0 && at + missing <= answer.len(), "{at}");
        assert!(asked.judge(&answer[..at]).is_err());
    }
    assert_eq!(asked.progress(&answer), Progress::Whole);
    assert_eq!(asked.judge(&answer), Ok(()));
    let mut more = answer;
    more.push(0x55);
    assert_eq!(asked.progress(&more), Progress::Hopeless);
    assert_eq!(asked.judge(&more), Err(Misheard::Damaged { bytes: 10 }));
}

#[test]
fn an_exception_is_an_answer() {
    let asked = asked(17, 4, 100, 2);
    assert_eq!(asked.judge(&framed(&[17, 0x84, 2])), Ok(()));
    let other = framed(&[17, 0x83, 2]);
    assert_eq!(asked.judge(&other), Err(Misheard::Function { got: 0x83 }));
}

#[test]
fn what_else_is_heard_is_told_by_what_it_is() {
    let asked = asked(17, 3, 100, 2);
    let judge = |heard: &[u8]| asked.judge(heard).unwrap_err();
    let answer = registers(17, 3, &[1, 2]);
    assert_eq!(judge(&[]), Misheard::Nothing);
    assert_eq!(
        judge(&registers(18, 3, &[1, 2])),
        Misheard::Unit { got: 18 }
    );
    assert_eq!(
        judge(&registers(17, 4, &[1, 2])),
        Misheard::Function { got: 4 }
    );
    assert_eq!(judge(&registers(17, 3, &[1])), Misheard::Size { bytes: 7 });
    assert_eq!(judge(&framed(&[17, 3, 0, 100, 0, 2])), Misheard::Echo);
    let glued = [&answer[..], &answer[..]].concat();
    assert_eq!(judge(&glued), Misheard::Damaged { bytes: 18 });
    let mut noise = Vec::from([0x55]);
    noise.extend(&answer);
    assert_eq!(judge(&noise), Misheard::Damaged { bytes: 10 });
    assert_eq!(asked.progress(&noise), Progress::Hopeless);
}

#[test]
fn a_write_is_answered_by_its_echo_only() {
    let request = framed(&[9, 6, 0, 5, 0, 3]);
    let asked = Asked::of(&request).unwrap();
    assert_eq!(asked.judge(&request), Ok(()));
    let other = framed(&[9, 6, 0, 5, 0, 2]);
    assert_eq!(asked.judge(&other), Err(Misheard::Size { bytes: 8 }));
    assert_eq!(asked.judge(&framed(&[9, 0x86, 4])), Ok(()));
}

proptest! {
    /// Read by the book, without the code under test.
    #[test]
    fn only_the_one_right_frame_is_accepted(
        function in 1..=4_u8,
        count in 1..=125_u16,
        content in prop::collection::vec(any::<u8>(), 0..255),
        lie in prop::option::of(any::<u8>()),
        flip in prop::option::of((any::<prop::sample::Index>(), 0..8_u8)),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let asked = asked(5, function, 7, count);
        let size = if function <= 2 { count.div_ceil(8) } else { count * 2 };
        let mut heard = Vec::from([5, function, lie.unwrap_or(content.len() as u8)]);
        heard.extend(&content);
        heard = framed(&heard);
        if let Some((at, bit)) = flip {
            let at = at.index(heard.len());
            heard[at] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            heard.truncate(cut.index(heard.len() + 1));
        }
        let is_right = flip.is_none()
            && content.len() == usize::from(size)
            && lie.is_none_or(|lie| usize::from(lie) == content.len())
            && heard.len() == content.len() + 5;
        prop_assert_eq!(asked.judge(&heard).is_ok(), is_right);
        prop_assert_eq!(asked.progress(&heard) == Progress::Whole, is_right);
    }

    #[test]
    fn no_bytes_make_it_panic(heard in prop::collection::vec(any::<u8>(), 0..300)) {
        let asked = asked(5, 3, 7, 10);
        if asked.judge(&heard).is_ok() {
            prop_assert!(heard.len() == 25 || heard.len() == 5);
        }
    }
}
