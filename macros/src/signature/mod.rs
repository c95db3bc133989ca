//! Signatures of functions whose arguments and results travel: their checks, and the model that expansions
//! use.

pub(crate) mod bounds;
mod owned;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    FnArg, GenericArgument, GenericParam, Ident, Pat, Path, PathArguments, PathSegment, ReturnType, Safety,
    Signature, Type, parse_quote,
};

use crate::errors::Errors;
use crate::util::{attributes, last_segment, peel, placed_at, unraw, without_self};
use owned::Way;

/// Notes what a function that is called from another process cannot be: `async`, generic, `unsafe`, `extern`,
/// variadic.
///
/// `what` names the function in the messages: "a message", "a task".
pub(crate) fn check_kind(sig: &Signature, what: &str, errors: &mut Errors) {
    if let Some(token) = &sig.asyncness {
        errors.at(token, format!("{what} cannot be `async`: {}", instead_of_async(what)));
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(
            token,
            format!("{what} cannot be `unsafe`: the caller is in another process and can promise nothing"),
        );
    }
    if let Some(abi) = &sig.abi {
        errors.at(
            abi,
            format!("{what} cannot be `extern`: it is never called by its address; remove `extern`"),
        );
    }
    if let Some(variadic) = &sig.variadic {
        errors.at(variadic, format!("{what} cannot be variadic: take a `Vec`"));
    }
    check_generics(sig, what, errors);
}

/// Returns why `what` is synchronous, and what there is instead.
fn instead_of_async(what: &str) -> &'static str {
    match what {
        "a message" => {
            "its handler returns before the next message is handled; remove `async`, and run an executor inside (`block_on`), or let the reply come later: return a `phalanx::Later<T>`, made by `phalanx::later()`"
        }
        _ => {
            "it may block, the process is its own; remove `async`, and run an executor inside (`block_on`) if it needs one"
        }
    }
}

fn check_generics(sig: &Signature, what: &str, errors: &mut Errors) {
    for lifetime in sig.generics.lifetimes() {
        errors.at(lifetime, format!("{what} has no lifetimes, it owns its data: remove this one"));
    }
    let remedy = match what {
        "a task" => "name the types; a generic function can be run by `Process::spawn`",
        _ => "name the types, or make them parameters of the actor",
    };
    for param in sig.generics.params.iter().filter(|param| !matches!(param, GenericParam::Lifetime(_))) {
        errors.at(
            param,
            format!(
                "{what} cannot be generic, it is decoded where the caller's types are not known: {remedy}"
            ),
        );
    }
    if let (true, Some(clause)) = (sig.generics.params.is_empty(), &sig.generics.where_clause) {
        errors.at(clause, format!("{what} cannot have a `where` clause: put the bounds on the impl block"));
    }
}

/// Notes arguments that cannot travel.
pub(crate) fn check_arguments(sig: &Signature, errors: &mut Errors) {
    for arg in sig.inputs.iter().filter_map(typed) {
        for cfg in attributes(&arg.attrs, &["cfg", "cfg_attr"]) {
            errors.at(cfg, "`cfg` on a single argument is not supported: put it on the method, and write the method twice");
        }
        owned::check(&arg.ty, Way::In, errors);
    }
}

/// Notes a result that cannot travel.
pub(crate) fn check_output(sig: &Signature, what: &str, errors: &mut Errors) {
    let ReturnType::Type(_, ty) = &sig.output else { return };
    if let Some(later) = later(ty) {
        return check_later(later, what, errors);
    }
    match peel(ty) {
        Type::Never(never) => {
            errors.at(
                never,
                format!("{what} that never returns has no result to send: leave the return type out"),
            );
        }
        ty => owned::check(ty, Way::Out, errors),
    }
}

/// Notes a `Later` that is no result of a message, or whose content cannot travel.
fn check_later(later: &PathSegment, what: &str, errors: &mut Errors) {
    if what == "a task" {
        errors.at(
            &later.ident,
            "a task has one result and ends with it, so there is no later: return the value itself",
        );
    }
    match later_argument(later) {
        Some(ty) => owned::check(ty, Way::Out, errors),
        None => errors.at(
            later,
            "name the type of the reply: `Later<T>`, or `Later<Result<T, E>>` if it may be an error",
        ),
    }
}

/// Returns the last segment of the type's path, if it is `Later`.
fn later(ty: &Type) -> Option<&PathSegment> {
    let Type::Path(ty) = peel(ty) else { return None };
    last_segment(&ty.path).filter(|segment| segment.ident == "Later")
}

/// Returns whether the reply is sent after the handler has returned.
pub(crate) fn is_later(sig: &Signature) -> bool {
    matches!(&sig.output, ReturnType::Type(_, ty) if later(ty).is_some())
}

/// Returns the type of the reply that is sent later.
fn later_argument(later: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &later.arguments else { return None };
    match (arguments.args.first(), arguments.args.len()) {
        (Some(GenericArgument::Type(ty)), 1) => Some(ty),
        _ => None,
    }
}

fn typed(arg: &FnArg) -> Option<&syn::PatType> {
    match arg {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    }
}

/// The arguments of a function, without the receiver.
pub(crate) struct Params {
    pub(crate) names: Vec<Ident>,
    pub(crate) types: Vec<Type>,
}

impl Params {
    /// Reads the arguments of `sig`. Those that are not simply named (`_`, `(a, b)`) get names by their
    /// place.
    pub(crate) fn of(sig: &Signature, self_ty: Option<&Type>) -> Params {
        let mut params = Params { names: Vec::new(), types: Vec::new() };
        let given: Vec<String> =
            sig.inputs.iter().filter_map(typed).filter_map(|arg| name(&arg.pat)).map(unraw).collect();
        for (place, arg) in sig.inputs.iter().filter_map(typed).enumerate() {
            let mut placed = format_ident!("arg{place}");
            while given.contains(&placed.to_string()) {
                placed = format_ident!("{placed}_");
            }
            params.names.push(name(&arg.pat).cloned().unwrap_or(placed));
            params
                .types
                .push(self_ty.map_or_else(|| (*arg.ty).clone(), |self_ty| without_self(&arg.ty, self_ty)));
        }
        params
    }

    /// Returns `a: A, b: B`.
    pub(crate) fn declared(&self) -> TokenStream {
        let Params { names, types } = self;
        quote!(#(#names: #types),*)
    }

    /// Returns `(a, b,)`, a pattern and an expression: how arguments travel.
    ///
    /// It has the place of the type in it, or of the function's `name` if there are several. The compiler
    /// underlines that place when the tuple cannot travel.
    pub(crate) fn tuple(&self, name: &Ident) -> TokenStream {
        self.parenthesized(name, &self.names)
    }

    /// Returns `(A, B,)`, in the place that `tuple` has.
    pub(crate) fn tuple_type(&self, name: &Ident) -> TokenStream {
        self.parenthesized(name, &self.types)
    }

    fn parenthesized(&self, name: &Ident, elements: &[impl ToTokens]) -> TokenStream {
        let mut tuple = Group::new(Delimiter::Parenthesis, quote!(#(#elements,)*));
        let place = match &self.types[..] {
            [only] => only.span(),
            _ => name.span(),
        };
        tuple.set_span(Span::call_site().located_at(place));
        tuple.into_token_stream()
    }
}

fn name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) => Some(&pat.ident),
        _ => None,
    }
}

/// Returns `(String, Vec<u8>) -> u64`: the types of a message as they are written. Two programs compare these
/// words to find out whether they mean one message.
pub(crate) fn in_words(sig: &Signature) -> String {
    let arguments: Vec<String> =
        sig.inputs.iter().filter_map(typed).map(|arg| words(arg.ty.to_token_stream())).collect();
    match &sig.output {
        ReturnType::Default => format!("({})", arguments.join(", ")),
        ReturnType::Type(_, ty) => format!("({}) -> {}", arguments.join(", "), words(ty.to_token_stream())),
    }
}

/// Returns tokens as text that does not depend on the compiler: with a space only between two words and
/// behind commas.
fn words(tokens: TokenStream) -> String {
    let mut text = String::new();
    for token in tokens {
        let next = match &token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                format!("{open}{}{close}", words(group.stream()))
            }
            token => token.to_string(),
        };
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let between_words = text.ends_with(is_word) && next.starts_with(is_word);
        if between_words || text.ends_with([',', ';']) {
            text.push(' ');
        }
        text.push_str(&next);
    }
    text
}

/// What a function returns, as its caller sees it.
pub(crate) struct Output {
    kind: Kind,
    /// Whether the reply is sent after the function has returned.
    later: bool,
}

enum Kind {
    Plain(Type),
    /// A `Result`. With `direct`, its two types stand in the signature; an alias is resolved by the compiler.
    Result {
        ok: Type,
        err: Box<Type>,
        direct: bool,
    },
}

impl Output {
    pub(crate) fn of(sig: &Signature, self_ty: Option<&Type>, private: &Path) -> Output {
        let ReturnType::Type(_, ty) = &sig.output else {
            return Output { kind: Kind::Plain(parse_quote!(())), later: false };
        };
        let ty = self_ty.map_or_else(|| (**ty).clone(), |self_ty| without_self(ty, self_ty));
        match later(&ty).and_then(later_argument) {
            Some(answered) => Output { kind: Kind::of(answered, private), later: true },
            None => Output { kind: Kind::of(&ty, private), later: false },
        }
    }

    /// Returns `T`, or `T, E`: the type arguments of a reply and of a process.
    pub(crate) fn arguments(&self) -> TokenStream {
        match &self.kind {
            Kind::Plain(ty) => ty.to_token_stream(),
            Kind::Result { ok, err, .. } => quote!(#ok, #err),
        }
    }

    /// Returns the name of the function of the runtime that describes such a message or task: `plain`, or
    /// its twin `plain_result`, `plain_later`, `plain_later_result`.
    pub(crate) fn describer(&self, plain: &str) -> Ident {
        let later = if self.later { "_later" } else { "" };
        let result = if matches!(self.kind, Kind::Result { .. }) { "_result" } else { "" };
        format_ident!("{plain}{later}{result}")
    }

    /// Returns the type of the value that `resolved` makes.
    pub(crate) fn returned(&self, private: &Path) -> TokenStream {
        let value = match &self.kind {
            Kind::Plain(ty) => ty.to_token_stream(),
            Kind::Result { ok, err, .. } => quote!(::core::result::Result<#ok, #err>),
        };
        if self.later { quote!(#private::Later<#value>) } else { value }
    }

    /// Returns `value` as a plain value or a `core` result.
    pub(crate) fn resolved(&self, value: TokenStream, private: &Path) -> TokenStream {
        match &self.kind {
            Kind::Result { direct: false, .. } if !self.later => {
                quote!(#private::ResultLike::into_result(#value))
            }
            _ => value,
        }
    }
}

impl Kind {
    fn of(ty: &Type, private: &Path) -> Kind {
        if !is_result(ty) {
            return Kind::Plain(ty.clone());
        }
        match two_arguments(ty) {
            Some((ok, err)) => Kind::Result { ok, err: Box::new(err), direct: true },
            None => Kind::Result {
                ok: part_of(ty, private, "Ok"),
                err: Box::new(part_of(ty, private, "Err")),
                direct: false,
            },
        }
    }
}

/// Returns a part of an alias of `Result`, which errors show where the user wrote the alias.
fn part_of(alias: &Type, private: &Path, part: &str) -> Type {
    let part = format_ident!("{part}");
    let tokens = placed_at(alias.span(), quote!(<#alias as #private::ResultLike>::#part));
    parse_quote!(#tokens)
}

/// Returns whether the last segment of `ty` is `Result`: aliases such as `io::Result<T>` keep the name.
pub(crate) fn is_result(ty: &Type) -> bool {
    matches!(peel(ty), Type::Path(ty) if last_segment(&ty.path).is_some_and(|segment| segment.ident == "Result"))
}

fn two_arguments(ty: &Type) -> Option<(Type, Type)> {
    let Type::Path(ty) = peel(ty) else { return None };
    let PathArguments::AngleBracketed(arguments) = &last_segment(&ty.path)?.arguments else { return None };
    let mut types = arguments.args.iter();
    match (types.next(), types.next(), types.next()) {
        (Some(GenericArgument::Type(ok)), Some(GenericArgument::Type(err)), None) => {
            Some((ok.clone(), err.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_told_in_the_words_of_their_author() {
        let sig = parse_quote!(fn put(&mut self, key: String, (a, b): (u8, Vec<Option<i64>>)) -> Result<&'static str, [u8; 4]>);
        assert_eq!(in_words(&sig), "(String, (u8, Vec<Option<i64>>)) -> Result<&'static str, [u8; 4]>");
        assert_eq!(in_words(&parse_quote!(fn clear(&self))), "()");
        let sig = parse_quote!(fn dynamic(&self, of: <T as Trait>::Of) -> shop::Cache<dyn Fn(u8) -> u8>);
        assert_eq!(in_words(&sig), "(<T as Trait>::Of) -> shop::Cache<dyn Fn(u8)->u8>");
    }
}
