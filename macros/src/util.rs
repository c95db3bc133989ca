//! Small helpers on syntax that several stages need.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Expr, ExprPath, Ident, Path, PathSegment, QSelf, Token, Type, TypePath};

/// Returns `add` for `add` and `type` for `r#type`.
pub(crate) fn unraw(ident: &Ident) -> String {
    ident.unraw().to_string()
}

pub(crate) fn last_segment(path: &Path) -> Option<&PathSegment> {
    path.segments.last()
}

/// Returns the attributes of `attrs` that are called one of `names`.
pub(crate) fn attributes<'a>(
    attrs: &'a [Attribute],
    names: &'a [&str],
) -> impl Iterator<Item = &'a Attribute> {
    attrs.iter().filter(|attr| names.iter().any(|name| attr.path().is_ident(name)))
}

/// Returns `tokens` with spans that errors show at `place`.
pub(crate) fn placed_at(place: Span, tokens: TokenStream) -> TokenStream {
    let place_one = |token| {
        let mut token = match token {
            TokenTree::Group(group) => {
                TokenTree::Group(Group::new(group.delimiter(), placed_at(place, group.stream())))
            }
            token => token,
        };
        token.set_span(token.span().located_at(place));
        token
    };
    tokens.into_iter().map(place_one).collect()
}

/// Returns `ty` without invisible groups and parentheses around it.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            _ => return ty,
        };
    }
}

/// Returns `ty` with `Self` spelled out, for use outside of the impl block that it was written in.
pub(crate) fn without_self(ty: &Type, self_ty: &Type) -> Type {
    let mut ty = ty.clone();
    SelfSpeller { self_ty }.visit_type_mut(&mut ty);
    ty
}

struct SelfSpeller<'a> {
    self_ty: &'a Type,
}

impl SelfSpeller<'_> {
    /// Makes `<Name<K>>::Item` of `Self::Item`.
    fn qualify(&self, qself: &mut Option<QSelf>, path: &mut Path) {
        let starts_with_self =
            path.leading_colon.is_none() && path.segments.first().is_some_and(|s| s.ident == "Self");
        if qself.is_some() || !starts_with_self || path.segments.len() < 2 {
            return;
        }
        *qself = Some(QSelf {
            lt_token: <Token![<]>::default(),
            ty: Box::new(self.self_ty.clone()),
            position: 0,
            as_token: None,
            gt_token: <Token![>]>::default(),
        });
        path.segments = path.segments.iter().skip(1).cloned().collect();
        path.leading_colon = Some(<Token![::]>::default());
    }
}

impl VisitMut for SelfSpeller<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::Path(TypePath { qself: None, path, .. }) if path.is_ident("Self") => {
                *ty = self.self_ty.clone()
            }
            _ => visit_mut::visit_type_mut(self, ty),
        }
    }

    fn visit_type_path_mut(&mut self, ty: &mut TypePath) {
        self.qualify(&mut ty.qself, &mut ty.path);
        visit_mut::visit_type_path_mut(self, ty);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if let Expr::Path(ExprPath { qself, path, .. }) = expr {
            self.qualify(qself, path);
        }
        visit_mut::visit_expr_mut(self, expr);
    }
}
