//! The check of the types in a signature: they own their data, because they leave for another process.

use syn::visit::{self, Visit};
use syn::{Lifetime, Type, TypeFnPtr, TypeImplTrait, TypePath, TypePtr, TypeReference};

use crate::errors::Errors;
use crate::util::last_segment;

/// Which way a type travels; the remedies differ.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    In,
    Out,
}

/// Notes every part of `ty` that borrows or has no name.
pub(crate) fn check(ty: &Type, way: Way, errors: &mut Errors) {
    Checker { way, errors }.visit_type(ty);
}

struct Checker<'e> {
    way: Way,
    errors: &'e mut Errors,
}

impl Visit<'_> for Checker<'_> {
    fn visit_type_reference(&mut self, reference: &TypeReference) {
        let remedy = remedy(reference, self.way);
        let message = match self.way {
            Way::In => format!("a reference cannot travel to another process: {remedy}"),
            Way::Out => format!("a reference cannot travel back to the caller's process: {remedy}"),
        };
        self.errors.at(reference, message);
    }

    fn visit_type_impl_trait(&mut self, ty: &TypeImplTrait) {
        let message = match self.way {
            Way::In => "`impl Trait` cannot be decoded in another process: name the type",
            Way::Out => {
                "`impl Trait` cannot be decoded by the caller: name the type, for example `Vec<T>` for an iterator"
            }
        };
        self.errors.at(ty, message);
    }

    fn visit_type_fn_ptr(&mut self, ty: &TypeFnPtr) {
        self.errors.at(
            ty,
            "a function pointer means nothing to another process: send the data that decides instead",
        );
    }

    fn visit_type_ptr(&mut self, ty: &TypePtr) {
        self.errors.at(ty, "a pointer means nothing to another process: send what it points to");
    }

    fn visit_type_path(&mut self, ty: &TypePath) {
        match last_segment(&ty.path).filter(|segment| segment.ident == "Later") {
            Some(later) => {
                let message = match self.way {
                    Way::In => "`Later` is what a handler returns: take the value itself",
                    Way::Out => {
                        "a later reply is the whole reply of a message: return `Later<..>` itself, with the other types inside, for example `Later<Result<T, E>>`"
                    }
                };
                self.errors.at(&later.ident, message);
            }
            None => visit::visit_type_path(self, ty),
        }
    }

    fn visit_lifetime(&mut self, lifetime: &Lifetime) {
        // `Cow<'static, str>` can be decoded: it owns what it is decoded from.
        if lifetime.ident != "static" {
            self.errors.at(
                lifetime,
                "a message owns its data and has no lifetimes: use an owned type, or `'static`",
            );
        }
    }
}

fn remedy(reference: &TypeReference, way: Way) -> String {
    let verb = if way == Way::In { "take" } else { "return" };
    let owned = match &*reference.elem {
        Type::Slice(slice) => {
            let element = &slice.elem;
            format!("Vec<{}>", quote::quote!(#element))
        }
        Type::Path(path) => {
            match last_segment(&path.path).map(|segment| segment.ident.to_string()).as_deref() {
                Some("str") => "String".to_owned(),
                Some("Path") => "PathBuf".to_owned(),
                Some("OsStr") => "OsString".to_owned(),
                Some("CStr") => "CString".to_owned(),
                _ => return by_value(reference, verb),
            }
        }
        _ => return by_value(reference, verb),
    };
    format!("{verb} `{owned}`")
}

fn by_value(reference: &TypeReference, verb: &str) -> String {
    if reference.mutability.is_some() && verb == "take" {
        return "take the value, and return what became of it".to_owned();
    }
    format!("{verb} the value itself")
}
