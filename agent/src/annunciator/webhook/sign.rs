//! The signatures that robots want (HMAC-SHA256, RFC 2104).

use crate::base64;
use ring::hmac;
use std::fmt::Write as _;

/// DingTalk (自定义机器人安全设置, 加签): the time in milliseconds and the secret, signed with the secret;
/// written so that it may stand in an address.
pub(super) fn dingtalk(ms: i64, secret: &str) -> String {
    let sign = hmac(secret.as_bytes(), format!("{ms}\n{secret}").as_bytes());
    let mut coded = String::new();
    for digit in base64::encode(&sign).chars() {
        match digit {
            '+' => coded += "%2B",
            '/' => coded += "%2F",
            '=' => coded += "%3D",
            plain => coded.push(plain),
        }
    }
    coded
}

/// Feishu (自定义机器人使用指南, 签名校验): nothing at all, signed with the time in seconds and the secret.
pub(super) fn feishu(seconds: i64, secret: &str) -> String {
    base64::encode(&hmac(format!("{seconds}\n{secret}").as_bytes(), b""))
}

/// Our own, of a JSON body: the time in milliseconds, a point and the body, in hexadecimal digits.
pub(super) fn json(ms: i64, body: &[u8], secret: &str) -> String {
    let mut signed = format!("{ms}.").into_bytes();
    signed.extend_from_slice(body);
    let mut text = String::from("sha256=");
    for byte in hmac(secret.as_bytes(), &signed) {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Known answers: Python's `hmac`, `base64` and `urllib.parse.quote_plus`, put together as in the
    // examples that the products' own documentation has for Python.

    #[test]
    fn dingtalk_as_python_computes_it() {
        for (ms, secret, sign) in [
            (
                1_577_808_000_000,
                "this is secret",
                "ijHEivi6YiCNPZOq4hZstmvZ3sPfbioAiMhP30ae7W0%3D",
            ),
            (
                1_790_000_100_124,
                "this is secret",
                "4Yz2f497skBiC%2FQg5FxuIEwffvmrbjXALoN0J6nbVu0%3D",
            ),
            (
                1_790_000_100_130,
                "SEC0a1b2c3d",
                "7KDThP46A1RYhuSmaTUAUCLy%2B0Mce%2FGocMQBddN7ijk%3D",
            ),
        ] {
            assert_eq!(dingtalk(ms, secret), sign);
        }
    }

    #[test]
    fn feishu_as_python_computes_it() {
        assert_eq!(
            feishu(1_599_360_473, "demo"),
            "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
        );
        assert_eq!(
            feishu(1_790_000_100, "nIMtb7r3N9pkXyXdtAbx6e"),
            "kff5rRAXvBViKFFZdIfdVwwl9e/R4F4NDppx2YdhwtI="
        );
    }

    #[test]
    fn our_own_as_python_computes_it() {
        assert_eq!(
            json(
                1_790_000_100_123,
                "{\"text\":\"压力机\"}".as_bytes(),
                "s3cret-of-the-mes"
            ),
            "sha256=da9001f5d30322745b765c4de1188d3ae7ce733c02212faf17690573b3d04081"
        );
    }
}
