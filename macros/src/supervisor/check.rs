//! The checks of a supervisor's declaration. Every error names its remedy.

use syn::{Fields, Item, ItemStruct};

use super::model::{Child, Declaration};
use crate::errors::Errors;
use crate::options::supervision::{AutoShutdown, Restart, Strategy};

/// Notes the attribute on an item that is not a struct.
pub(crate) fn other_item(item: &Item, errors: &mut Errors) {
    let fields =
        "a supervisor is declared by its children, the fields of a struct: write `struct Shop { db: Db }`";
    match item {
        Item::Enum(item) => errors.at(item.enum_token, fields),
        Item::Union(item) => errors.at(item.union_token, fields),
        Item::Impl(item) => errors.at(
            &item.self_ty,
            "`#[supervisor]` stands on a struct; a supervisor runs no code of yours, so it has no impl block",
        ),
        Item::Fn(item) => {
            errors.at(&item.sig, "`#[supervisor]` stands on a struct; for a function there is `#[task]`")
        }
        item => errors.at(item, "`#[supervisor]` stands on a struct, whose fields are its children"),
    }
}

/// Returns whether code can be generated from the struct; notes why not.
pub(crate) fn shape(item: &ItemStruct, errors: &mut Errors) -> bool {
    errors.none_in(|errors| {
        for param in &item.generics.params {
            errors.at(
                param,
                "a supervisor cannot be generic, its declaration says which children there are: name the types, or make the supervisor by `Supervisor::one_for_one()`",
            );
        }
        if let (true, Some(clause)) = (item.generics.params.is_empty(), &item.generics.where_clause) {
            errors.at(clause, "a supervisor cannot have a `where` clause: it is not generic");
        }
        if let Fields::Unnamed(fields) = &item.fields {
            let message = "the children of a supervisor have names, by which it knows them: write `struct Shop { db: Db }`";
            errors.at(fields, message);
        }
        duplicates(item, errors);
    })
}

/// Notes fields of one name. Fields under `cfg` may share a name, if the `cfg`s exclude each other.
fn duplicates(item: &ItemStruct, errors: &mut Errors) {
    let plain = |field: &&syn::Field| !field.attrs.iter().any(|attr| attr.path().is_ident("cfg"));
    let mut seen = Vec::new();
    for ident in item.fields.iter().filter(plain).filter_map(|field| field.ident.as_ref()) {
        if seen.contains(&ident) {
            errors.at(ident, format!("two children have the id `{ident}`: rename one of the two"));
        }
        seen.push(ident);
    }
}

/// Notes options that contradict each other.
pub(crate) fn children(declaration: &Declaration, errors: &mut Errors) {
    let options = &declaration.options;
    let certain = declaration.children.iter().filter(|child| child.attributes("cfg").is_empty()).count();
    if let (Some(most), Some(key)) = (options.max_children, options.key("max_children"))
        && certain as u64 > u64::from(most)
    {
        errors.at(key, format!("{certain} children are declared, and `max_children` is {most}: raise it"));
    }
    let ends = declaration.auto_shutdown() != AutoShutdown::Never;
    if let (Strategy::Dynamic, true, Some(key)) = (declaration.strategy(), ends, options.key("auto_shutdown"))
    {
        errors
            .at(key, "a dynamic supervisor has no significant children to end with: remove `auto_shutdown`");
    }
    for child in &declaration.children {
        name(child, errors);
        if let (Some(why), Some(key)) = (significance(declaration, child), child.options.key("significant")) {
            errors.at(key, why);
        }
    }
}

fn name(child: &Child, errors: &mut Errors) {
    if child.id().starts_with("__") {
        errors.at(&child.ident, "names that start with `__` belong to the expansion: rename this child");
    }
}

/// Returns why a child cannot be significant as its attribute says. Contradictions with the actor's own
/// attribute are found when the expansion is compiled.
pub(crate) fn significance(declaration: &Declaration, child: &Child) -> Option<String> {
    if child.options.significant != Some(true) {
        return None;
    }
    if child.options.restart == Some(Restart::Permanent) {
        return Some(permanent(&child.id()));
    }
    declaration.never_significant(&child.id())
}

/// Returns the error about a significant child that is permanent.
pub(crate) fn permanent(id: &str) -> String {
    format!("child `{id}` is permanent, so it cannot be significant: it never ends by itself")
}
