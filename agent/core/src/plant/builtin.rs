//! The alarms that every plant has without configuring them: those of the gateway itself, and calls.

use super::{Alarm, Device, Owner, Priority};
use crate::call::Call;
use crate::own::Own;
use crate::rule::Rule;
use crate::tag::DeviceIndex;
use alloc::format;
use alloc::string::String;

impl Alarm {
    /// Whether it is there without being configured.
    pub const fn is_builtin(&self) -> bool {
        matches!(self.when, Rule::Own(_) | Rule::Call(_))
    }

    /// Whether it is raised and cleared by what people say.
    pub const fn is_call(&self) -> bool {
        matches!(self.when, Rule::Call(_))
    }

    /// A call from the device with this index.
    pub fn of_call(index: DeviceIndex, device: &Device, call: Call) -> Alarm {
        let (en, zh) = match call {
            Call::Material => ("material is needed", "呼叫物料"),
            Call::Quality => ("quality control is needed", "呼叫质检"),
            Call::Maintenance => ("maintenance is needed", "呼叫维修"),
        };
        Alarm {
            owner: Owner::Device(index),
            id: call.id().into(),
            priority: Priority::Medium,
            when: Rule::Call(call),
            on_delay_ms: 0,
            off_delay_ms: 0,
            latched: false,
            group: None,
            suppress_when: None,
            text_en: format!("{}: {en}", device.id).into(),
            text_zh: format!("{} {zh}", device.name).into(),
        }
    }

    /// The alarm of the gateway for `own`; `link` is the id of the link that it is about, if it is.
    ///
    /// Delays are start values: a link that is down for less than half a minute, and a broker for less
    /// than five, is nobody's errand, and a clock is set some minutes after a cold start.
    pub fn of_gateway(own: Own, link: &str) -> Alarm {
        let (priority, on_s, off_s) = match own {
            Own::ClockUnset => (Priority::Low, 600, 0),
            Own::DiskFull => (Priority::Medium, 10, 10),
            Own::StoreDamaged => (Priority::Medium, 0, 0),
            Own::BrokerUnreachable => (Priority::Low, 300, 60),
            Own::DuplicateGateway => (Priority::Medium, 0, 300),
            Own::Modem => (Priority::Medium, 60, 60),
            Own::BoardLost | Own::HornTest => (Priority::Medium, 10, 10),
            Own::Notify => (Priority::Medium, 0, 0),
            Own::Link(_) => (Priority::Medium, 30, 60),
        };
        let (text_en, text_zh) = texts(own, link);
        Alarm {
            owner: Owner::Gateway,
            id: own.id(link).into(),
            priority,
            when: Rule::Own(own),
            on_delay_ms: on_s * 1000,
            off_delay_ms: off_s * 1000,
            latched: own.is_found_once(),
            group: None,
            suppress_when: None,
            text_en: text_en.into(),
            text_zh: text_zh.into(),
        }
    }
}

/// English and Chinese, short enough for one message.
fn texts(own: Own, link: &str) -> (String, String) {
    let (en, zh) = match own {
        Own::ClockUnset => (
            "the clock is not set; times are wrong",
            "时钟未校准，时间不准",
        ),
        Own::DiskFull => (
            "the disk takes no records; free space on it or replace it",
            "磁盘无法写入，请清理或更换",
        ),
        Own::StoreDamaged => (
            "stored records were found damaged at the start; check the disk",
            "启动时发现已存数据损坏，请检查磁盘",
        ),
        Own::BrokerUnreachable => (
            "the broker does not answer; records wait on the gateway",
            "无法连接 MQTT 服务器，数据暂存本机",
        ),
        Own::DuplicateGateway => (
            "another gateway has the same id; give one of them another",
            "另一网关使用了相同编号，请修改其一",
        ),
        Own::Modem => (
            "the SMS modem does not work; nobody gets text messages",
            "短信模块故障，短信发不出去",
        ),
        Own::BoardLost => ("the I/O board does not answer", "I/O 板无应答"),
        Own::HornTest => ("the horn has failed its test", "声光报警器自检未通过"),
        Own::Notify => (
            "a webhook or the mail server refuses messages; look at its settings",
            "群机器人或邮件服务器拒收消息，请检查设置",
        ),
        Own::Link(_) => {
            return (
                format!("link {link} is down; the devices behind it cannot be read"),
                format!("链路 {link} 中断，其后设备无法读取"),
            );
        }
    };
    (en.into(), zh.into())
}
