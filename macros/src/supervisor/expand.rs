//! The code generated beside a supervisor's struct: its arguments, its handle, and the functions that start
//! it.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{LitStr, Meta, Path, Token};

use super::check;
use super::model::{Child, Declaration};
use crate::options::supervision::{ToArguments, ToExpr, constructor};
use crate::options::{Options, Place};
use crate::util::{peel, placed_at, unraw};

pub(crate) fn expand(declaration: &Declaration) -> TokenStream {
    let private = declaration.options.private();
    let names = Names::of(declaration);
    let (args, refs) = (args(declaration, &names, &private), refs(declaration, &names, &private));
    let (starters, supervised) =
        (starters(declaration, &names, &private), supervised(declaration, &names, &private));
    let handle = handle(declaration, &names, &private);
    quote! {
        #args
        #refs
        #[allow(dead_code, deprecated, non_upper_case_globals, unreachable_pub, unused_mut, unused_variables, clippy::all, clippy::pedantic)]
        const _: () = {
            #starters
            #supervised
            #handle
        };
    }
}

struct Names {
    args: Ident,
    refs: Ident,
    /// The name of the struct, as text.
    title: String,
}

impl Names {
    fn of(declaration: &Declaration) -> Names {
        let ident = &declaration.item.ident;
        let (args, refs) = (format_ident!("{ident}Args"), format_ident!("{ident}Ref"));
        Names { args, refs, title: unraw(ident) }
    }
}

/// Returns the user's docs of a child, or `otherwise` if the child has none.
fn docs(child: &Child, otherwise: &str) -> TokenStream {
    let docs = child.attributes("doc");
    match docs.iter().any(|doc| matches!(doc.meta, Meta::NameValue(_))) {
        true => quote!(#(#docs)*),
        false => quote!(#(#docs)* #[doc = #otherwise]),
    }
}

/// Returns `<Db as Supervised>::Args`, in the place of the type. The compiler then words the error about a
/// field that is neither an actor nor a supervisor alike wherever it finds it, and so shows it once. For
/// that, the first and the last token must be the user's own.
fn of_type(child: &Child, private: &Path, item: &str) -> TokenStream {
    let place = peel(&child.ty).span();
    let (open, item) = (Token![<](place), Ident::new(item, place));
    let ty = placed_at(place, child.ty.to_token_stream());
    let supervised = placed_at(place, quote!(as #private::Supervised>::));
    quote!(#open #ty #supervised #item)
}

/// Returns `where Db: Supervised, ..` for all impls. The compiler then refuses a field that is neither an
/// actor nor a supervisor where it stands, and not in each impl. The lifetime defers that check until its
/// result is needed.
fn clause(declaration: &Declaration, private: &Path) -> TokenStream {
    // A type under a `cfg` may not exist.
    let certain = declaration.children.iter().filter(|child| child.attributes("cfg").is_empty());
    let bounds = certain.map(|child| {
        let ty = &child.ty;
        quote!(for<'__p> #ty: #private::Supervised)
    });
    quote!(where #(#bounds),*)
}

/// Returns the type of the child's field in `..Args`.
fn args_type(child: &Child, private: &Path) -> TokenStream {
    if child.options.builder == Some(true) {
        let ty = &child.ty;
        return quote!(#private::ActorBuilder<#ty>);
    }
    of_type(child, private, "Args")
}

fn args(declaration: &Declaration, names: &Names, private: &Path) -> TokenStream {
    let Names { args, title, .. } = names;
    let vis = &declaration.item.vis;
    let fields = declaration.children.iter().map(|child| {
        let (ident, vis, cfgs) = (&child.ident, &child.vis, child.attributes("cfg"));
        let docs = docs(child, &format!(" What the child `{}` is made of.", child.id()));
        let ty = args_type(child, private);
        quote!(#docs #(#cfgs)* #vis #ident: #ty,)
    });
    let doc = format!(" What the children of a [`{title}`] are made of.");
    quote! {
        #[doc = #doc]
        #[allow(missing_debug_implementations)]
        #vis struct #args { #(#fields)* }
    }
}

fn refs(declaration: &Declaration, names: &Names, private: &Path) -> TokenStream {
    let Names { refs, title, .. } = names;
    let vis = &declaration.item.vis;
    let fields = declaration.children.iter().map(|child| {
        let (ident, vis, cfgs) = (&child.ident, &child.vis, child.attributes("cfg"));
        let docs = docs(child, &format!(" The child `{}`.", child.id()));
        let ty = of_type(child, private, "Ref");
        quote!(#docs #(#cfgs)* #vis #ident: #ty,)
    });
    let doc = format!(" How to reach a [`{title}`] and its children. Cheap to clone; travels in messages.");
    let serde = quote!(#private::serde);
    let serde_text = serde.to_string().replace(' ', "");
    let bound = clause(declaration, private).to_string();
    let bound = bound.trim_start_matches("where").trim_start();
    quote! {
        #[derive(#serde::Serialize, #serde::Deserialize)]
        #[serde(crate = #serde_text, bound = #bound)]
        #[doc = #doc]
        #vis struct #refs {
            #(#fields)*
            // The last field: then the compiler shows once that a field is neither an actor nor a supervisor.
            #[doc(hidden)]
            __supervisor: #private::SupervisorRef,
        }
    }
}

fn starters(declaration: &Declaration, names: &Names, private: &Path) -> TokenStream {
    let Names { args, refs, .. } = names;
    let (ident, vis) = (&declaration.item.ident, &declaration.item.vis);
    let result = quote!(::core::result::Result<#refs, #private::SpawnError>);
    let clause = clause(declaration, private);
    quote! {
        impl #ident #clause {
            /// Starts the supervisor and its children, in order, each when the one before is ready. Blocks until
            /// all are ready, or one has failed.
            ///
            /// # Errors
            ///
            /// When a child could not be started; those before it have been stopped again.
            #vis fn start(args: #args) -> #result {
                #private::start::<Self>(args)
            }
            /// As `start`, for children that know each other: the refs exist before any child runs, and messages
            /// sent to them wait.
            ///
            /// # Errors
            ///
            /// When a child could not be started; those before it have been stopped again.
            #vis fn start_with(args: impl ::core::ops::FnOnce(&#refs) -> #args) -> #result {
                #private::start_with::<Self>(args)
            }
            /// Like `start`, as a future, which blocks no thread of an executor. If the future is dropped, what
            /// it has started is stopped.
            #vis fn start_async(args: #args) -> #private::Spawning<#refs> {
                #private::start_async::<Self>(args)
            }
            /// Sets the supervisor up; the builder's `start` starts it, or it becomes the child of another.
            #vis fn builder(args: #args) -> #private::SupervisorBuilder<#refs> {
                #private::declared::<Self>(args)
            }
        }
    }
}

fn supervised(declaration: &Declaration, names: &Names, private: &Path) -> TokenStream {
    let Names { args, refs, title } = names;
    let ident = &declaration.item.ident;
    let constants = declaration.children.iter().map(|child| constant(declaration, child, private));
    let declared = declaration.children.iter().map(|child| {
        let (ty, id, cfgs) = (&child.ty, id(child), child.attributes("cfg"));
        let options = constant_name(child);
        let declared = placed_at(peel(ty).span(), quote!(frame.child::<#ty>(#id, #options);));
        quote!(#(#cfgs)* #declared)
    });
    let filled = declaration.children.iter().map(|child| {
        let (ident, cfgs) = (&child.ident, child.attributes("cfg"));
        let made = match child.options.builder {
            Some(true) => quote!(#private::built),
            _ => of_type(child, private, "filled"),
        };
        quote!(#(#cfgs)* #made(args.#ident),)
    });
    let options = own_options(&declaration.options).to_expr();
    let (builder, clause) = (builder(declaration, private), clause(declaration, private));
    quote! {
        #(#constants)*
        #[automatically_derived]
        impl #private::Supervised for #ident #clause {
            type Args = #args;
            type Ref = #refs;
            const OPTIONS: #private::Options = #options;
            const IS_SUPERVISOR: bool = true;
            fn frame() -> #private::Frame {
                let mut frame = #private::Frame::supervisor(#title, Self::OPTIONS, #builder);
                #(#declared)*
                frame
            }
            fn filled(args: Self::Args) -> #private::ChildSpec {
                Self::frame().fill(::std::vec::Vec::from([#(#filled)*]))
            }
        }
    }
}

/// Returns the supervisor's options as the child of another. Intensity and backoff are about its own
/// children.
fn own_options(options: &Options) -> Options {
    Options { intensity: None, backoff: None, ..options.clone() }
}

/// Returns `Supervisor::one_for_one().intensity(5, ..)`.
fn builder(declaration: &Declaration, private: &Path) -> TokenStream {
    let options = &declaration.options;
    let strategy = format_ident!("{}", constructor(declaration.strategy()));
    let intensity = options.intensity.map(|intensity| intensity.to_arguments());
    let intensity = intensity.map(|arguments| quote!(.intensity(#arguments)));
    let backoff = options.backoff.map(|backoff| backoff.to_arguments());
    let backoff = backoff.map(|arguments| quote!(.backoff(#arguments)));
    let auto_shutdown = options.auto_shutdown.map(|when| when.to_expr(private));
    let auto_shutdown = auto_shutdown.map(|when| quote!(.auto_shutdown(#when)));
    let max_children = options.max_children.map(|most| quote!(.max_children(#most)));
    quote!(#private::Supervisor::#strategy() #intensity #backoff #auto_shutdown #max_children)
}

fn id(child: &Child) -> LitStr {
    LitStr::new(&child.id(), child.ident.span())
}

fn constant_name(child: &Child) -> Ident {
    format_ident!("__{}", child.id())
}

/// Returns the options of a child, and the checks that the compiler makes once it knows the options of its
/// type.
fn constant(declaration: &Declaration, child: &Child, private: &Path) -> TokenStream {
    let (name, cfgs) = (constant_name(child), child.attributes("cfg"));
    let base = of_type(child, private, "OPTIONS");
    let recycle = quote!(#private::Recycle::from(#base.recycle));
    let options = child.options.to_expr_over(&base, &recycle);
    let checks = Place::ActorChild.keys().into_iter().filter_map(|option| of_actors(option, child, private));
    let checks = checks.chain(significance(declaration, child, private));
    let checks = checks.map(|check| quote!(#(#cfgs)* const _: () = #check;));
    quote! {
        #(#cfgs)* const #name: #private::Options = #options;
        #(#checks)*
    }
}

/// Returns a check that a child with an option of actors is an actor.
fn of_actors(option: &str, child: &Child, private: &Path) -> Option<TokenStream> {
    let place = child.options.key(option)?.span();
    let id = child.id();
    let message = format!("`{option}` is an option of actors, and child `{id}` is a supervisor: remove it");
    let is_supervisor = of_type(child, private, "IS_SUPERVISOR");
    let check = placed_at(place, quote!(#private::check_is_actor));
    Some(quote_spanned!(place=> #check(#is_supervisor, #message)))
}

/// Returns a check that a significant child can be significant.
fn significance(declaration: &Declaration, child: &Child, private: &Path) -> Option<TokenStream> {
    if check::significance(declaration, child).is_some() {
        // The check of the declaration has noted it already.
        return None;
    }
    let (name, id) = (constant_name(child), child.id());
    let permanent = check::permanent(&id);
    let never = match declaration.never_significant(&id) {
        Some(never) => quote!(::core::option::Option::Some(#never)),
        None => quote!(::core::option::Option::None),
    };
    let place = child.options.key("significant").map_or_else(|| peel(&child.ty).span(), Ident::span);
    Some(placed_at(place, quote!(#private::check_significant(&#name, #permanent, #never))))
}

/// Returns the impls of the generated handle.
fn handle(declaration: &Declaration, names: &Names, private: &Path) -> TokenStream {
    let Names { refs, .. } = names;
    let title = refs.to_string();
    let found = declaration.children.iter().map(|child| {
        let (ident, cfgs) = (&child.ident, child.attributes("cfg"));
        quote!(#(#cfgs)* #ident: below.next(),)
    });
    let shown = declaration.children.iter().map(|child| {
        let (ident, cfgs, id) = (&child.ident, child.attributes("cfg"), id(child).to_token_stream());
        quote!(#(#cfgs)* fields.field(#id, &self.#ident);)
    });
    let cloned = declaration.children.iter().map(|child| {
        let (ident, cfgs) = (&child.ident, child.attributes("cfg"));
        quote!(#(#cfgs)* #ident: ::core::clone::Clone::clone(&self.#ident),)
    });
    let clause = clause(declaration, private);
    quote! {
        #[automatically_derived]
        impl ::core::clone::Clone for #refs #clause {
            fn clone(&self) -> Self {
                #refs {
                    #(#cloned)*
                    __supervisor: ::core::clone::Clone::clone(&self.__supervisor),
                }
            }
        }
        #[automatically_derived]
        impl #private::Reachable for #refs #clause {
            fn at(found: #private::Found) -> Self {
                let (__supervisor, mut below) = found.open();
                #refs { __supervisor, #(#found)* }
            }
        }
        #[automatically_derived]
        impl ::core::ops::Deref for #refs {
            type Target = #private::SupervisorRef;
            fn deref(&self) -> &Self::Target {
                &self.__supervisor
            }
        }
        #[automatically_derived]
        impl ::core::fmt::Debug for #refs #clause {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                let mut fields = f.debug_struct(#title);
                fields.field("supervisor", &self.__supervisor);
                #(#shown)*
                fields.finish()
            }
        }
    }
}
