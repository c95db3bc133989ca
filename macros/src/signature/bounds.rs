//! The bounds of an actor's struct: it has no lifetimes, and its serde implementations have `where` clauses.
//!
//! serde's own derive bounds the type parameters. Here each *field type* is bounded, in a higher-ranked way
//! that the compiler does not evaluate before it is used. So a struct with a thread handle in it compiles, as
//! long as it is not sent: an actor whose state is made by `#[init]` never travels.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Field, Generics, Ident, ItemStruct, Meta, Path, Token, Type};

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
        let (serialize, deserialize) = (serialize_bounds(item, private), deserialize_bounds(item, private));
        quote!(bound(serialize = #serialize, deserialize = #deserialize),)
    });
    let bound = bound.filter(|_| !item.fields.is_empty());
    quote!(#[derive(#(#wanted),*)] #[serde(#krate #bound)])
}

fn serialize_bounds(item: &ItemStruct, private: &Path) -> String {
    let serialize = format!("{}::serde::Serialize", text(private));
    let exempt = ["skip", "skip_serializing", "with", "serialize_with"];
    bounds(item, &exempt, |ty| format!("for<'__p> {ty}: {serialize}")).join(", ")
}

fn deserialize_bounds(item: &ItemStruct, private: &Path) -> String {
    let deserialize = format!("{}::serde::Deserialize<'__de>", text(private));
    let exempt = ["skip", "skip_deserializing", "with", "deserialize_with"];
    let mut all = bounds(item, &exempt, |ty| format!("for<'__de> {ty}: {deserialize}"));
    // serde fills these fields in.
    for field in &item.fields {
        if serde_keys(&field.attrs)
            .iter()
            .any(|key| matches!(key.as_str(), "skip" | "skip_deserializing" | "default"))
        {
            all.push(format!("for<'__p> {}: ::core::default::Default", text(&field.ty)));
        }
    }
    all.join(", ")
}

/// Returns one bound for each distinct type of the fields that have none of the keys `exempt`.
fn bounds(item: &ItemStruct, exempt: &[&str], bound: impl Fn(&str) -> String) -> Vec<String> {
    let mut types: Vec<String> = Vec::new();
    let travelling = item
        .fields
        .iter()
        .filter(|field| !serde_keys(&field.attrs).iter().any(|key| exempt.contains(&&**key)));
    for ty in travelling.flat_map(|field| bounded_types(field, item)) {
        if !types.contains(&ty) {
            types.push(ty);
        }
    }
    types.iter().map(|ty| bound(ty)).collect()
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

fn mentions(ty: &Type, ident: &Ident) -> bool {
    fn within(tokens: TokenStream, ident: &Ident) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(found) => found == *ident,
            TokenTree::Group(group) => within(group.stream(), ident),
            _ => false,
        })
    }
    within(ty.to_token_stream(), ident)
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
