//! Reads JSON so that nothing in it is passed over: an unknown key and a `null` without a meaning
//! are refused, at any depth.
//!
//! serde skips what a type has no field for, and reads `null` as an absent option. A body that is
//! taken for less than it says asks for more than its sender meant: `{"seats":[…]}` of a refund would
//! give back the whole order. [`Strict`] wraps any deserializer, so that it holds for every type of
//! body without a mark on the type. A field whose `null` means something is marked with
//! [`nullable`] or [`nullable_or_absent`].
//!
//! Variants of enums with content are not looked into: no body has any.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor,
};

/// The name that marks a field whose `null` means something.
const NULLABLE: &str = "$tiketi::nullable";

/// Why a body was not taken, beyond serde's own reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmeant {
    /// No field has this key; these would be right.
    Unknown(&'static [&'static str]),
    /// A `null` that means nothing.
    Null,
}

/// What [`Strict`] looks for, and found.
pub(crate) struct Watch {
    refuses_unknown: bool,
    found: Cell<Option<Unmeant>>,
}

impl Watch {
    pub(crate) fn new(refuses_unknown: bool) -> Self {
        Watch { refuses_unknown, found: Cell::new(None) }
    }

    pub(crate) fn found(&self) -> Option<Unmeant> {
        self.found.get()
    }

    fn refuse<T, E: Error>(&self, unmeant: Unmeant) -> Result<T, E> {
        self.found.set(Some(unmeant));
        Err(E::custom("not meant"))
    }
}

/// For a field whose `null` is the same as its absence, with `serde(default)`.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Marked<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Marked<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value or null")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<Option<T>, D::Error> {
            Option::deserialize(deserializer)
        }
    }
    deserializer.deserialize_newtype_struct(NULLABLE, Marked(PhantomData))
}

/// For a field whose `null` empties it and whose absence leaves it, with `serde(default)`.
pub(crate) fn nullable_or_absent<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    nullable(deserializer).map(Some)
}

/// A deserializer that passes nothing over.
pub(crate) struct Strict<'w, D> {
    inner: D,
    place: Place<'w>,
}

/// Where in a body something stands.
#[derive(Clone, Copy)]
struct Place<'w> {
    watch: &'w Watch,
    /// The fields of the object around it.
    fields: &'static [&'static str],
    /// Whether `null` means something here.
    is_nullable: bool,
}

impl<'w, D> Strict<'w, D> {
    pub(crate) fn new(inner: D, watch: &'w Watch) -> Self {
        Strict { inner, place: Place { watch, fields: &[], is_nullable: false } }
    }
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $of:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $($argument: $of,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            let visitor = Watched { inner: visitor, place: self.place, is_option: false };
            self.inner.$method($($argument,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32()
        deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64() deserialize_char()
        deserialize_str() deserialize_string() deserialize_bytes() deserialize_byte_buf()
        deserialize_unit() deserialize_seq() deserialize_map() deserialize_identifier()
        deserialize_unit_struct(name: &'static str)
        deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(Watched {
            inner: visitor,
            place: self.place,
            is_option: true,
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let place = Place { is_nullable: name == NULLABLE, ..self.place };
        let visitor = Watched { inner: visitor, place, is_option: false };
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let place = Place { fields, ..self.place };
        let visitor = Watched { inner: visitor, place, is_option: false };
        self.inner.deserialize_struct(name, fields, visitor)
    }

    /// Asked for where a type has no field of that key.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        match self.place.watch.refuses_unknown {
            true => self.place.watch.refuse(Unmeant::Unknown(self.place.fields)),
            false => self.inner.deserialize_ignored_any(visitor),
        }
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The visitor of a type, and what is around the value that it gets.
struct Watched<'w, V> {
    inner: V,
    place: Place<'w>,
    /// Whether the type would take `null` for absent.
    is_option: bool,
}

macro_rules! visit {
    ($($method:ident($of:ty))*) => {
        $(fn $method<E: Error>(self, value: $of) -> Result<V::Value, E> {
            self.inner.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Watched<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
        visit_bool(bool) visit_i8(i8) visit_i16(i16) visit_i32(i32) visit_i64(i64)
        visit_i128(i128) visit_u8(u8) visit_u16(u16) visit_u32(u32) visit_u64(u64)
        visit_u128(u128) visit_f32(f32) visit_f64(f64) visit_char(char)
        visit_str(&str) visit_borrowed_str(&'de str) visit_string(String)
        visit_bytes(&[u8]) visit_borrowed_bytes(&'de [u8]) visit_byte_buf(Vec<u8>)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        match self.is_option && !self.place.is_nullable {
            true => self.place.watch.refuse(Unmeant::Null),
            false => self.inner.visit_none(),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        match self.is_option && !self.place.is_nullable {
            true => self.place.watch.refuse(Unmeant::Null),
            false => self.inner.visit_unit(),
        }
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let place = Place { is_nullable: false, ..self.place };
        self.inner.visit_some(Strict { inner, place })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Strict { inner, place: self.place })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Parts { inner, place: self.place })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Parts { inner, place: self.place })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(data)
    }
}

/// The items of a list, the values of an object, or what reads one of them.
struct Parts<'w, A> {
    inner: A,
    place: Place<'w>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Parts { inner: seed, place: self.place })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Parts { inner: seed, place: self.place })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Parts<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        let place = Place { is_nullable: false, ..self.place };
        self.inner.deserialize(Strict { inner, place })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Outer {
        number: Option<u32>,
        inner_one: Option<Inner>,
        list: Vec<Inner>,
        kind: Option<Kind>,
        #[serde(deserialize_with = "nullable")]
        note: Option<Inner>,
        #[serde(deserialize_with = "nullable_or_absent")]
        text: Option<Option<String>>,
        wrapped: Option<Wrapped>,
        any: Option<Value>,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    struct Inner {
        a: u8,
        #[serde(default)]
        b: Option<u8>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Wrapped(Inner);

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        OneWord,
    }

    fn read(json: &str) -> (Option<Outer>, Option<Unmeant>) {
        let watch = Watch::new(true);
        let mut json = serde_json::Deserializer::from_str(json);
        let read = Outer::deserialize(Strict::new(&mut json, &watch)).ok();
        (read, watch.found())
    }

    #[test]
    fn what_is_meant_is_read_as_without() {
        for json in [
            r#"{}"#,
            r#"{"number":7,"innerOne":{"a":1},"list":[{"a":1,"b":2},{"a":3}],"kind":"one_word"}"#,
            r#"{"note":null,"text":null,"any":{"x":[null,{"y":null}]},"wrapped":{"a":1}}"#,
            r#"{"note":{"a":1},"text":"x"}"#,
        ] {
            let plain: Outer = serde_json::from_str(json).expect(json);
            assert_eq!(read(json), (Some(plain), None), "{json}");
        }
        assert_eq!(read(r#"{"text":null}"#).0.expect("read").text, Some(None));
        assert_eq!(read("{}").0.expect("read").text, None);
    }

    #[test]
    fn what_is_not_meant_is_refused_at_any_depth() {
        const OUTER: &[&str] =
            &["number", "innerOne", "list", "kind", "note", "text", "wrapped", "any"];
        const INNER: &[&str] = &["a", "b"];
        for (json, expected) in [
            (r#"{"x":1}"#, Unmeant::Unknown(OUTER)),
            (r#"{"inner_one":{"a":1}}"#, Unmeant::Unknown(OUTER)),
            (r#"{"innerOne":{"a":1,"c":[{}]}}"#, Unmeant::Unknown(INNER)),
            (r#"{"list":[{"a":1},{"a":1,"c":1}]}"#, Unmeant::Unknown(INNER)),
            (r#"{"note":{"a":1,"c":1}}"#, Unmeant::Unknown(INNER)),
            (r#"{"wrapped":{"a":1,"c":1}}"#, Unmeant::Unknown(INNER)),
            (r#"{"number":null}"#, Unmeant::Null),
            (r#"{"kind":null}"#, Unmeant::Null),
            (r#"{"list":[{"a":1,"b":null}]}"#, Unmeant::Null),
            // The mark is for the field alone, not for what is in it.
            (r#"{"note":{"a":1,"b":null}}"#, Unmeant::Null),
            (r#"{"wrapped":{"a":1,"b":null}}"#, Unmeant::Null),
        ] {
            assert_eq!(read(json), (None, Some(expected)), "{json}");
        }
        // serde refuses these itself.
        for json in [r#"{"list":null}"#, r#"{"list":[null]}"#, r#"{"number":1,"number":1}"#] {
            assert_eq!(read(json), (None, None), "{json}");
        }
    }
}
