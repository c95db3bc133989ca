//! `#[supervisor]` on a struct: a supervisor, declared by its children.

mod check;
mod expand;
mod model;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Item;

use crate::errors::Errors;
use crate::options::{Options, Place};

/// Expands `#[supervisor(options)] struct ..`.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let item = match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Struct(item)) => item,
        Ok(other) => {
            check::other_item(&other, &mut errors);
            let errors = errors.into_tokens();
            return quote!(#item #errors);
        }
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let options = Options::parse(Place::Supervisor, options, &mut errors);
    let declaration = model::Declaration::read(item, options, &mut errors);
    // Contradictions are noted, and the code is generated nevertheless: uses of the supervisor add no further
    // errors.
    let generated = match check::shape(&declaration.item, &mut errors) {
        true => {
            check::children(&declaration, &mut errors);
            expand::expand(&declaration)
        }
        false => TokenStream::new(),
    };
    let (item, errors) = (&declaration.item, errors.into_tokens());
    quote! {
        // A declaration: no value of it is ever made.
        #[allow(dead_code)]
        #item
        #generated
        #errors
    }
}
