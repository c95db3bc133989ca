//! The methods of the reference: each sends the message that it is named after.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Meta, Path, Type};

use super::model::{Function, Role};
use crate::signature::{Output, Params};

/// Returns the call that waits for room in the mailbox, and its `try_` twin.
pub(crate) fn methods(function: &Function, self_ty: &Type, private: &Path) -> TokenStream {
    let (ident, vis) = (&function.sig.ident, &function.vis);
    let twin = format_ident!("try_{}", function.name(), span = ident.span());
    let params = Params::of(&function.sig, Some(self_ty));
    let (declared, tuple, tuple_type) = (params.declared(), params.tuple(ident), params.tuple_type(ident));
    let (send, reply) = transport(function, self_ty, private);
    let try_send = format_ident!("try_{send}", span = send.span());
    let try_error = quote!(#private::TrySendError<#tuple_type>);
    let (returned, try_returned) = match &reply {
        Some(reply) => (reply.clone(), quote!(::core::result::Result<#reply, #try_error>)),
        None => (
            quote!(::core::result::Result<(), #private::SendError>),
            quote!(::core::result::Result<(), #try_error>),
        ),
    };
    let (docs, try_docs) = (docs(function), twin_docs(function));
    let (cfgs, deprecated) = (function.attributes("cfg"), function.attributes("deprecated"));
    quote! {
        #docs
        #(#cfgs)*
        #(#deprecated)*
        #vis fn #ident(&self, #declared) -> #returned {
            #private::Calls::raw(self).#send(__Index::#ident as u32, #tuple)
        }
        #try_docs
        #(#cfgs)*
        #(#deprecated)*
        #vis fn #twin(&self, #declared) -> #try_returned {
            #private::Calls::raw(self).#try_send(__Index::#ident as u32, #tuple)
        }
    }
}

/// Returns the method of the raw reference that sends this message, and the type of the reply if there is
/// one.
fn transport(
    function: &Function,
    self_ty: &Type,
    private: &Path,
) -> (proc_macro2::Ident, Option<TokenStream>) {
    if matches!(function.role, Role::Tell(_)) {
        return (format_ident!("tell"), None);
    }
    let output = Output::of(&function.sig, Some(self_ty), private);
    let arguments = output.arguments();
    (output.carrier("ask"), Some(quote!(#private::Reply<#arguments>)))
}

/// Returns the user's docs of the method, or a sentence if it has none.
fn docs(function: &Function) -> TokenStream {
    let docs = function.attributes("doc");
    if docs.iter().any(|doc| matches!(doc.meta, Meta::NameValue(_))) {
        return quote!(#(#docs)*);
    }
    let what = match function.role {
        Role::Tell(_) => ", which sends no reply",
        _ => "; the reply carries the result",
    };
    let line = format!(" Sends `{}` to the actor{what}.", function.name());
    quote!(#(#docs)* #[doc = #line])
}

fn twin_docs(function: &Function) -> TokenStream {
    let name = function.name();
    let summary = format!(" Like [`{name}`](Self::{name}), but does not wait for room in the mailbox.");
    // `#[doc(hidden)]` and the like hold for both.
    let rest =
        function.attributes("doc").into_iter().filter(|doc: &&Attribute| matches!(doc.meta, Meta::List(_)));
    quote! {
        #[doc = #summary]
        #[doc = ""]
        #[doc = " # Errors"]
        #[doc = ""]
        #[doc = " When the message was not sent, for example because the mailbox is full; the error gives the arguments back."]
        #(#rest)*
    }
}
