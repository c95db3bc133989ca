//! `#[task]`: a function that can be run in a process of its own.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{FnArg, ItemFn, LitStr, Signature};

use crate::errors::Errors;
use crate::options::idempotent::{IDEMPOTENT, attempts_of};
use crate::options::{Options, Place};
use crate::signature::{self, Output, Params};
use crate::util::{attributes, unraw};

/// Expands `#[task(options)] fn ..`.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut function = match syn::parse2::<ItemFn>(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let message =
                "`#[task]` stands on a function; for a struct and its impl block there is `#[actor]`";
            let error = syn::Error::new_spanned(&item, message).into_compile_error();
            return quote!(#item #error);
        }
    };
    let mut errors = Errors::default();
    let mut options = Options::parse(Place::Task, options, &mut errors);
    read_attempts(&mut function, &mut options, &mut errors);
    let marker = marker(&function, &options);
    function.block.stmts.splice(0..0, marker);
    let starter = errors.none_in(|errors| check(&function.sig, errors)).then(|| starter(&function, &options));
    let errors = errors.into_tokens();
    quote! {
        // The arguments of a task come from another process, so they cannot be borrowed.
        #[allow(clippy::needless_pass_by_value)]
        #function
        #starter
        #errors
    }
}

/// Reads `#[idempotent]`, another form of the option.
fn read_attempts(function: &mut ItemFn, options: &mut Options, errors: &mut Errors) {
    let given: Vec<_> = attributes(&function.attrs, &[IDEMPOTENT]).cloned().collect();
    function.attrs.retain(|attr| !attr.path().is_ident(IDEMPOTENT));
    for attr in given {
        if options.attempts.is_some() {
            errors.at(&attr, "`idempotent` is given twice: remove one of the two");
        } else {
            options.attempts = attempts_of(&attr, errors);
        }
    }
}

/// Returns how often the task may be begun, and how many nanoseconds it may take (0: no limit), if the
/// options set either.
fn declaration(options: &Options) -> Option<TokenStream> {
    if options.attempts.is_none() && options.deadline.is_none() {
        return None;
    }
    let attempts = options.attempts.unwrap_or(1);
    let deadline = options.deadline.map_or(0, |limit| limit.as_nanos() as u64);
    Some(quote!(#attempts, #deadline))
}

/// Returns the first statement of a task with such options: it tells them to the pool that runs the task.
fn marker(function: &ItemFn, options: &Options) -> Option<syn::Stmt> {
    let (private, ident) = (options.private(), &function.sig.ident);
    let declaration = declaration(options)?;
    syn::parse2(quote!(#private::task_begins(#private::type_name_of_val(&#ident), #declaration);)).ok()
}

fn check(sig: &Signature, errors: &mut Errors) {
    if let Some(receiver @ FnArg::Receiver(_)) = sig.inputs.first() {
        errors.at(receiver, "a task is a free function without `self`: pass the value as an argument, or make an `#[actor]` of it");
    }
    signature::check_kind(sig, "a task", errors);
    signature::check_arguments(sig, errors);
    signature::check_output(sig, "a task", errors);
}

/// Returns a type with the name of the function, whose functions start it: `square::spawn(4)`.
fn starter(function: &ItemFn, options: &Options) -> TokenStream {
    let private = options.private();
    let ItemFn { vis, sig, .. } = function;
    let ident = &sig.ident;
    let copied: Vec<_> = attributes(&function.attrs, &["cfg", "deprecated", "doc"]).collect();
    let cfgs: Vec<_> = attributes(&function.attrs, &["cfg"]).collect();
    let (params, output) = (Params::of(sig, None), Output::of(sig, None, &private));
    let (declared, arguments) = (params.declared(), output.arguments());
    let constant = constant(ident, &params, &output, options);
    let (tuple, options_expr) = (params.tuple(ident), options.to_expr());
    let names = &params.names;
    let pooled_doc = format!(
        " [`{0}`](fn@{0}) as what a pool runs: its own error is told apart from the pool's.",
        unraw(ident)
    );
    let taken = match &params.types[..] {
        [only] => quote!(#only),
        types => quote!((#(#types),*)),
    };
    let blank = attributes(&function.attrs, &["doc"]).next().map(|_| quote!(#[doc = ""]));
    let usage = format!(" `{}::spawn(..)` runs this function in a process of its own.", unraw(ident));
    let spawn_doc = format!(" Runs [`{0}`](fn@{0}) in a process of its own.", unraw(ident));
    let async_doc = " Like `spawn`, as a future, which blocks no thread of an executor. If the future is dropped, the process is stopped.";
    let builder_doc = format!(" Sets a process up that will run [`{0}`](fn@{0}).", unraw(ident));
    let struct_ident = format_ident!("{ident}");
    quote! {
        #(#copied)*
        #blank
        #[doc = #usage]
        #[allow(non_camel_case_types, dead_code, missing_debug_implementations)]
        #vis struct #struct_ident {}
        #(#cfgs)*
        #[allow(dead_code, deprecated, unreachable_pub, clippy::all, clippy::pedantic)]
        const _: () = {
            impl #struct_ident {
                #constant
                #[doc = #spawn_doc]
                #[doc = ""]
                #[doc = " # Errors"]
                #[doc = ""]
                #[doc = " When the process could not be started."]
                #vis fn spawn(#declared) -> ::core::result::Result<#private::Process<#arguments>, #private::SpawnError> {
                    Self::builder(#(#names),*).spawn()
                }
                #[doc = #async_doc]
                #vis fn spawn_async(#declared) -> #private::Spawning<#private::Process<#arguments>> {
                    Self::builder(#(#names),*).spawn_async()
                }
                #[doc = #builder_doc]
                #vis fn builder(#declared) -> #private::ProcessBuilder<#arguments> {
                    Self::__TASK.builder(#tuple, #options_expr)
                }
                #[doc = #pooled_doc]
                #vis fn task() -> #private::TaskDef<#taken, #arguments> {
                    Self::__TASK.by_name()
                }
            }
        };
    }
}

/// Returns the constant that describes the task, and alone asks something of its types. A process takes its
/// arguments as a tuple, a pool takes a single one by itself, and reads what the options say of the pool.
fn constant(ident: &syn::Ident, params: &Params, output: &Output, options: &Options) -> TokenStream {
    let private = options.private();
    let Params { names, types } = params;
    let (tuple, tuple_type) = (params.tuple(ident), params.tuple_type(ident));
    let (pattern, taken) = match (&names[..], &types[..]) {
        ([name], [ty]) => (quote!(#name), quote!(#ty)),
        _ => (tuple.clone(), tuple_type.clone()),
    };
    let value = output.resolved(quote!(#ident(#(#names),*)), &private);
    let declared = declaration(options).map(|said| quote!(#private::any_task_begins(#said);));
    let pooled = declared.map_or(value.clone(), |declared| quote!({ #declared #value }));
    let name = LitStr::new(&unraw(ident), ident.span());
    let (describer, parts) = (output.describer("task"), output.arguments());
    quote! {
        const __TASK: #private::DeclaredTask<#tuple_type, #taken, #parts> =
            #private::#describer::<_, _, #tuple_type, #parts>(
                |#tuple: #tuple_type| #value,
                |#pattern: #taken| #pooled,
                #name,
            );
    }
}
