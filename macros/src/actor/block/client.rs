//! The methods of the reference: each sends the message that it is named after.

use proc_macro2::{Ident, TokenStream};
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
    let (constant, reply) = (constant_name(function), reply(function, self_ty, private));
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
            Self::#constant.send(#private::Calls::raw(self), #tuple)
        }
        #try_docs
        #(#cfgs)*
        #(#deprecated)*
        #vis fn #twin(&self, #declared) -> #try_returned {
            Self::#constant.try_send(#private::Calls::raw(self), #tuple)
        }
    }
}

/// Returns the constant that describes the message. It alone asks something of the message's types, so that a
/// type that cannot travel is one error: at the type, or at the method's name for one of several arguments.
pub(crate) fn constant(function: &Function, self_ty: &Type, private: &Path) -> TokenStream {
    let (ident, cfgs) = (&function.sig.ident, function.attributes("cfg"));
    let arguments = Params::of(&function.sig, Some(self_ty)).tuple_type(ident);
    let (ty, describer) = match function.role {
        Role::Tell(_) => (quote!(Tell<#arguments>), quote!(tell::<#arguments>)),
        _ => {
            let output = Output::of(&function.sig, Some(self_ty), private);
            let (returned, parts) = (output.returned(private), output.arguments());
            let describer = output.describer("ask");
            (quote!(Ask<#arguments, #returned, #parts>), quote!(#describer::<#arguments, #parts>))
        }
    };
    let constant = constant_name(function);
    quote!(#(#cfgs)* const #constant: #private::#ty = #private::#describer(__Index::#ident as u32);)
}

pub(crate) fn constant_name(function: &Function) -> Ident {
    format_ident!("__{}", function.name())
}

/// Returns the type of the reply, if there is one.
fn reply(function: &Function, self_ty: &Type, private: &Path) -> Option<TokenStream> {
    if matches!(function.role, Role::Tell(_)) {
        return None;
    }
    let arguments = Output::of(&function.sig, Some(self_ty), private).arguments();
    Some(quote!(#private::Reply<#arguments>))
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
