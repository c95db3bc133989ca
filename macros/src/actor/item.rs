//! `#[actor]` on a struct: its serde implementations, the type whose methods send its messages, and its
//! options.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Generics, ItemStruct, parse_quote};

use crate::errors::Errors;
use crate::options::{Options, Place};
use crate::signature::bounds::{self, check_lifetimes};
use crate::util::{attributes, unraw};

/// Expands `#[actor(options)] struct ..`. The expansion is made from `shape`; `item` is what the user wrote.
pub(crate) fn expand_beside(
    options: TokenStream,
    shape: &ItemStruct,
    item: &impl ToTokens,
    mut errors: Errors,
) -> TokenStream {
    let options = Options::parse(Place::ActorStruct, options, &mut errors);
    if !check_lifetimes(&shape.generics, &mut errors) {
        let errors = errors.into_tokens();
        return quote!(#item #errors);
    }
    let derive = (options.no_derive != Some(true)).then(|| bounds::derive(shape, &options.private()));
    let calls = calls_type(shape, &options);
    let impls = impls(shape, &options);
    let check = check_block(shape, &options);
    let errors = errors.into_tokens();
    // serde's derive stands before the user's own `#[serde(..)]` attributes, as its helpers must.
    quote!(#derive #item #calls #impls #check #errors)
}

/// Returns a check that an impl block has the attribute too. A generic struct has none: it is an actor only
/// with the bounds of its block, which are not known here.
fn check_block(shape: &ItemStruct, options: &Options) -> Option<TokenStream> {
    let (private, ident) = (options.private(), &shape.ident);
    shape
        .generics
        .params
        .is_empty()
        .then(|| quote!(#[allow(deprecated)] const _: () = #private::check_has_block::<#ident>();))
}

/// Returns the parameters without bounds, for types on which no bound depends.
fn bare(generics: &Generics) -> Generics {
    let mut bare = generics.clone();
    bare.where_clause = None;
    for param in bare.type_params_mut() {
        param.colon_token = None;
        param.bounds.clear();
        param.attrs.clear();
    }
    for param in bare.const_params_mut() {
        param.attrs.clear();
    }
    bare
}

fn calls_type(shape: &ItemStruct, options: &Options) -> TokenStream {
    let private = options.private();
    let ItemStruct { attrs, vis, struct_token, ident, generics, .. } = shape;
    let calls = format_ident!("{ident}Calls");
    let doc = format!(" The messages of [`{}`], as methods of the reference to it.", unraw(ident));
    let hidden = attributes(attrs, &["doc"]).filter(|attr| attr.meta.require_list().is_ok());
    let generics = bare(generics);
    let params = generics.type_params().map(|param| &param.ident);
    let marker = quote!(::core::marker::PhantomData<fn() -> (#(#params,)*)>);
    quote! {
        #[doc = #doc]
        #(#hidden)*
        #[allow(dead_code, missing_debug_implementations)]
        #vis #struct_token #calls #generics (#private::RawRef, #marker);
    }
}

fn impls(shape: &ItemStruct, options: &Options) -> TokenStream {
    let private = options.private();
    let ident = &shape.ident;
    let calls = format_ident!("{ident}Calls");
    let bare = bare(&shape.generics);
    let (bare_params, args, _) = bare.split_for_impl();
    let mut calls_generics = bare.clone();
    let mut generics = shape.generics.clone();
    for param in bare.type_params().map(|param| &param.ident) {
        calls_generics.make_where_clause().predicates.push(parse_quote!(#param: 'static));
        generics.make_where_clause().predicates.push(parse_quote!(#param: 'static));
    }
    let calls_clause = &calls_generics.where_clause;
    let (params, _, clause) = generics.split_for_impl();
    let options = options.to_expr();
    quote! {
        #[allow(deprecated, clippy::all, clippy::pedantic)]
        const _: () = {
            #[automatically_derived]
            impl #bare_params ::core::clone::Clone for #calls #args {
                fn clone(&self) -> Self {
                    Self(::core::clone::Clone::clone(&self.0), ::core::marker::PhantomData)
                }
            }
            #[automatically_derived]
            impl #bare_params #private::Calls for #calls #args #calls_clause {
                fn from_raw(raw: #private::RawRef) -> Self {
                    Self(raw, ::core::marker::PhantomData)
                }
                fn raw(&self) -> &#private::RawRef {
                    &self.0
                }
            }
            #[automatically_derived]
            impl #params #private::ActorStruct for #ident #args #clause {
                type Calls = #calls #args;
                const OPTIONS: #private::Options = #options;
            }
        };
    }
}
