//! Every text is read here as somebody reads it on their telephone.

use super::*;
use crate::own::Own;
use crate::sms::gsm7;
use crate::tag::LinkIndex;
use alloc::vec::Vec;
use proptest::prelude::*;

fn oven() -> Subject {
    Subject {
        alarm: 0,
        id: "oven-7.overheat".into(),
        occurrence: 3,
        priority: Priority::High,
        device: "oven-7".into(),
        machine: "七号回火炉".into(),
        text_en: "tempering oven too hot".into(),
        text_zh: "炉温过高".into(),
        value: ["640.5 °C > 620".into(), "640.5 °C > 620".into()],
        raised: None,
        clock: Some("14:32".into()),
        is_active: true,
        call: None,
    }
}

fn press() -> Subject {
    Subject {
        id: "press-1.fault".into(),
        priority: Priority::Medium,
        occurrence: 12,
        device: "press-1".into(),
        machine: "一号冲压机".into(),
        text_en: "press-1 stopped by a fault".into(),
        text_zh: "一号冲压机 故障停机".into(),
        value: ["light curtain tripped".into(), "光幕动作".into()],
        ..oven()
    }
}

#[test]
fn texts_are_read_aloud() {
    let gone = Subject {
        is_active: false,
        clock: None,
        ..press()
    };
    let first = Subject {
        occurrence: 1,
        ..press()
    };
    let code = Some(4821);
    for (kind, subject, code, waited, zh, en) in [
        (
            Kind::Raised,
            &oven(),
            code,
            0,
            "【安灯】紧急报警：七号回火炉 炉温过高，640.5 °C > 620，14:32，第3次。回复“确认4821”",
            "[Andon] HIGH alarm: oven-7: tempering oven too hot, 640.5 degC > 620, at 14:32, 3rd time. Reply ACK 4821",
        ),
        (
            Kind::Raised,
            &first,
            code,
            0,
            "【安灯】重要报警：一号冲压机 故障停机，光幕动作，14:32。回复“确认4821”",
            "[Andon] MEDIUM alarm: press-1 stopped by a fault, light curtain tripped, at 14:32. Reply ACK 4821",
        ),
        (
            Kind::Repeated,
            &press(),
            code,
            10,
            "【安灯】重要报警仍无人确认：一号冲压机 故障停机，光幕动作，14:32，第12次。回复“确认4821”",
            "[Andon] MEDIUM alarm, still not acknowledged: press-1 stopped by a fault, light curtain tripped, at 14:32, 12th time. Reply ACK 4821",
        ),
        (
            Kind::Escalated,
            &oven(),
            code,
            15,
            "【安灯】紧急报警15分钟无人确认：七号回火炉 炉温过高，640.5 °C > 620，14:32，第3次。回复“确认4821”",
            "[Andon] HIGH alarm, not acknowledged for 15 min: oven-7: tempering oven too hot, 640.5 degC > 620, at 14:32, 3rd time. Reply ACK 4821",
        ),
        (
            Kind::Escalated,
            &oven(),
            code,
            0,
            "【安灯】紧急报警无人确认：七号回火炉 炉温过高，640.5 °C > 620，14:32，第3次。回复“确认4821”",
            "[Andon] HIGH alarm, not acknowledged: oven-7: tempering oven too hot, 640.5 degC > 620, at 14:32, 3rd time. Reply ACK 4821",
        ),
        (
            Kind::Raised,
            &gone,
            code,
            0,
            "【安灯】重要报警：一号冲压机 故障停机，光幕动作，第12次，现已恢复。回复“确认4821”",
            "[Andon] MEDIUM alarm: press-1 stopped by a fault, light curtain tripped, 12th time, cleared since. Reply ACK 4821",
        ),
        (
            Kind::Returned,
            &gone,
            None,
            0,
            "【安灯】报警已恢复：一号冲压机 故障停机，光幕动作。",
            "[Andon] Alarm cleared: press-1 stopped by a fault, light curtain tripped.",
        ),
    ] {
        assert_eq!(of_one(Language::Chinese, kind, subject, code, waited), zh);
        assert_eq!(of_one(Language::English, kind, subject, code, waited), en);
    }
}

/// A call is no alarm to whoever reads it: somebody is to come.
#[test]
fn calls_are_read_aloud() {
    let call = |clocks: Option<[&str; 2]>| Subject {
        priority: Priority::Medium,
        occurrence: 7,
        device: "press-1".into(),
        machine: "一号冲压机".into(),
        text_en: "press-1: material is needed".into(),
        text_zh: "一号冲压机 呼叫物料".into(),
        value: Default::default(),
        is_active: clocks.is_none(),
        call: Some(match clocks {
            Some(clocks) => clocks.map(|clock| Some(clock.into())),
            None => [None, None],
        }),
        ..oven()
    };
    let code = Some(4821);
    for (kind, subject, code, zh, en) in [
        (
            Kind::Raised,
            call(None),
            code,
            "【安灯】呼叫：一号冲压机 呼叫物料，14:32。到场后回复“确认4821”",
            "[Andon] Call: press-1: material is needed, at 14:32. Reply ACK 4821 when you are there",
        ),
        (
            Kind::Escalated,
            call(None),
            code,
            "【安灯】呼叫15分钟无人到场：一号冲压机 呼叫物料，14:32。到场后回复“确认4821”",
            "[Andon] Call, nobody has come for 15 min: press-1: material is needed, at 14:32. Reply ACK 4821 when you are there",
        ),
        (
            Kind::Returned,
            call(Some(["14:40", "14:55"])),
            None,
            "【安灯】呼叫已解决：一号冲压机 呼叫物料，14:32呼叫，14:40到场，14:55解决。",
            "[Andon] Call solved: press-1: material is needed, called 14:32, arrived 14:40, solved 14:55.",
        ),
    ] {
        assert_eq!(of_one(Language::Chinese, kind, &subject, code, 15), zh);
        assert_eq!(of_one(Language::English, kind, &subject, code, 15), en);
    }
}

/// What the gateway says of itself stands in the same sentences.
#[test]
fn alarms_of_the_gateway_are_read_aloud() {
    let of = |own, link| {
        let alarm = crate::plant::Alarm::of_gateway(own, link);
        let subject = Subject {
            occurrence: 1,
            priority: alarm.priority,
            device: "gw-press-1".into(),
            machine: "网关 gw-press-1".into(),
            text_en: alarm.text_en.clone(),
            text_zh: alarm.text_zh.clone(),
            value: Default::default(),
            ..oven()
        };
        [Language::Chinese, Language::English]
            .map(|language| of_one(language, Kind::Raised, &subject, Some(4821), 0))
    };
    assert_eq!(
        of(Own::DiskFull, ""),
        [
            "【安灯】重要报警：网关 gw-press-1 磁盘无法写入，请清理或更换，14:32。回复“确认4821”",
            "[Andon] MEDIUM alarm: gw-press-1: the disk takes no records; free space on it or replace it, at 14:32. Reply ACK 4821",
        ]
    );
    assert_eq!(
        of(Own::Link(LinkIndex(0)), "plc"),
        [
            "【安灯】重要报警：网关 gw-press-1 链路 plc 中断，其后设备无法读取，14:32。回复“确认4821”",
            "[Andon] MEDIUM alarm: gw-press-1: link plc is down; the devices behind it cannot be read, at 14:32. Reply ACK 4821",
        ]
    );
    for own in Own::ALL {
        for text in of(own, "") {
            assert!(!text.contains(['…']) && !text.contains(".."), "{text}");
        }
    }
}

#[test]
fn texts_of_many_are_read_aloud() {
    assert_eq!(
        of_many(Language::Chinese, &press(), [3, 0, 9], Some(4821)),
        "【安灯】12条报警未确认（紧急3条、一般9条），最重要的：一号冲压机 故障停机。回复“确认4821”全部确认"
    );
    assert_eq!(
        of_many(Language::English, &press(), [3, 0, 9], Some(4821)),
        "[Andon] 12 alarms not acknowledged (3 high, 9 low), the worst: press-1 stopped by a fault. Reply ACK 4821 for all"
    );
}

#[test]
fn answers_are_read_aloud() {
    let (oven, press) = (oven(), press());
    for (answered, zh, en) in [
        (
            Answer::Acknowledged(&oven),
            "【安灯】七号回火炉 炉温过高：已记录您的确认。",
            "[Andon] You have acknowledged: oven-7: tempering oven too hot.",
        ),
        (
            Answer::AllAcknowledged(12),
            "【安灯】已记录您对12条报警的确认。",
            "[Andon] You have acknowledged 12 alarms.",
        ),
        (
            Answer::Before(&press, Some("李工")),
            "【安灯】一号冲压机 故障停机：李工已确认过。",
            "",
        ),
        (
            Answer::Before(&press, Some("Li")),
            "【安灯】一号冲压机 故障停机：Li已确认过。",
            "[Andon] Li has already acknowledged: press-1 stopped by a fault.",
        ),
        (
            Answer::Before(&press, None),
            "【安灯】一号冲压机 故障停机：已有人确认过。",
            "[Andon] Somebody has already acknowledged: press-1 stopped by a fault.",
        ),
        (
            Answer::NoNeed(&press),
            "【安灯】一号冲压机 故障停机：现在无需确认。",
            "[Andon] No need to acknowledge now: press-1 stopped by a fault.",
        ),
        (
            Answer::NothingOpen,
            "【安灯】没有等待您确认的报警。",
            "[Andon] No alarm is waiting for you.",
        ),
        (
            Answer::Which(3),
            "【安灯】有3条报警等待您确认，请回复“确认”加短信中的4位代码。",
            "[Andon] 3 alarms are waiting for you: reply ACK and the 4 digits of the one you mean.",
        ),
        (
            Answer::WrongCode,
            "【安灯】代码有误，请回复“确认”加短信中的4位代码。",
            "[Andon] Wrong code: reply ACK and the 4 digits in the message.",
        ),
        (
            Answer::Unheeded,
            "【安灯】代码多次有误，1小时内不再处理您的短信。",
            "[Andon] Too many wrong codes: your messages are ignored for 1 hour.",
        ),
        (
            Answer::Stopped(Some("20:00"), 8),
            "【安灯】20:00之前不再给您发短信。",
            "[Andon] No more messages to you until 20:00.",
        ),
        (
            Answer::Stopped(None, 8),
            "【安灯】8小时内不再给您发短信。",
            "[Andon] No more messages to you for 8 h.",
        ),
    ] {
        assert_eq!(answer(Language::Chinese, answered), zh);
        if !en.is_empty() {
            assert_eq!(answer(Language::English, answered), en);
        }
    }
}

#[test]
fn ordinals() {
    let said = [1, 2, 3, 4, 11, 12, 13, 21, 101, 111, 1002].map(ordinal);
    assert_eq!(
        said,
        [
            "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "111th", "1002nd"
        ]
    );
}

#[test]
fn long_names_are_cut_before_values() {
    let long = Subject {
        machine: "第二冲压车间东侧三号生产线一号八百吨闭式双点压力机".into(),
        text_zh: "主传动箱润滑油温度持续过高请立即停机检查冷却水".into(),
        device: "press-shop-2-east-line-3-press-1-800-tons-closed-double-point".into(),
        text_en: "temperature of the lubricating oil of the main gearbox is too high for too long: stop the press and look at its cooling water".into(),
        ..oven()
    };
    assert_eq!(
        of_one(Language::Chinese, Kind::Raised, &long, Some(4821), 0),
        "【安灯】紧急报警：第二冲压车间东侧… 主传动箱润滑油温度持续过高请…，640.5 °C > 620，14:32，第3次。回复“确认4821”"
    );
    assert_eq!(
        of_one(Language::English, Kind::Raised, &long, Some(4821), 0),
        "[Andon] HIGH alarm: press-sh..: temperature of the lubricating oil of the main gearbox is too high for.., 640.5 degC > 620, at 14:32, 3rd time. Reply ACK 4821"
    );
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9-]{1,80}", "[一-龥 ]{1,60}", "\\PC{0,80}"]
}

proptest! {
    /// Whatever is configured, one segment carries the text, and the code is in it.
    #[test]
    fn every_text_is_one_segment(
        (device, machine, en, zh) in (words(), words(), words(), words()),
        (value_en, value_zh) in (words(), words()),
        (occurrence, waited) in (1..1_000_000u64, 0..10_000u64),
        counts in [0..500usize, 0..500usize, 1..5000usize],
        (active, dated) in (any::<bool>(), any::<bool>()),
        by in words(),
    ) {
        let subject = Subject {
            device: device.as_str().into(),
            machine: machine.as_str().into(),
            text_en: en.as_str().into(),
            text_zh: zh.as_str().into(),
            value: [value_en.into(), value_zh.into()],
            occurrence,
            is_active: active,
            clock: dated.then(|| "23:59".into()),
            ..oven()
        };
        let code = Some(9999);
        let mut texts: Vec<(bool, String)> = Vec::new();
        for language in [Language::Chinese, Language::English] {
            for kind in [Kind::Raised, Kind::Repeated, Kind::Escalated] {
                texts.push((true, of_one(language, kind, &subject, code, waited)));
            }
            texts.push((true, of_many(language, &subject, counts, code)));
            texts.push((false, of_one(language, Kind::Returned, &subject, None, 0)));
            for answered in [
                Answer::Acknowledged(&subject),
                Answer::AllAcknowledged(counts[2]),
                Answer::Before(&subject, Some(&by)),
                Answer::Before(&subject, None),
                Answer::NoNeed(&subject),
                Answer::Which(counts[2]),
                Answer::NothingOpen,
                Answer::WrongCode,
                Answer::Unheeded,
                Answer::Stopped(Some("23:59"), 8),
                Answer::Stopped(None, 8),
            ] {
                texts.push((false, answer(language, answered)));
            }
        }
        for (has_code, text) in texts {
            prop_assert_eq!(segments(&text).0, 1, "{}", text);
            prop_assert!(!has_code || text.contains("9999"), "{}", text);
        }
    }

    /// An English text of plain letters never falls back to the short messages of UCS-2.
    #[test]
    fn plain_english_stays_in_its_alphabet(en in "[ -~°µ²…“”–]{1,200}", device in "[a-z0-9-]{1,60}") {
        let subject = Subject {
            device: device.as_str().into(),
            text_en: en.as_str().into(),
            ..oven()
        };
        let text = of_one(Language::English, Kind::Escalated, &subject, Some(1000), 15);
        prop_assert!(gsm7::encode(&text).is_some_and(|septets| septets.len() <= 160), "{}", text);
    }
}
