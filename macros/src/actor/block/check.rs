//! The checks of an actor's impl block. Every error names its remedy.

use quote::format_ident;
use syn::{
    FnArg, GenericArgument, ItemImpl, PathArguments, Receiver, ReceiverKind, ReturnType, Type, TypePath,
};

use super::model::{Block, Function, Role};
use crate::errors::Errors;
use crate::signature::bounds::check_lifetimes;
use crate::signature::{self, is_result};
use crate::util::{attributes, last_segment, peel};

/// Methods of the reference itself and of traits in the prelude. They would hide a message of the same name.
const RESERVED: &[&str] = &[
    "pid",
    "name",
    "id",
    "daemon",
    "is_alive",
    "join",
    "join_timeout",
    "join_async",
    "join_timeout_async",
    "terminate",
    "kill",
    "interrupt",
    "stop",
    "stop_async",
    "exit_code",
    "exit_reason",
    "monitor",
    "any",
    "sentinel",
    "as_fd",
    "within",
    "within_or_kill",
    "if_up",
    "try_",
    "when_room",
    "flush_async",
    "kill_after",
    "depth",
    "capacity",
    "handled",
    "incarnation",
    "clone",
    "clone_from",
    "into",
    "try_into",
    "to_owned",
    "drop",
    "eq",
    "ne",
];

const ON_START: &str = "#[on_start]";
const ON_EXIT: &str = "#[on_exit]";
const ON_STOP: &str = "#[on_stop]";

/// Notes what is wrong with the block as a whole, and returns the type whose methods send its messages.
pub(crate) fn block(item: &ItemImpl, errors: &mut Errors) -> Option<TypePath> {
    if let Some((path, _)) = &item.trait_ {
        errors.at(path, "`#[actor]` stands on the inherent impl block of the struct, not on a trait's: write `impl Name { .. }`");
        return None;
    }
    let lifetimes = check_lifetimes(&item.generics, errors);
    let Type::Path(calls @ TypePath { qself: None, .. }) = peel(&item.self_ty) else {
        errors.at(
            &item.self_ty,
            "an actor is a struct: write `impl Name { .. }` with the struct that has `#[actor]`",
        );
        return None;
    };
    let mut calls = calls.clone();
    let segment = calls.path.segments.last_mut()?;
    segment.ident = format_ident!("{}Calls", segment.ident);
    let borrowing = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter(|argument| matches!(argument, GenericArgument::Lifetime(_)))
            .collect(),
        _ => Vec::new(),
    };
    for lifetime in &borrowing {
        // If it is a parameter of the block, `check_lifetimes` has noted it.
        if lifetimes {
            errors.at(
                lifetime,
                "an actor lives in a process of its own and cannot borrow from this one: own the data",
            );
        }
    }
    (lifetimes && borrowing.is_empty()).then_some(calls)
}

/// Notes what is wrong with single functions, and gives the wrong ones no role.
pub(crate) fn functions(block: &mut Block, errors: &mut Errors) {
    let Type::Path(self_ty) = peel(&block.item.self_ty).clone() else { return };
    check_twins(block, errors);
    let (mut init, mut on_start, mut on_exit, mut on_stop) = (None, None, None, None);
    for function in &mut block.functions {
        let free = errors.none_in(|errors| generated_names(function, errors));
        block.starts_itself |= !free;
        let good = free
            & errors.none_in(|errors| match function.role {
                Role::Ask(_) => message(function, errors),
                Role::Tell(_) => tell(function, errors),
                Role::Init => only("#[init]", &mut init, function, errors, |errors| {
                    check_init(function, &self_ty, errors)
                }),
                Role::OnStart => only(ON_START, &mut on_start, function, errors, |errors| {
                    check_hook(ON_START, function, errors)
                }),
                Role::OnExit => only(ON_EXIT, &mut on_exit, function, errors, |errors| {
                    check_hook(ON_EXIT, function, errors)
                }),
                Role::OnStop => only(ON_STOP, &mut on_stop, function, errors, |errors| {
                    check_hook(ON_STOP, function, errors)
                }),
                Role::Plain => (),
            });
        if !good {
            block.init_is_wrong |= function.role == Role::Init;
            function.role = Role::Plain;
        }
    }
}

/// Notes a second function in a role that one function can have, and checks the first.
fn only(
    role: &str,
    first: &mut Option<String>,
    function: &Function,
    errors: &mut Errors,
    check: impl FnOnce(&mut Errors),
) {
    match first {
        Some(first) => {
            errors.at(
                &function.sig.ident,
                format!("an actor has one `{role}`, and `{first}` is it: remove one of the two"),
            );
        }
        None => {
            *first = Some(function.name());
            check(errors);
        }
    }
}

/// Notes a message `try_add` beside a message `add`, whose non-blocking call has that name.
fn check_twins(block: &mut Block, errors: &mut Errors) {
    let names: Vec<String> = block.messages().map(Function::name).collect();
    for function in block.functions.iter_mut().filter(|function| function.role.is_message()) {
        let name = function.name();
        let Some(first) = name.strip_prefix("try_").filter(|first| names.iter().any(|name| name == first))
        else {
            continue;
        };
        let message =
            format!("`{name}` is also the non-blocking call of the message `{first}`: rename one of the two");
        errors.at(&function.sig.ident, message);
        function.role = Role::Plain;
    }
}

fn generated_names(function: &Function, errors: &mut Errors) {
    let name = function.name();
    if matches!(name.as_str(), "spawn" | "spawn_async" | "builder") {
        let message = format!("`{name}` is generated, it starts the actor: give this function another name");
        errors.at(&function.sig.ident, message);
    }
}

fn message(function: &Function, errors: &mut Errors) {
    let what = "a message";
    message_name(function, errors);
    receiver(function, what, ", or make the method `#[local]`", errors);
    signature::check_kind(&function.sig, what, errors);
    signature::check_arguments(&function.sig, errors);
    signature::check_output(&function.sig, what, errors);
    if function.attempts.is_some() && signature::is_later(&function.sig) {
        errors.at(
            &function.sig.output,
            "`#[idempotent]` repeats a message whose handler the actor has died of, and here the handler returns before the reply is there: return the value itself, or remove `#[idempotent]`",
        );
    }
}

fn tell(function: &Function, errors: &mut Errors) {
    message(function, errors);
    if let Some(ty) = returned(function) {
        errors.at(ty, "a `#[tell]` has no reply, so this would be lost: return nothing, or remove `#[tell]`");
    }
}

fn message_name(function: &Function, errors: &mut Errors) {
    let (ident, name) = (&function.sig.ident, function.name());
    if RESERVED.contains(&name.as_str()) {
        let message = format!(
            "every reference to an actor has a method `{name}` of its own: rename this one, or make it `#[local]`"
        );
        errors.at(ident, message);
    }
    if name.starts_with("__") {
        errors.at(
            ident,
            "names that start with `__` belong to the expansion: rename this method, or make it `#[local]`",
        );
    }
}

/// Notes a receiver that is not `&self` or `&mut self`. `beside` is another way out, if there is one.
fn receiver(function: &Function, what: &str, beside: &str, errors: &mut Errors) {
    let sig = &function.sig;
    match sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) if is_by_reference(receiver) => {
            // A lifetime that the method declares is noted where it is declared.
            if let (ReceiverKind::Reference(_, Some(lifetime), _), None) =
                (&receiver.kind, sig.generics.lifetimes().next())
            {
                errors.at(lifetime, format!("{what} has no lifetimes: leave the lifetime of `self` out"));
            }
        }
        Some(FnArg::Receiver(receiver)) => {
            errors.at(
                receiver,
                format!("{what} is handled by an actor that lives on: take `&self` or `&mut self`{beside}"),
            );
        }
        _ => errors.at(&sig.ident, format!("{what} is handled by the actor: take `&self` or `&mut self`")),
    }
}

fn is_by_reference(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => {
            matches!(peel(ty), Type::Reference(reference) if is_self(&reference.elem))
        }
        _ => false,
    }
}

fn check_init(function: &Function, self_ty: &TypePath, errors: &mut Errors) {
    let sig = &function.sig;
    if let Some(FnArg::Receiver(receiver)) = sig.inputs.first() {
        errors
            .at(receiver, "`#[init]` makes the actor, so there is no `self` yet: take what it is made from");
    }
    signature::check_kind(sig, "`#[init]`", errors);
    signature::check_arguments(sig, errors);
    for cfg in attributes(&function.attrs, &["cfg", "cfg_attr"]) {
        errors.at(
            cfg,
            "`#[init]` decides what starts the actor and cannot be under `cfg`: put it inside the function",
        );
    }
    let wanted = "`#[init]` makes the actor: return `Self` or `Result<Self, E>`";
    match &sig.output {
        ReturnType::Default => errors.at(&sig.ident, wanted),
        ReturnType::Type(_, ty) if is_result(ty) || is_actor(ty, self_ty) => (),
        ReturnType::Type(_, ty) => errors.at(ty, wanted),
    }
}

/// Notes what is wrong with a function that the runtime calls at a certain moment.
fn check_hook(hook: &str, function: &Function, errors: &mut Errors) {
    let what = format!("`{hook}`");
    receiver(function, &what, "", errors);
    signature::check_kind(&function.sig, &what, errors);
    let mut arguments = function.sig.inputs.iter().filter(|argument| matches!(argument, FnArg::Typed(_)));
    if hook == ON_EXIT && arguments.next().is_none() {
        errors.at(
            &function.sig.ident,
            format!("{what} gets the report of an exit: take a `down: phalanx::Down`"),
        );
    }
    let nothing = if hook == ON_EXIT { "nothing else" } else { "nothing" };
    for argument in arguments {
        errors.at(
            argument,
            format!(
                "{what} is called by the runtime, which has {nothing} to pass: keep it in the actor's state"
            ),
        );
    }
    if let Some(ty) = returned(function) {
        errors
            .at(ty, format!("no caller takes what {what} returns: return nothing, and handle errors inside"));
    }
}

/// Returns the return type, unless it is `()`.
fn returned(function: &Function) -> Option<&Type> {
    match &function.sig.output {
        ReturnType::Type(_, ty) if !matches!(peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty()) => {
            Some(ty)
        }
        _ => None,
    }
}

fn is_self(ty: &Type) -> bool {
    matches!(peel(ty), Type::Path(ty) if ty.qself.is_none() && ty.path.is_ident("Self"))
}

fn is_actor(ty: &Type, self_ty: &TypePath) -> bool {
    let named = |ty: &TypePath| last_segment(&ty.path).map(|segment| segment.ident.clone());
    is_self(ty) || matches!(peel(ty), Type::Path(ty) if named(ty).is_some() && named(ty) == named(self_ty))
}
