//! A deserializer around another one, which enforces the [`Bounds`](super::bounds::Bounds).

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::bounds::{Place, Silent};

/// Reads what is at this place.
pub(super) struct Reader<'b, D> {
    pub(super) inner: D,
    pub(super) place: Place<'b>,
}

/// A visitor whose parts are read within the bounds.
struct Seen<'b, V> {
    visitor: V,
    /// The place of the parts.
    place: Place<'b>,
    /// Whether the number of parts is one that was read.
    counted: bool,
}

struct Part<'b, T> {
    inner: T,
    place: Place<'b>,
}

struct Parts<'b, A> {
    inner: A,
    place: Place<'b>,
    counted: bool,
}

fn too_much<T, E: Error>() -> Result<T, E> {
    Err(E::custom(Silent))
}

macro_rules! plain {
    ($($method:ident($($name:ident: $argument:ty),*);)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $argument,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($name,)* visitor)
        })*
    };
}

macro_rules! level {
    ($($method:ident($($name:ident: $argument:ty),*), $counted:literal;)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $argument,)* visitor: V) -> Result<V::Value, D::Error> {
            let Reader { inner, place } = self;
            if !place.has_level() {
                return too_much();
            }
            let seen = Seen { visitor, place: place.inside(), counted: $counted };
            place.go(|| inner.$method($($name,)* seen)).unwrap_or_else(too_much)
        })*
    };
}

macro_rules! thin {
    ($($method:ident($($name:ident: $argument:ty),*);)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($name: $argument,)* visitor: V) -> Result<V::Value, D::Error> {
            let Reader { inner, place } = self;
            if !place.has_thin_level() {
                return too_much();
            }
            let seen = Seen { visitor, place: place.through(), counted: false };
            place.go(|| inner.$method($($name,)* seen)).unwrap_or_else(too_much)
        })*
    };
}

type Names = &'static [&'static str];

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Reader<'_, D> {
    type Error = D::Error;

    plain! {
        deserialize_bool(); deserialize_char(); deserialize_f32(); deserialize_f64();
        deserialize_i8(); deserialize_i16(); deserialize_i32(); deserialize_i64(); deserialize_i128();
        deserialize_u8(); deserialize_u16(); deserialize_u32(); deserialize_u64(); deserialize_u128();
        deserialize_str(); deserialize_string(); deserialize_bytes(); deserialize_byte_buf();
        deserialize_unit(); deserialize_unit_struct(name: &'static str); deserialize_identifier();
    }

    level! {
        deserialize_seq(), true; deserialize_map(), true;
        deserialize_any(), true; deserialize_ignored_any(), true;
        deserialize_tuple(len: usize), false;
        deserialize_tuple_struct(name: &'static str, len: usize), false;
        deserialize_struct(name: &'static str, fields: Names), false;
        deserialize_enum(name: &'static str, variants: Names), false;
    }

    thin! {
        deserialize_option(); deserialize_newtype_struct(name: &'static str);
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! values {
    ($($method:ident($value:ty);)*) => {
        $(#[inline]
        fn $method<E: Error>(self, value: $value) -> Result<V::Value, E> {
            self.visitor.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Seen<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    values! {
        visit_bool(bool); visit_char(char); visit_f32(f32); visit_f64(f64);
        visit_i8(i8); visit_i16(i16); visit_i32(i32); visit_i64(i64); visit_i128(i128);
        visit_u8(u8); visit_u16(u16); visit_u32(u32); visit_u64(u64); visit_u128(u128);
        visit_str(&str); visit_borrowed_str(&'de str); visit_string(String);
        visit_bytes(&[u8]); visit_borrowed_bytes(&'de [u8]); visit_byte_buf(Vec<u8>);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Reader { inner, place: self.place })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_newtype_struct(Reader { inner, place: self.place })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Parts { inner, place: self.place, counted: self.counted })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Parts { inner, place: self.place, counted: self.counted })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Part { inner, place: self.place })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Part<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Reader { inner, place: self.place })
    }
}

impl<'b, A> Parts<'b, A> {
    fn part<T>(&self, inner: T) -> Part<'b, T> {
        Part { inner, place: self.place }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        if self.counted && !self.place.bounds.item() {
            return too_much();
        }
        self.inner.next_element_seed(self.part(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().filter(|&len| self.place.bounds.may_have(len))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Parts<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        if self.counted && !self.place.bounds.item() {
            return too_much();
        }
        self.inner.next_key_seed(self.part(seed))
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(self.part(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().filter(|&len| self.place.bounds.may_have(len))
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Part<'b, A> {
    type Error = A::Error;
    type Variant = Part<'b, A::Variant>;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (value, inner) = self.inner.variant_seed(seed)?;
        Ok((value, Part { inner, place: self.place }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Part<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, inner: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Part { inner, place: self.place })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Seen { visitor, place: self.place, counted: false })
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: Names, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.struct_variant(fields, Seen { visitor, place: self.place, counted: false })
    }
}
