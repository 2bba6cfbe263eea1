//! Payloads are declared once: each key with its type, its value and what it means. From that come
//! both what is written and what a schema says of it, so that the two cannot differ.
//!
//! The type of a key is that of its value: null is possible where it is an `Option`, and a key may be
//! left out where it is a [`Maybe`].

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use serde::ser::SerializeMap;

/// A payload as it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// Short name: `kpi`.
    pub name: &'static str,
    /// Topic below the gateway; variables in braces.
    pub topic: &'static str,
    /// What it is and when it is sent.
    pub about: &'static str,
    /// How it is treated.
    pub class: PayloadClass,
    /// Its keys, in the order in which they are written.
    pub fields: Vec<Field>,
    /// Keys that end with these, after the name of a tag.
    pub of_tags: Vec<Field>,
    /// What follows `fields`, by the word in `event`.
    pub variants: Vec<Variant>,
}

/// How a payload is treated on its way (contract §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadClass {
    /// Stored, numbered and delivered at least once.
    Record,
    /// Retained at the broker and overwritten.
    Current,
    /// Received: what others ask for.
    Command,
}

/// One kind of a payload that is of several kinds.
#[derive(Debug, Clone, PartialEq)]
pub struct Variant {
    /// The words in `event` that say that it is this one.
    pub words: &'static [&'static str],
    /// What it tells.
    pub about: &'static str,
    /// Its keys, without `event`.
    pub fields: Vec<Field>,
}

/// One key of a payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub shape: Shape,
    /// Whether it may be null.
    pub null: bool,
    /// When it is there.
    pub presence: Presence,
    /// What it means, with its unit.
    pub about: String,
}

/// When a key is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// In every payload.
    Always,
    /// Not in every one.
    Sometimes,
    /// Where this key has this value, and nowhere else.
    Where(&'static str, &'static str),
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// True or false.
    Truth,
    /// A whole number, not below 0.
    Count,
    /// A whole number.
    Whole,
    /// A moment: milliseconds since 1970, UTC.
    Time,
    /// A number.
    Number,
    /// A number from 0 up.
    Positive,
    /// A number from 0 to 1.
    Share,
    /// This number.
    Only(u32),
    /// A text.
    Text,
    /// A text that matches this regular expression.
    Pattern(&'static str),
    /// One of these words.
    Words(Vec<&'static str>),
    /// What was read from a machine: number, text or truth value.
    Read,
    /// What was read of a number: number or truth value.
    ReadNumber,
    /// Several of the same.
    List(Box<Shape>),
}

impl Field {
    pub(super) fn new(name: impl Into<String>, shape: Shape, about: impl Into<String>) -> Field {
        Field {
            name: name.into(),
            shape,
            null: false,
            presence: Presence::Always,
            about: about.into(),
        }
    }

    pub(super) fn of<T: Entry>(name: &str, about: &str) -> Field {
        Field {
            null: T::NULL,
            presence: if T::LEFT_OUT {
                Presence::Sometimes
            } else {
                Presence::Always
            },
            ..Field::new(name, T::shape(), about)
        }
    }

    pub(super) fn or_null(self) -> Field {
        Field { null: true, ..self }
    }

    pub(super) fn present(self, presence: Presence) -> Field {
        Field { presence, ..self }
    }
}

/// What may stand at a key.
pub(super) trait Entry {
    /// Whether it may be null.
    const NULL: bool = false;
    /// Whether the key may be left out.
    const LEFT_OUT: bool = false;
    /// What the schema says of it.
    fn shape() -> Shape;
    /// Writes it.
    fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error>;
}

/// A key that is left out where there is nothing to say.
pub(super) struct Maybe<T>(pub(super) Option<T>);

impl<T: Entry> Entry for Maybe<T> {
    const NULL: bool = T::NULL;
    const LEFT_OUT: bool = true;
    fn shape() -> Shape {
        T::shape()
    }
    fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
        self.0.as_ref().map_or(Ok(()), |value| value.put(map, key))
    }
}

impl<T: Entry> Entry for Option<T> {
    const NULL: bool = true;
    fn shape() -> Shape {
        T::shape()
    }
    fn put<M: SerializeMap>(&self, map: &mut M, key: &str) -> Result<(), M::Error> {
        match self {
            Some(value) => value.put(map, key),
            None => map.serialize_entry(key, &()),
        }
    }
}

/// Declares keys of a payload: a function that writes them, and one that tells them.
macro_rules! keys {
    (
        $(#[$doc:meta])*
        fn $write:ident, $tell:ident($($arg:ident: $arg_type:ty),*) {
            $($key:literal: $type:ty = $value:expr, $about:literal;)*
        }
    ) => {
        $(#[$doc])*
        pub(super) fn $write<M: serde::ser::SerializeMap>(
            map: &mut M,
            $($arg: $arg_type),*
        ) -> Result<(), M::Error> {
            $(
                let value: $type = $value;
                crate::message::declare::Entry::put(&value, map, $key)?;
            )*
            Ok(())
        }

        pub(super) fn $tell() -> alloc::vec::Vec<crate::message::declare::Field> {
            alloc::vec::Vec::from([
                $(crate::message::declare::Field::of::<$type>($key, $about)),*
            ])
        }
    };
}

pub(super) use keys;
