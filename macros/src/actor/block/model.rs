//! The model of an impl block: each function with its role.

use std::time::Duration;

use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Meta, Path, Signature, Visibility, parse_quote};

use crate::errors::Errors;
use crate::options::idempotent::{IDEMPOTENT, attempts_of};
use crate::options::{Options, handler_options};
use crate::util::{attributes, unraw};

/// The helper attributes. They are stripped, and so is `#[idempotent]`, which may stand beside one.
const HELPERS: &[&str] = &["ask", "tell", "local", "init", "on_start", "on_exit", "on_stop"];

pub(crate) struct Block {
    /// The user's block without helper attributes.
    pub(crate) item: ItemImpl,
    pub(crate) private: Path,
    pub(crate) functions: Vec<Function>,
    /// Whether an `#[init]` was left out because of its errors: then it is not known how the actor starts.
    pub(crate) init_is_wrong: bool,
    /// Whether the user wrote a `spawn` or a `builder`: then the generated ones would only add to the errors.
    pub(crate) starts_itself: bool,
}

pub(crate) struct Function {
    pub(crate) role: Role,
    /// How often a message may be begun, if more than once.
    pub(crate) attempts: Option<u32>,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Role {
    /// A message with a reply, and the time that its handler has.
    Ask(Option<Duration>),
    /// A message without a reply.
    Tell(Option<Duration>),
    Init,
    OnStart,
    OnExit,
    OnStop,
    /// A function that this attribute leaves alone.
    Plain,
}

impl Block {
    pub(crate) fn read(mut item: ItemImpl, options: Options, errors: &mut Errors) -> Block {
        let mut functions = Vec::new();
        for function in item.items.iter_mut().filter_map(function) {
            let role = read_role(function, errors);
            let attempts = read_attempts(function, role, errors);
            functions.push(Function {
                role,
                attempts,
                attrs: function.attrs.clone(),
                vis: function.vis.clone(),
                sig: function.sig.clone(),
            });
            function.attrs.retain(|attr| !is_helper(attr));
            if role != Role::Plain {
                // How a handler takes and returns is this attribute's choice, not the user's.
                function.attrs.push(parse_quote!(
                    #[allow(clippy::needless_pass_by_value, clippy::must_use_candidate, clippy::unused_self)]
                ));
            }
        }
        Block { item, private: options.private(), functions, init_is_wrong: false, starts_itself: false }
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| function.role.is_message())
    }

    pub(crate) fn in_role(&self, role: Role) -> Option<&Function> {
        self.functions.iter().find(|function| function.role == role)
    }
}

impl Role {
    pub(crate) fn is_message(self) -> bool {
        matches!(self, Role::Ask(_) | Role::Tell(_))
    }

    pub(crate) fn deadline(self) -> Option<Duration> {
        match self {
            Role::Ask(deadline) | Role::Tell(deadline) => deadline,
            _ => None,
        }
    }
}

impl Function {
    pub(crate) fn name(&self) -> String {
        unraw(&self.sig.ident)
    }

    pub(crate) fn attributes(&self, name: &'static str) -> Vec<&Attribute> {
        self.attrs.iter().filter(|attr| attr.path().is_ident(name)).collect()
    }
}

fn function(item: &mut ImplItem) -> Option<&mut ImplItemFn> {
    match item {
        ImplItem::Fn(function) => Some(function),
        _ => None,
    }
}

fn is_helper(attr: &Attribute) -> bool {
    attr.path().is_ident(IDEMPOTENT) || HELPERS.iter().any(|helper| attr.path().is_ident(helper))
}

/// Reads the helper attribute of a function. A function with two of them has neither role.
fn read_role(function: &ImplItemFn, errors: &mut Errors) -> Role {
    let mut helpers = attributes(&function.attrs, HELPERS);
    let Some(first) = helpers.next() else {
        let is_method = function.sig.receiver().is_some();
        return if is_method { Role::Ask(None) } else { Role::Plain };
    };
    if let Some(second) = helpers.next() {
        let [first, other] = [first, second].map(|attr| quote::quote!(#attr).to_string().replace(' ', ""));
        errors.at(
            second,
            format!("`{first}` and `{other}` exclude each other: a function has one role, keep one of them"),
        );
        return Role::Plain;
    }
    let Some(helper) = first.path().get_ident().map(ToString::to_string) else { return Role::Plain };
    match helper.as_str() {
        "ask" => Role::Ask(handler_options(first, errors).deadline),
        "tell" => Role::Tell(handler_options(first, errors).deadline),
        _ => {
            if !matches!(first.meta, Meta::Path(_)) {
                errors.at(first, format!("`#[{helper}]` takes no options"));
            }
            match helper.as_str() {
                "init" => Role::Init,
                "on_start" => Role::OnStart,
                "on_exit" => Role::OnExit,
                "on_stop" => Role::OnStop,
                _ => local(function, first, errors),
            }
        }
    }
}

fn local(function: &ImplItemFn, attr: &Attribute, errors: &mut Errors) -> Role {
    if function.sig.receiver().is_none() {
        errors.at(attr, "`#[local]` keeps a method from being a message; a function without `self` is none: remove the attribute");
    }
    Role::Plain
}

/// Reads `#[idempotent]` and `#[idempotent(5)]`.
fn read_attempts(function: &ImplItemFn, role: Role, errors: &mut Errors) -> Option<u32> {
    let mut given = attributes(&function.attrs, &[IDEMPOTENT]);
    let attr = given.next()?;
    for second in given {
        errors.at(second, "`#[idempotent]` is given twice: remove one of the two");
    }
    if !role.is_message() {
        errors.at(
            attr,
            "`#[idempotent]` lets a message be handled again after a crash, and this function is no message: remove the attribute",
        );
        return None;
    }
    attempts_of(attr, errors)
}
