//! A serializer around another one, which enforces the [`Bounds`](super::bounds::Bounds), and the output for
//! the bytes.

use std::fmt::Display;

use postcard::ser_flavors::Flavor;
use serde::ser::{self, Error, Serialize, Serializer};

use super::bounds::{BYTES, Bounds, Excess, Place, Silent};

/// Writes what is at this place.
pub(super) struct Writer<'b, S> {
    pub(super) inner: S,
    pub(super) place: Place<'b>,
}

/// A part of something.
struct Part<'a, 'b, T: ?Sized> {
    value: &'a T,
    place: Place<'b>,
}

/// Something with parts.
pub(super) struct Parts<'b, C> {
    inner: C,
    place: Place<'b>,
}

fn too_much<T, E: Error>() -> Result<T, E> {
    Err(E::custom(Silent))
}

impl<T: Serialize + ?Sized> Serialize for Part<'_, '_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        let place = self.place;
        place.go(|| self.value.serialize(Writer { inner, place })).unwrap_or_else(too_much)
    }
}

macro_rules! plain {
    ($($method:ident($($name:ident: $argument:ty),*);)*) => {
        $(#[inline]
        fn $method(self, $($name: $argument),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($name),*)
        })*
    };
}

macro_rules! opens {
    ($($method:ident -> $compound:ident($($name:ident: $argument:ty),*);)*) => {
        $(#[inline]
        fn $method(self, $($name: $argument),*) -> Result<Self::$compound, S::Error> {
            let Writer { inner, place } = self;
            if !place.has_level() {
                return too_much();
            }
            Ok(Parts { inner: inner.$method($($name),*)?, place: place.inside() })
        })*
    };
}

type Name = &'static str;

impl<'b, S: Serializer> Serializer for Writer<'b, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'b, S::SerializeSeq>;
    type SerializeTuple = Parts<'b, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'b, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'b, S::SerializeTupleVariant>;
    type SerializeMap = Parts<'b, S::SerializeMap>;
    type SerializeStruct = Parts<'b, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'b, S::SerializeStructVariant>;

    plain! {
        serialize_bool(value: bool); serialize_char(value: char);
        serialize_f32(value: f32); serialize_f64(value: f64);
        serialize_i8(value: i8); serialize_i16(value: i16); serialize_i32(value: i32);
        serialize_i64(value: i64); serialize_i128(value: i128);
        serialize_u8(value: u8); serialize_u16(value: u16); serialize_u32(value: u32);
        serialize_u64(value: u64); serialize_u128(value: u128);
        serialize_str(value: &str); serialize_bytes(value: &[u8]);
        serialize_unit(); serialize_unit_struct(name: Name);
    }

    opens! {
        serialize_seq -> SerializeSeq(len: Option<usize>);
        serialize_tuple -> SerializeTuple(len: usize);
        serialize_tuple_struct -> SerializeTupleStruct(name: Name, len: usize);
        serialize_tuple_variant -> SerializeTupleVariant(name: Name, index: u32, variant: Name, len: usize);
        serialize_map -> SerializeMap(len: Option<usize>);
        serialize_struct -> SerializeStruct(name: Name, len: usize);
        serialize_struct_variant -> SerializeStructVariant(name: Name, index: u32, variant: Name, len: usize);
    }

    fn serialize_unit_variant(self, name: Name, index: u32, variant: Name) -> Result<S::Ok, S::Error> {
        if !self.place.has_level() {
            return too_much();
        }
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: Name,
        index: u32,
        variant: Name,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Writer { inner, place } = self;
        if !place.has_level() {
            return too_much();
        }
        inner.serialize_newtype_variant(name, index, variant, &Part { value, place: place.inside() })
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        if !self.place.has_thin_level() {
            return too_much();
        }
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let Writer { inner, place } = self;
        if !place.has_thin_level() {
            return too_much();
        }
        inner.serialize_some(&Part { value, place: place.through() })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: Name,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Writer { inner, place } = self;
        if !place.has_thin_level() {
            return too_much();
        }
        inner.serialize_newtype_struct(name, &Part { value, place: place.through() })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! compounds {
    ($($compound:ident { $($method:ident($($name:ident: $argument:ty)?), $counted:literal;)+ })*) => {
        $(impl<C: ser::$compound> ser::$compound for Parts<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            $(#[inline]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($name: $argument,)?
                value: &T,
            ) -> Result<(), C::Error> {
                if $counted && !self.place.bounds.item() {
                    return too_much();
                }
                self.inner.$method($($name,)? &Part { value, place: self.place })
            })+

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

compounds! {
    SerializeSeq { serialize_element(), true; }
    SerializeTuple { serialize_element(), false; }
    SerializeTupleStruct { serialize_field(), false; }
    SerializeTupleVariant { serialize_field(), false; }
    SerializeMap { serialize_key(), true; serialize_value(), false; }
    SerializeStruct { serialize_field(name: Name), false; }
    SerializeStructVariant { serialize_field(name: Name), false; }
}

/// The encoded bytes, as many as there may be.
pub(super) struct Output<'b> {
    bytes: Vec<u8>,
    bounds: &'b Bounds,
}

impl<'b> Output<'b> {
    pub(super) fn new(bounds: &'b Bounds) -> Output<'b> {
        Output { bytes: Vec::new(), bounds }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Flavor for Output<'_> {
    type Output = Vec<u8>;

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        let len = self.bytes.len() as u64 + bytes.len() as u64;
        if len > BYTES {
            self.bounds.exceed(Excess::Bytes);
            return Err(postcard::Error::SerializeBufferFull);
        }
        self.bytes.extend_from_slice(bytes);
        self.bounds.bytes.set(len);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<Vec<u8>> {
        Ok(self.bytes)
    }
}
