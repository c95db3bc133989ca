//! The helper attributes where no other attribute reads them: each is refused, with the place where it stands.
//!
//! `#[actor]` and `#[task]` take them out of what they expand to. So one that the compiler expands is
//! misplaced, or the attribute around it is missing.

use proc_macro2::TokenStream;
use quote::quote;

use crate::options::idempotent::IDEMPOTENT;

/// Emits `item` as it is, with an error at the attribute.
pub(crate) fn misplaced(helper: &str, item: &TokenStream) -> TokenStream {
    let beside = if helper == IDEMPOTENT { ", or below `#[task]`" } else { "" };
    let message = format!(
        "`#[{helper}]` stands on a function of an actor's impl block{beside}: write `#[actor]` on the block"
    );
    let error = syn::Error::new(proc_macro2::Span::call_site(), message).into_compile_error();
    quote!(#item #error)
}
