//! From text to [`Rule`]: recursive descent, every mistake with its place.

use super::{Limit, Mistake, Name, Op, Per, Rule};
use crate::state::State;
use crate::tag::{DeviceIndex, TagIndex};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

/// Says what a name (with the device before the dot, if any) stands for, or what is wrong with it.
pub type Resolve<'a> = dyn Fn(Option<&str>, &str) -> Result<Name, String> + 'a;

/// Nesting deeper than this is refused: the evaluation recurses.
const DEEPEST: u8 = 16;

/// Rates of change are taken over times from this one on.
const SHORTEST_RATE_MS: u64 = 1_000;

/// Up to this one.
const LONGEST_RATE_MS: u64 = 24 * 3_600_000;

/// Parses `text`. `deadband` applies to every numeric limit in it.
pub fn parse(text: &str, deadband: f64, resolve: &Resolve<'_>) -> Result<Rule, Mistake> {
    let mut parser = Parser {
        text,
        at: 0,
        deadband,
        resolve,
        depth: 0,
    };
    let rule = parser.any()?;
    let rest = parser.peek();
    if rest.text.is_empty() {
        Ok(rule)
    } else {
        Err(rest.mistake(
            "the rule should end here",
            Some("join conditions with `and` or `or`"),
        ))
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    deadband: f64,
    resolve: &'a Resolve<'a>,
    depth: u8,
}

#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    at: usize,
}

impl Token<'_> {
    fn mistake(self, what: impl Into<String>, hint: Option<&str>) -> Mistake {
        Mistake {
            at: self.at,
            len: self.text.len().max(1),
            what: what.into(),
            hint: hint.map(ToString::to_string),
        }
    }
}

/// A time as in `5 min`.
fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - digits.len()].parse().ok()?;
    let unit = match digits.trim() {
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token<'a> {
        let rest = &self.text[self.at..];
        let at = self.at + (rest.len() - rest.trim_start().len());
        let rest = &self.text[at..];
        let Some(first) = rest.chars().next() else {
            return Token { text: "", at };
        };
        let len = if first == '"' || first == '\'' {
            rest[1..].find(first).map_or(rest.len(), |end| end + 2)
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if matches!(first, '<' | '>' | '=' | '!') && rest[1..].starts_with('=') {
            2
        } else {
            first.len_utf8()
        };
        Token {
            text: &rest[..len],
            at,
        }
    }

    fn next(&mut self) -> Token<'a> {
        let token = self.peek();
        self.at = token.at + token.text.len();
        token
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek().text == word;
        if found {
            self.next();
        }
        found
    }

    fn any(&mut self) -> Result<Rule, Mistake> {
        let mut rule = self.all()?;
        while self.take("or") {
            rule = Rule::Or(Box::new(rule), Box::new(self.all()?));
        }
        Ok(rule)
    }

    fn all(&mut self) -> Result<Rule, Mistake> {
        let mut rule = self.one()?;
        while self.take("and") {
            rule = Rule::And(Box::new(rule), Box::new(self.one()?));
        }
        Ok(rule)
    }

    fn one(&mut self) -> Result<Rule, Mistake> {
        let token = self.next();
        if token.text != "not" && token.text != "(" {
            return self.comparison(token);
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(token.mistake("nested too deeply", Some("at most 16 levels")));
        }
        let rule = if token.text == "not" {
            Rule::Not(Box::new(self.one()?))
        } else {
            let inner = self.any()?;
            let close = self.next();
            if close.text != ")" {
                return Err(close.mistake("expected `)`", None));
            }
            inner
        };
        self.depth -= 1;
        Ok(rule)
    }

    fn comparison(&mut self, subject: Token<'a>) -> Result<Rule, Mistake> {
        if !subject
            .text
            .starts_with(|c: char| c.is_alphabetic() || c == '_')
        {
            return Err(subject.mistake(
                "expected a condition",
                Some("such as `state == faulted`, `temperature > 80` or `no_data`"),
            ));
        }
        let per = Per::ALL.iter().find(|(name, _)| *name == subject.text);
        if let (Some((_, per)), "(") = (per, self.peek().text) {
            return self.rate(*per, subject);
        }
        if subject.text == "no_data" && self.take("(") {
            return self.tag_no_data();
        }
        let name = self.name(subject)?;
        match name {
            Name::NoData(device) => return Ok(Rule::NoData(device)),
            Name::Suspect(device) => return Ok(Rule::Suspect(device)),
            _ => {}
        }
        if self.ends_condition() {
            match name {
                Name::Tag(device, tag) => {
                    return Ok(Rule::Tag {
                        device,
                        tag,
                        op: Op::Equal,
                        limit: Limit::Bool(true),
                    });
                }
                Name::Lost => return Ok(Rule::Lost),
                _ => {}
            }
        }
        if self.take("bit") {
            return self.bit(name);
        }
        let op_token = self.peek();
        let op = self.op(subject)?;
        let operand = self.next();
        match name {
            Name::State(device) => {
                let is = State::from_name(operand.text).ok_or_else(|| {
                    operand.mistake(
                        format!("`{}` is not a state", operand.text),
                        Some("producing, setup, delayed, faulted, idle or planned_stop"),
                    )
                })?;
                if is == State::Unknown {
                    let what = "an unknown state neither raises nor clears an alarm";
                    return Err(operand.mistake(what, Some("use `no_data`")));
                }
                match op {
                    Op::Equal => Ok(Rule::State {
                        device,
                        is,
                        negated: false,
                    }),
                    Op::NotEqual => Ok(Rule::State {
                        device,
                        is,
                        negated: true,
                    }),
                    _ => Err(op_token.mistake("states have no order", Some("use == or !="))),
                }
            }
            Name::Tag(device, tag) => {
                let limit = self.limit(operand)?;
                let ordered = !matches!(op, Op::Equal | Op::NotEqual);
                if ordered && !matches!(limit, Limit::Number { .. }) {
                    return Err(operand.mistake("only numbers have an order", Some("use == or !=")));
                }
                Ok(Rule::Tag {
                    device,
                    tag,
                    op,
                    limit,
                })
            }
            Name::Figure(device, measure, over_ms) => Ok(Rule::Figure {
                device,
                measure,
                over_ms,
                op,
                limit: self.number(operand, "a figure")?,
            }),
            Name::Lost => self.limit(operand).map(|_| Rule::Lost),
            Name::NoData(device) => Ok(Rule::NoData(device)),
            Name::Suspect(device) => Ok(Rule::Suspect(device)),
        }
    }

    fn name(&self, token: Token<'a>) -> Result<Name, Mistake> {
        let (device, name) = match token.text.rsplit_once('.') {
            Some((device, name)) => (Some(device), name),
            None => (None, token.text),
        };
        (self.resolve)(device, name).map_err(|what| token.mistake(what, None))
    }

    fn op(&mut self, subject: Token<'a>) -> Result<Op, Mistake> {
        let token = self.next();
        Ok(match token.text {
            "==" => Op::Equal,
            "!=" => Op::NotEqual,
            "<" => Op::Less,
            "<=" => Op::LessEqual,
            ">" => Op::Greater,
            ">=" => Op::GreaterEqual,
            "=" => return Err(token.mistake("`=` is not a comparison", Some("use `==`"))),
            _ => {
                return Err(token.mistake(
                    format!("expected a comparison after `{}`", subject.text),
                    Some("one of == != < <= > >="),
                ));
            }
        })
    }

    fn expect(&mut self, sign: &str, hint: &str) -> Result<(), Mistake> {
        let token = self.next();
        if token.text == sign {
            return Ok(());
        }
        Err(token.mistake(format!("expected `{sign}`"), Some(hint)))
    }

    /// A tag between parentheses, or something lost.
    fn tag(&mut self, hint: &str) -> Result<Option<(DeviceIndex, TagIndex)>, Mistake> {
        let token = self.next();
        if !token.text.starts_with(is_word) {
            return Err(token.mistake("expected a tag", Some(hint)));
        }
        match self.name(token)? {
            Name::Tag(device, tag) => Ok(Some((device, tag))),
            Name::Lost => Ok(None),
            _ => Err(token.mistake(format!("`{}` is not a tag", token.text), Some(hint))),
        }
    }

    /// What follows `no_data(`.
    fn tag_no_data(&mut self) -> Result<Rule, Mistake> {
        const HINT: &str =
            "such as `no_data(temperature)`, or `no_data` alone for the whole device";
        let tag = self.tag(HINT)?;
        self.expect(")", HINT)?;
        Ok(tag.map_or(Rule::Lost, |(device, tag)| Rule::TagNoData(device, tag)))
    }

    /// What follows `rate_per_min`.
    fn rate(&mut self, per: Per, subject: Token<'a>) -> Result<Rule, Mistake> {
        const HINT: &str = "such as `rate_per_min(temperature, '5 min') > 2`";
        self.expect("(", HINT)?;
        let tag = self.tag(HINT)?;
        self.expect(",", HINT)?;
        let token = self.next();
        let text = token.text.trim_matches(['"', '\'']);
        let window_ms = (token.text.len() == text.len() + 2)
            .then(|| milliseconds(text))
            .flatten()
            .filter(|ms| (SHORTEST_RATE_MS..=LONGEST_RATE_MS).contains(ms))
            .ok_or_else(|| {
                let what = format!("`{}` is not a time to take a rate over", token.text);
                token.mistake(what, Some("from '1 s' to '24 h', in quotes: '5 min'"))
            })?;
        self.expect(")", HINT)?;
        let op = self.op(subject)?;
        let operand = self.next();
        let limit = self.number(operand, "a rate")?;
        Ok(tag.map_or(Rule::Lost, |(device, tag)| Rule::Rate {
            device,
            tag,
            window_ms,
            per,
            op,
            limit,
        }))
    }

    /// A limit that must be a number.
    fn number(&self, token: Token<'_>, what: &str) -> Result<Limit, Mistake> {
        match self.limit(token)? {
            limit @ Limit::Number { .. } => Ok(limit),
            _ => Err(token.mistake(format!("{what} is a number"), Some("compare it with one"))),
        }
    }

    /// A bit of a tag.
    fn bit(&mut self, name: Name) -> Result<Rule, Mistake> {
        let token = self.next();
        let bit = token.text.parse::<u8>().ok().filter(|bit| *bit < 64);
        match (name, bit) {
            (_, None) => {
                let what = format!("`{}` is not the number of a bit", token.text);
                Err(token.mistake(what, Some("from 0, the least significant, to 63")))
            }
            (Name::Tag(device, tag), Some(bit)) => Ok(Rule::Tag {
                device,
                tag,
                op: Op::Equal,
                limit: Limit::Bit(bit),
            }),
            (Name::Lost, Some(_)) => Ok(Rule::Lost),
            (_, Some(_)) => {
                Err(token.mistake("only tags have bits", Some("such as `status bit 3`")))
            }
        }
    }

    /// Whether nothing more belongs to a condition that is a name alone: the contact is closed.
    fn ends_condition(&self) -> bool {
        matches!(self.peek().text, "" | "and" | "or" | ")")
    }

    fn limit(&self, token: Token<'_>) -> Result<Limit, Mistake> {
        let text = token.text;
        if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let inner = text[1..]
                .strip_suffix(quote)
                .ok_or_else(|| token.mistake("the text has no closing quote", None))?;
            return Ok(Limit::Text(inner.into()));
        }
        match text {
            "true" => return Ok(Limit::Bool(true)),
            "false" => return Ok(Limit::Bool(false)),
            _ => {}
        }
        match text.parse::<f64>() {
            Ok(limit) if limit.is_finite() => Ok(Limit::Number {
                limit,
                deadband: self.deadband,
            }),
            _ => Err(token.mistake(
                format!("`{text}` is not a value to compare with"),
                Some("a number, true, false, or a text in quotes"),
            )),
        }
    }
}
