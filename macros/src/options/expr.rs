//! Values of options as constant expressions of the runtime's types.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{LitStr, Path};

use super::supervision::{Backoff, Destination, Drain, Intensity, Recycle, Restart, Shutdown, ToExpr};
use super::units::duration_expr;

/// The parts that complete an expression.
pub(super) struct Base<'a> {
    /// The path that everything in the expansion comes from.
    pub(super) private: &'a Path,
    /// An expression of the runtime's type `Recycle`, for the limits that the annotation does not set.
    pub(super) recycle: &'a TokenStream,
}

/// The field of an option as the runtime's `Options` has it.
pub(super) trait ToField {
    /// Returns the value of the runtime's field, or `None` if the annotation does not set it.
    fn to_field(&self, base: &Base<'_>) -> Option<TokenStream>;
}

impl<T: Value> ToField for Option<T> {
    fn to_field(&self, base: &Base<'_>) -> Option<TokenStream> {
        self.as_ref().map(|value| value.to_value(base.private))
    }
}

impl ToField for Recycle {
    fn to_field(&self, base: &Base<'_>) -> Option<TokenStream> {
        self.to_expr(base.private, base.recycle).map(some)
    }
}

/// A value that an option has as a whole. Most fields of the runtime are an `Option`; a switch is a `bool`.
pub(super) trait Value {
    fn to_value(&self, private: &Path) -> TokenStream;
}

fn some(value: TokenStream) -> TokenStream {
    quote!(::core::option::Option::Some(#value))
}

impl Value for bool {
    fn to_value(&self, _: &Path) -> TokenStream {
        self.to_token_stream()
    }
}

macro_rules! values {
    ($($type:ty: |$value:ident, $private:pat_param| $expr:expr;)+) => {
        $(impl Value for $type {
            fn to_value(&self, $private: &Path) -> TokenStream {
                let $value = self;
                some($expr)
            }
        })+
    };
}

values! {
    LitStr: |name, _| name.to_token_stream();
    u32: |number, _| number.to_token_stream();
    u64: |number, _| number.to_token_stream();
    i32: |number, _| number.to_token_stream();
    Duration: |time, _| duration_expr(*time);
    Restart: |restart, private| restart.to_expr(private);
    Intensity: |intensity, private| intensity.to_expr(private);
    Backoff: |backoff, private| backoff.to_expr(private);
    Shutdown: |shutdown, private| shutdown.to_expr(private);
    Drain: |drain, private| drain.to_expr(private);
    Destination: |output, private| output.to_expr(private);
}
