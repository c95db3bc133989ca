//! `#[main]`: marks the function whose end is the end of the program.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ReturnType, Safety, parse_quote};

use crate::errors::Errors;
use crate::options::{Options, Place};

/// Attributes that start no executor. Any other one below ours may.
const PLAIN: &[&str] = &[
    "allow",
    "cfg",
    "cold",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "forbid",
    "inline",
    "must_use",
    "track_caller",
    "warn",
];

/// Attributes that concern the body wherever it stands.
const LINTS: &[&str] = &["allow", "deny", "expect", "forbid", "warn"];

/// Expands `#[main] fn main() ..`.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let error = syn::Error::new_spanned(
                &item,
                "`#[main]` stands on a function: `#[phalanx::main] fn main() { .. }`",
            );
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let options = Options::parse(Place::Main, options, &mut errors);
    if !errors.none_in(|errors| check(&function, errors)) {
        return refused(function, errors);
    }
    let function = wrapped(function, &options);
    let errors = errors.into_tokens();
    quote!(#function #errors)
}

fn check(function: &ItemFn, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(token) = &sig.asyncness
        && function.attrs.iter().all(is_plain)
    {
        errors.at(token, "`#[main]` starts no executor: add the attribute of one, such as `#[tokio::main]`, or start it inside a plain `fn main`");
    }
    if let Some(token) = &sig.constness {
        errors.at(token, "`#[main]` starts and stops processes, which a `const fn` cannot: remove `const`");
    }
    if let Safety::Unsafe(token) = &sig.safety {
        errors.at(token, "`#[main]` stands on a safe function: use an `unsafe` block inside");
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, "`#[main]` stands on a Rust function: remove `extern`");
    }
    if !sig.generics.params.is_empty() {
        errors.at(
            &sig.generics,
            "`#[main]` stands on a function that is called by itself, so it cannot be generic",
        );
    }
    if !sig.inputs.is_empty() {
        errors.at(&sig.inputs, "`#[main]` takes no arguments: read them with `std::env::args()`");
    }
}

/// An attribute above ours has been expanded by now, one below is still there: an `async fn` with nothing but
/// plain attributes has no executor.
fn is_plain(attribute: &Attribute) -> bool {
    let path = attribute.path();
    let tool = path.segments.first().filter(|_| path.segments.len() > 1);
    PLAIN.iter().any(|plain| path.is_ident(plain))
        || tool.is_some_and(|tool| tool.ident == "clippy" || tool.ident == "rustfmt")
}

/// Returns the function without what the compiler itself would refuse a second time.
fn refused(mut function: ItemFn, errors: Errors) -> TokenStream {
    // An executor's attribute would add its own errors about what is refused here.
    function.attrs.retain(is_plain);
    if function.sig.ident == "main" {
        function.sig.asyncness = None;
        function.sig.inputs.clear();
        function.sig.generics = syn::Generics::default();
        function.block = parse_quote!({ ::core::unreachable!() });
    }
    let errors = errors.into_tokens();
    quote!(#function #errors)
}

fn wrapped(function: ItemFn, options: &Options) -> ItemFn {
    let private = options.private();
    let leave_signals: Option<syn::Stmt> =
        (options.signals == Some(false)).then(|| parse_quote!(#private::leave_signals();));
    match function.sig.asyncness {
        Some(_) => around_executor(function, &private, leave_signals.as_ref()),
        None => around_body(function, &private, leave_signals.as_ref()),
    }
}

fn around_body(mut function: ItemFn, private: &syn::Path, first: Option<&syn::Stmt>) -> ItemFn {
    let output = match &function.sig.output {
        // The signature of a closure cannot have `impl Trait`; the compiler infers the type from the body.
        ReturnType::Type(_, ty) if mentions_impl(ty) => &ReturnType::Default,
        ReturnType::Default => &parse_quote!(-> ()),
        output => output,
    };
    let body = &function.block;
    function.block = parse_quote!({ #first #private::run_main(|| #output #body) });
    function
}

/// Puts the `async fn`, with the attribute that makes it a plain one, into a function of its name. So the
/// executor has ended before the program's processes are ended.
fn around_executor(mut function: ItemFn, private: &syn::Path, first: Option<&syn::Stmt>) -> ItemFn {
    let mut inner = function.clone();
    inner
        .attrs
        .retain(|attribute| !is_plain(attribute) || LINTS.iter().any(|lint| attribute.path().is_ident(lint)));
    inner.vis = syn::Visibility::Inherited;
    let ident = &inner.sig.ident;
    function.attrs.retain(is_plain);
    function.sig.asyncness = None;
    function.block = parse_quote!({ #inner #first #private::run_main(#ident) });
    function
}

fn mentions_impl(ty: &syn::Type) -> bool {
    struct Finder(bool);
    impl Visit<'_> for Finder {
        fn visit_type_impl_trait(&mut self, ty: &syn::TypeImplTrait) {
            self.0 = true;
            visit::visit_type_impl_trait(self, ty);
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(ty);
    finder.0
}
