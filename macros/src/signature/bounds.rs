//! The bounds of an actor's struct: it has no lifetimes, and its serde implementations have `where` clauses.
//!
//! serde's own derive bounds the type parameters. Here each *field type* is bounded, in a higher-ranked way
//! that the compiler does not evaluate before it is used. So a struct with a thread handle in it compiles, as
//! long as it is not sent: an actor whose state is made by `#[init]` never travels. The bound is a trait of
//! the runtime that stands for both of serde's, so that such a field of an actor that is sent is one error.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Field, Generics, Ident, ItemStruct, Meta, Path, Token};

use crate::errors::Errors;
use crate::util::attributes;

/// Notes the lifetimes of an actor, which may outlive its parent and so borrows nothing. Returns whether it
/// has none.
pub(crate) fn check_lifetimes(generics: &Generics, errors: &mut Errors) -> bool {
    errors.none_in(|errors| {
        for lifetime in generics.lifetimes() {
            errors.at(
                lifetime,
                "an actor lives in a process of its own and cannot borrow from this one: own the data",
            );
        }
    })
}

/// Returns those of serde's derives that the struct lacks, with all they need: `#[derive(..)] #[serde(..)]`.
pub(crate) fn derive(item: &ItemStruct, private: &Path) -> TokenStream {
    let derived = derived(&item.attrs);
    let wanted: Vec<TokenStream> = ["Serialize", "Deserialize"]
        .into_iter()
        .filter(|name| !derived.iter().any(|derived| derived == name))
        .map(|name| Ident::new(name, proc_macro2::Span::call_site()))
        .map(|name| quote!(#private::serde::#name))
        .collect();
    if wanted.is_empty() {
        return TokenStream::new();
    }
    let container = serde_keys(&item.attrs);
    let has = |keys: &[&str]| container.iter().any(|key| keys.contains(&key.as_str()));
    let krate = (!has(&["crate"])).then(|| {
        let path = format!("{}::serde", text(private));
        quote!(crate = #path,)
    });
    // With these, the fields do not travel as they are, or the user has given the bounds.
    let bound = (!has(&["bound", "from", "try_from", "into", "remote"])).then(|| {
        let alone = wanted.len() == 1;
        let (serialize, deserialize) =
            (serialize_bounds(item, private, alone), deserialize_bounds(item, private, alone));
        quote!(bound(serialize = #serialize, deserialize = #deserialize),)
    });
    let bound = bound.filter(|_| !item.fields.is_empty());
    quote!(#[derive(#(#wanted),*)] #[serde(#krate #bound)])
}

/// The keys with which serde does not write a field as it is, and those with which it does not read it so.
const NOT_WRITTEN: &[&str] = &["skip", "skip_serializing", "with", "serialize_with"];
const NOT_READ: &[&str] = &["skip", "skip_deserializing", "with", "deserialize_with"];

fn serialize_bounds(item: &ItemStruct, private: &Path, alone: bool) -> String {
    let both = format!("{}::Field", text(private));
    let serialize = format!("{}::serde::Serialize", text(private));
    let bound = |field: &Field| if alone || has_key(field, NOT_READ) { &serialize } else { &both };
    bounds(item, NOT_WRITTEN, |field, ty| format!("for<'__p> {ty}: {}", bound(field))).join(", ")
}

fn deserialize_bounds(item: &ItemStruct, private: &Path, alone: bool) -> String {
    let both = format!("{}::Field", text(private));
    let deserialize = format!("{}::serde::Deserialize<'__p>", text(private));
    let bound = |field: &Field| if alone || has_key(field, NOT_WRITTEN) { &deserialize } else { &both };
    let mut all = bounds(item, NOT_READ, |field, ty| format!("for<'__p> {ty}: {}", bound(field)));
    // serde fills these fields in.
    for field in item.fields.iter().filter(|field| has_key(field, &["skip", "skip_deserializing", "default"]))
    {
        all.push(format!("for<'__p> {}: ::core::default::Default", text(&field.ty)));
    }
    all.join(", ")
}

fn has_key(field: &Field, keys: &[&str]) -> bool {
    serde_keys(&field.attrs).iter().any(|key| keys.contains(&&**key))
}

/// Returns the distinct bounds of the types of the fields that have none of the keys `exempt`.
fn bounds(item: &ItemStruct, exempt: &[&str], bound: impl Fn(&Field, &str) -> String) -> Vec<String> {
    let mut bounds: Vec<String> = Vec::new();
    for field in item.fields.iter().filter(|field| !has_key(field, exempt)) {
        for new in bounded_types(field, item).iter().map(|ty| bound(field, ty)) {
            if !bounds.contains(&new) {
                bounds.push(new);
            }
        }
    }
    bounds
}

/// Returns the type of the field, or the type parameters in it where a bound on the type itself would not do:
/// a recursive type would need itself, and a field under `#[cfg]` may be of a type that does not exist.
fn bounded_types(field: &Field, item: &ItemStruct) -> Vec<String> {
    let recursive =
        mentions(&field.ty, &item.ident) || mentions(&field.ty, &Ident::new("Self", item.ident.span()));
    if !recursive && attributes(&field.attrs, &["cfg", "cfg_attr"]).next().is_none() {
        return vec![text(&field.ty)];
    }
    let params = item.generics.type_params().map(|param| &param.ident);
    params.filter(|param| mentions(&field.ty, param)).map(text).collect()
}

/// Returns whether `ident` is one of the tokens.
pub(crate) fn mentions(tokens: impl ToTokens, ident: &Ident) -> bool {
    tokens.to_token_stream().into_iter().any(|token| match token {
        TokenTree::Ident(found) => found == *ident,
        TokenTree::Group(group) => mentions(group.stream(), ident),
        _ => false,
    })
}

/// Returns the last segments of the derives: `Serialize` for `#[derive(serde::Serialize)]`.
fn derived(attrs: &[Attribute]) -> Vec<String> {
    let lists = attributes(attrs, &["derive"])
        .filter_map(|attr| attr.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).ok());
    lists.flatten().filter_map(|path| path.segments.last().map(|segment| segment.ident.to_string())).collect()
}

/// Returns the keys of all `#[serde(key, key = value, ..)]`. serde itself refuses what cannot be read here.
fn serde_keys(attrs: &[Attribute]) -> Vec<String> {
    let lists = attributes(attrs, &["serde"]).filter_map(|attr| match &attr.meta {
        Meta::List(list) => Some(list.tokens.clone()),
        _ => None,
    });
    lists.flat_map(keys).collect()
}

/// Returns the identifiers after the commas. syn would not read serde's key `crate` as a path.
fn keys(tokens: TokenStream) -> Vec<String> {
    let mut keys = Vec::new();
    let mut at_start = true;
    for token in tokens {
        if let (true, TokenTree::Ident(key)) = (at_start, &token) {
            keys.push(key.to_string());
        }
        at_start = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
    }
    keys
}

/// Returns source text with fewer of the blanks that printing puts between tokens.
fn text(tokens: impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (printed, written) in
        [(" :: ", "::"), (":: ", "::"), (" <", "<"), ("< ", "<"), (" >", ">"), (" ,", ","), ("& ", "&")]
    {
        text = text.replace(printed, written);
    }
    text
}
