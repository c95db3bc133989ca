//! `#[actor]`: the choice between a struct (`item`), an impl block (`block`), and a refusal.

mod block;
mod item;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Fields, Item, ItemEnum, ItemStruct, Token};

use crate::errors::Errors;

/// Expands `#[actor(options)] item`.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Struct(item)) => item::expand_beside(options, &item, &item, Errors::default()),
        Ok(Item::Impl(item)) => block::expand(options, item),
        Ok(Item::Enum(item)) => refused_enum(options, &item),
        Ok(Item::Union(item)) => refused(
            &item,
            &item.union_token,
            "a union cannot be an actor: put it into a field of a struct, and `#[actor]` on the struct",
        ),
        Ok(Item::Fn(item)) => refused(
            &item,
            &item.sig,
            "`#[actor]` stands on a struct and on its impl block; for a function there is `#[task]`",
        ),
        Ok(item) => refused(&item, &item, "`#[actor]` stands on a struct and on its impl block"),
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#item #error)
        }
    }
}

/// Emits `item` as it is, with an error under `place`.
fn refused(item: &impl ToTokens, place: &impl ToTokens, message: &str) -> TokenStream {
    let error = syn::Error::new_spanned(place, message).into_compile_error();
    quote!(#item #error)
}

/// Refuses an enum. Its impl block finds what it needs nevertheless, so that only this error is shown.
fn refused_enum(options: TokenStream, item: &ItemEnum) -> TokenStream {
    let mut errors = Errors::default();
    errors.at(
        item.enum_token,
        "an enum cannot be an actor: put it into a field of a struct, and `#[actor]` on the struct",
    );
    let stand_in = ItemStruct {
        attrs: item.attrs.clone(),
        vis: item.vis.clone(),
        struct_token: <Token![struct]>::default(),
        ident: item.ident.clone(),
        generics: item.generics.clone(),
        fields: Fields::Unit,
        semi_token: None,
    };
    item::expand_beside(options, &stand_in, item, errors)
}
