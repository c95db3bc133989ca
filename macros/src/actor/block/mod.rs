//! `#[actor]` on the impl block: its methods become messages.

mod check;
mod client;
mod expand;
mod model;

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemImpl;

use crate::errors::Errors;
use crate::options::{Options, Place};

/// Expands `#[actor(options)] impl ..`.
pub(crate) fn expand(options: TokenStream, item: ItemImpl) -> TokenStream {
    let mut errors = Errors::default();
    let options = Options::parse(Place::ActorImpl, options, &mut errors);
    let mut block = model::Block::read(item, options, &mut errors);
    // A wrong method is left out of the generated code. The others stay, so that their uses add no further
    // errors.
    let generated = match check::block(&block.item, &mut errors) {
        Some(calls) => {
            check::functions(&mut block, &mut errors);
            expand::expand(&block, &calls)
        }
        None => TokenStream::new(),
    };
    let (item, errors) = (&block.item, errors.into_tokens());
    quote!(#item #generated #errors)
}
