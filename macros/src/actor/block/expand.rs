//! The code generated beside an actor's impl block.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Generics, ItemImpl, LitStr, Path, Type, TypePath, parse_quote};

use super::client;
use super::model::{Block, Function, Role};
use crate::options::units::duration_expr;
use crate::signature::{self, Output, Params, bounds, is_result};

pub(crate) fn expand(block: &Block, calls: &TypePath) -> TokenStream {
    let private = &block.private;
    let ItemImpl { self_ty, generics, .. } = &block.item;
    let generics = bounded(generics, block);
    let (params, _, clause) = generics.split_for_impl();
    let variants = block.messages().map(|message| {
        let (ident, cfgs) = (&message.sig.ident, message.attributes("cfg"));
        quote!(#(#cfgs)* #ident,)
    });
    let constants = block.messages().map(|message| client::constant(message, self_ty, private));
    let methods = block.messages().map(|message| client::methods(message, self_ty, private));
    let starters = starters(block);
    let (actor_impl, supervised_impl) =
        (actor_impl(block, calls, &generics), supervised_impl(block, &generics));
    quote! {
        #[allow(
            dead_code, deprecated, non_upper_case_globals, unreachable_pub, clippy::all, clippy::pedantic
        )]
        const _: () = {
            // The place of each message in `METHODS`, which depends on the `cfg`s of the messages before it.
            #[allow(non_camel_case_types)]
            enum __Index { #(#variants)* }
            impl #params #calls #clause {
                #(#constants)*
                #(#methods)*
            }
            impl #params #self_ty #clause {
                #starters
            }
            #actor_impl
            #supervised_impl
        };
    }
}

/// Bounds the type parameters of an actor: those that travel in its messages, or in what it is made of, are
/// `Portable`. What an `#[init]` makes does not travel.
fn bounded(generics: &Generics, block: &Block) -> Generics {
    let private = &block.private;
    let mut bounded = generics.clone();
    for param in generics.type_params().map(|param| &param.ident) {
        let bound = if travels(param, block) { quote!(#private::Portable) } else { quote!('static) };
        bounded.make_where_clause().predicates.push(parse_quote!(#param: #bound));
    }
    bounded
}

fn travels(param: &Ident, block: &Block) -> bool {
    let (private, self_ty) = (&block.private, Some(&*block.item.self_ty));
    let init = block.in_role(Role::Init);
    if init.is_none() && !block.init_is_wrong {
        return true;
    }
    let taken = |function: &Function| Params::of(&function.sig, self_ty).declared();
    let returned = |message: &Function| Output::of(&message.sig, self_ty, private).arguments();
    let types = init.map(taken).into_iter();
    let mut types = types.chain(block.messages().flat_map(|message| [taken(message), returned(message)]));
    types.any(|types| bounds::mentions(types, param))
}

fn starters(block: &Block) -> TokenStream {
    if block.init_is_wrong || block.starts_itself {
        return TokenStream::new();
    }
    let private = &block.private;
    let (vis, receiver, argument, told) = match block.in_role(Role::Init) {
        Some(init) => {
            let params = Params::of(&init.sig, Some(&block.item.self_ty));
            let docs = init.attributes("doc");
            let vis = &init.vis;
            let docs = (!docs.is_empty()).then(|| quote!(#[doc = ""] #(#docs)*));
            (quote!(#vis), params.declared(), params.tuple(&init.sig.ident), docs)
        }
        None => (quote!(pub), quote!(self), quote!(self), None),
    };
    quote! {
        /// Starts the actor in a process of its own, and waits until it is ready.
        #told
        ///
        /// # Errors
        ///
        /// When the process could not be started, or the actor did not become ready in it.
        #vis fn spawn(#receiver) -> ::core::result::Result<#private::ActorRef<Self>, #private::SpawnError> {
            #private::spawn::<Self>(#argument)
        }
        /// Like `spawn`, as a future, which blocks no thread of an executor. If the future is dropped, what it
        /// has started is stopped.
        #vis fn spawn_async(#receiver) -> #private::Spawning<#private::ActorRef<Self>> {
            #private::spawn_async::<Self>(#argument)
        }
        /// Sets the actor up; the builder's `spawn` starts it.
        #vis fn builder(#receiver) -> #private::ActorBuilder<Self> {
            #private::builder::<Self>(#argument)
        }
    }
}

fn actor_impl(block: &Block, calls: &TypePath, generics: &Generics) -> TokenStream {
    let private = &block.private;
    let self_ty = &block.item.self_ty;
    let (params, _, clause) = generics.split_for_impl();
    let methods = block.messages().map(|message| method(message, private));
    let arms = block.messages().map(|message| arm(message, calls, self_ty, private));
    let (init_ty, start, init) = init(block);
    let hooks = [("on_start", Role::OnStart), ("on_stop", Role::OnStop)].map(|(hook, role)| {
        block.in_role(role).map(|function| {
            let (hook, ident) = (format_ident!("{hook}"), &function.sig.ident);
            let cfgs = function.attributes("cfg");
            quote!(#(#cfgs)* fn #hook(&mut self) { Self::#ident(self); })
        })
    });
    let on_exit = block.in_role(Role::OnExit).map(|function| on_exit(function, self_ty, private));
    quote! {
        #[automatically_derived]
        impl #params #private::Actor for #self_ty #clause {
            type Init = #init_ty;
            const CODEC: #private::InitCodec<Self::Init> = #private::#start::<#init_ty>();
            const METHODS: &'static [#private::Method] = &[#(#methods)*];
            fn init(init: Self::Init) -> ::core::result::Result<Self, #private::InitFailure> {
                #init
            }
            fn handle(&mut self, call: #private::Call<'_>) -> #private::Answer {
                match call.method() {
                    #(#arms)*
                    _ => call.unknown(),
                }
            }
            #(#hooks)*
            #on_exit
        }
    }
}

/// Returns the hook that is called when a linked actor ends. If it takes another type than `Down`, the error
/// is at that type.
fn on_exit(function: &Function, self_ty: &Type, private: &Path) -> TokenStream {
    let (ident, cfgs) = (&function.sig.ident, function.attributes("cfg"));
    let types = Params::of(&function.sig, Some(self_ty)).types;
    let place = types.first().map_or_else(Span::call_site, Spanned::span);
    let down = Ident::new("down", Span::call_site().located_at(place));
    quote! {
        #(#cfgs)* const TRAPS_EXITS: bool = true;
        #(#cfgs)* fn on_exit(&mut self, down: #private::Down) { Self::#ident(self, #down); }
    }
}

/// Returns the impl that lets the actor be a field of a `#[supervisor]`.
fn supervised_impl(block: &Block, generics: &Generics) -> TokenStream {
    let (private, self_ty) = (&block.private, &block.item.self_ty);
    let (params, _, clause) = generics.split_for_impl();
    let has_init = block.init_is_wrong || block.in_role(Role::Init).is_some();
    let (args_ty, builder) = match has_init {
        true => (quote!(#private::ActorBuilder<Self>), quote!(args)),
        false => (quote!(Self), quote!(#private::builder::<Self>(args))),
    };
    quote! {
        #[automatically_derived]
        impl #params #private::Supervised for #self_ty #clause {
            type Args = #args_ty;
            type Ref = #private::ActorRef<Self>;
            const OPTIONS: #private::Options = <Self as #private::ActorStruct>::OPTIONS;
            fn frame() -> #private::Frame {
                #private::Frame::actor::<Self>()
            }
            fn filled(args: Self::Args) -> #private::ChildSpec {
                #private::IntoChild::into_child(#builder)
            }
        }
    }
}

/// Returns the type that the actor starts from, the function of the runtime that asks of this type what it has
/// to be, and the body that makes the actor from it.
fn init(block: &Block) -> (TokenStream, Ident, TokenStream) {
    let from_arguments = format_ident!("codec_of_arguments");
    let (private, self_ty) = (&block.private, &block.item.self_ty);
    if block.init_is_wrong {
        return (quote!(()), from_arguments, quote!(::core::unreachable!()));
    }
    let Some(init) = block.in_role(Role::Init) else {
        // In the place of the type, where the compiler then shows that it is not serde.
        let state = quote_spanned!(self_ty.span()=> Self);
        return (state, format_ident!("codec_of_state"), quote!(::core::result::Result::Ok(init)));
    };
    let params = Params::of(&init.sig, Some(self_ty));
    let (ident, names, tuple) = (&init.sig.ident, &params.names, params.tuple(&init.sig.ident));
    let made = quote!(Self::#ident(#(#names),*));
    let made = match &init.sig.output {
        syn::ReturnType::Type(_, ty) if is_result(ty) => {
            // In the place of the return type, where the compiler shows that its error cannot be displayed.
            let error = Ident::new("error", Span::call_site().located_at(ty.span()));
            quote! {
                ::core::result::Result::map_err(
                    #private::ResultLike::into_result(#made),
                    |#error| #private::InitFailure::new(#error),
                )
            }
        }
        _ => quote!(::core::result::Result::Ok(#made)),
    };
    (params.tuple_type(ident), from_arguments, quote!(let #tuple = init; #made))
}

fn method(message: &Function, private: &Path) -> TokenStream {
    let cfgs = message.attributes("cfg");
    let name = LitStr::new(&message.name(), message.sig.ident.span());
    let kind = match message.role {
        Role::Tell(_) => quote!(tell),
        _ => quote!(ask),
    };
    let deadline = message.role.deadline().map(duration_expr).map(|deadline| quote!(.deadline(#deadline)));
    let idempotent = message.attempts.map(|attempts| quote!(.idempotent(#attempts)));
    let signature = signature::in_words(&message.sig);
    quote!(#(#cfgs)* #private::Method::#kind(#name).signature(#signature) #deadline #idempotent,)
}

fn arm(message: &Function, calls: &TypePath, self_ty: &Type, private: &Path) -> TokenStream {
    let cfgs = message.attributes("cfg");
    let ident = &message.sig.ident;
    let params = Params::of(&message.sig, Some(self_ty));
    let output = Output::of(&message.sig, Some(self_ty), private);
    let (names, tuple, tuple_type) = (&params.names, params.tuple(ident), params.tuple_type(ident));
    let constant = client::constant_name(message);
    let value = output.resolved(quote!(Self::#ident(self #(, #names)*)), private);
    let handler = quote_spanned!(call_site_at(ident)=> |#tuple: #tuple_type| #value);
    quote! {
        #(#cfgs)*
        index if index == __Index::#ident as u32 => <#calls>::#constant.handle(call, #handler),
    }
}

/// Returns a span that errors show at `ident`, with the names of the expansion.
fn call_site_at(ident: &Ident) -> Span {
    Span::call_site().located_at(ident.span())
}
