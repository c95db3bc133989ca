//! What a `Serialize` said when it refused.
//!
//! postcard's error does not keep the text, so a value that could not be encoded is serialised once more,
//! into nothing, with an error type that does.

use serde::Serialize;
use serde::ser::{self, Serializer};

use super::bounded_serializer::Writer;
use super::bounds::{self, Bounds, Excess};

/// Keeps the text it is made of.
type Told = serde::de::value::Error;

/// The text of the error with which this value refuses to be serialised; `None` if it does not refuse, or
/// exceeds a bound.
pub(super) fn refusal<T: Serialize>(value: &T) -> Option<String> {
    let bounds = bounds::sounding();
    let refused = walk(value, &bounds);
    refused.filter(|_| bounds.excess().is_none())
}

/// How many levels it has; more than [`SOUNDED`](bounds::SOUNDED) if it has more. `None` if it refuses to be
/// looked at to its end.
pub(super) fn levels<T: Serialize>(value: &T) -> Option<u32> {
    let bounds = bounds::sounding();
    match (walk(value, &bounds), bounds.excess()) {
        (None, _) | (_, Some(Excess::Depth)) => Some(bounds.deepest()),
        _ => None,
    }
}

fn walk<T: Serialize>(value: &T, bounds: &Bounds) -> Option<String> {
    let place = bounds.top();
    place.go(|| value.serialize(Writer { inner: Nowhere, place }))?.err().map(|told| told.to_string())
}

/// Takes everything and writes nothing.
struct Nowhere;

macro_rules! takes {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<(), Told> { Ok(()) })*
    };
}

macro_rules! opens {
    ($($method:ident -> $compound:ident($($argument:ty),*);)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<Self::$compound, Told> { Ok(Nowhere) })*
    };
}

impl Serializer for Nowhere {
    type Ok = ();
    type Error = Told;
    type SerializeSeq = Nowhere;
    type SerializeTuple = Nowhere;
    type SerializeTupleStruct = Nowhere;
    type SerializeTupleVariant = Nowhere;
    type SerializeMap = Nowhere;
    type SerializeStruct = Nowhere;
    type SerializeStructVariant = Nowhere;

    takes! {
        serialize_bool(bool);
        serialize_i8(i8); serialize_i16(i16); serialize_i32(i32); serialize_i64(i64); serialize_i128(i128);
        serialize_u8(u8); serialize_u16(u16); serialize_u32(u32); serialize_u64(u64); serialize_u128(u128);
        serialize_f32(f32); serialize_f64(f64);
        serialize_char(char); serialize_str(&str); serialize_bytes(&[u8]);
        serialize_none(); serialize_unit(); serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    opens! {
        serialize_seq -> SerializeSeq(Option<usize>);
        serialize_tuple -> SerializeTuple(usize);
        serialize_tuple_struct -> SerializeTupleStruct(&'static str, usize);
        serialize_tuple_variant -> SerializeTupleVariant(&'static str, u32, &'static str, usize);
        serialize_map -> SerializeMap(Option<usize>);
        serialize_struct -> SerializeStruct(&'static str, usize);
        serialize_struct_variant -> SerializeStructVariant(&'static str, u32, &'static str, usize);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Told> {
        value.serialize(Nowhere)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Told> {
        value.serialize(Nowhere)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Told> {
        value.serialize(Nowhere)
    }

    fn is_human_readable(&self) -> bool {
        // As postcard does: types with a human-readable form must be serialised in the other one.
        false
    }
}

macro_rules! compounds {
    ($($compound:ident { $($method:ident($($name:ty)?);)+ })*) => {
        $(impl ser::$compound for Nowhere {
            type Ok = ();
            type Error = Told;

            $(fn $method<T: Serialize + ?Sized>(&mut self, $(_: $name,)? value: &T) -> Result<(), Told> {
                value.serialize(Nowhere)
            })+

            fn end(self) -> Result<(), Told> {
                Ok(())
            }
        })*
    };
}

compounds! {
    SerializeSeq { serialize_element(); }
    SerializeTuple { serialize_element(); }
    SerializeTupleStruct { serialize_field(); }
    SerializeTupleVariant { serialize_field(); }
    SerializeMap { serialize_key(); serialize_value(); }
    SerializeStruct { serialize_field(&'static str); }
    SerializeStructVariant { serialize_field(&'static str); }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    #[derive(Serialize)]
    enum Shape {
        Unit,
        Tuple(u8, f32),
        Struct { deep: BTreeMap<String, Option<Fussy>> },
    }

    #[derive(Serialize)]
    struct Fussy(#[serde(serialize_with = "refuse_odd")] u32);

    fn refuse_odd<S: Serializer>(number: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        match number % 2 {
            0 => serializer.serialize_u32(*number),
            _ => Err(ser::Error::custom(format!("{number} is odd"))),
        }
    }

    #[test]
    fn the_text_of_a_refusal_comes_out_however_deep_it_lies() {
        let holding = |number| {
            let deep = BTreeMap::from([("key".to_owned(), Some(Fussy(number)))]);
            (Shape::Unit, [Shape::Tuple(1, 2.0)], Shape::Struct { deep }, 'c', PathBuf::from("path"))
        };
        assert_eq!(refusal(&holding(2)), None);
        assert_eq!(refusal(&holding(3)).as_deref(), Some("3 is odd"));
    }
}
