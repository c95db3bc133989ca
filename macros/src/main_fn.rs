//! `#[main]`: marks the function whose end is the end of the program.

use proc_macro2::TokenStream;
use quote::quote;
use syn::visit::{self, Visit};
use syn::{Attribute, ItemFn, ReturnType, Safety, parse_quote};

use crate::errors::Errors;
use crate::options::{Options, Place};
use crate::util::last_segment;

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
    if let Some(token) = &sig.asyncness {
        match executor(function) {
            Some(attr) => errors.at(attr, "this attribute makes a synchronous function of an `async` one, which `#[phalanx::main]` needs: write `#[phalanx::main]` below it"),
            None => errors.at(token, "`#[main]` stands on a synchronous function: start the executor inside, or call `.wait()` on replies"),
        }
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

/// Returns an attribute such as `#[tokio::main]` that is still to be expanded.
fn executor(function: &ItemFn) -> Option<&Attribute> {
    function.attrs.iter().find(|attr| last_segment(attr.path()).is_some_and(|last| last.ident == "main"))
}

/// Returns the function without what the compiler itself would refuse a second time.
fn refused(mut function: ItemFn, errors: Errors) -> TokenStream {
    // An executor's attribute would add its own errors about what is refused here.
    function.attrs.retain(|attr| last_segment(attr.path()).is_none_or(|last| last.ident != "main"));
    if function.sig.ident == "main" {
        function.sig.asyncness = None;
        function.sig.inputs.clear();
        function.sig.generics = syn::Generics::default();
        function.block = parse_quote!({ ::core::unreachable!() });
    }
    let errors = errors.into_tokens();
    quote!(#function #errors)
}

fn wrapped(mut function: ItemFn, options: &Options) -> ItemFn {
    let private = options.private();
    let output = match &function.sig.output {
        // The signature of a closure cannot have `impl Trait`; the compiler infers the type from the body.
        ReturnType::Type(_, ty) if mentions_impl(ty) => &ReturnType::Default,
        ReturnType::Default => &parse_quote!(-> ()),
        output => output,
    };
    let body = &function.block;
    function.block = parse_quote!({ #private::run_main(|| #output #body) });
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
