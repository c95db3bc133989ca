//! One option, `key` or `key = value`, and the kinds of values there are.

use std::time::Duration;

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, Lit, LitStr, Path, Token};

use crate::units;

/// One `key`, `key = value`.
pub(crate) struct Entry {
    pub(crate) key: Ident,
    value: Option<Value>,
}

enum Value {
    Expr(Box<Expr>),
    Path(Path),
}

impl Parse for Entry {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        // `crate` is a keyword and an option.
        let key = Ident::parse_any(input)?;
        if !input.peek(Token![=]) {
            return Ok(Entry { key, value: None });
        }
        input.parse::<Token![=]>()?;
        let value = match key == "crate" {
            true => Value::Path(input.call(Path::parse_mod_style)?),
            false => Value::Expr(input.parse()?),
        };
        Ok(Entry { key, value: Some(value) })
    }
}

impl Entry {
    fn error(&self, message: impl std::fmt::Display) -> syn::Error {
        match &self.value {
            Some(Value::Expr(expr)) => syn::Error::new_spanned(expr, message),
            Some(Value::Path(path)) => syn::Error::new_spanned(path, message),
            None => syn::Error::new(self.key.span(), message),
        }
    }

    fn literal(&self) -> Option<&Lit> {
        match &self.value {
            Some(Value::Expr(expr)) => match &**expr {
                Expr::Lit(ExprLit { lit, .. }) => Some(lit),
                _ => None,
            },
            _ => None,
        }
    }

    fn string(&self, example: &str) -> syn::Result<&LitStr> {
        match self.literal() {
            Some(Lit::Str(text)) => Ok(text),
            _ => Err(self.error(format!("`{0}` takes a string: `{0} = \"{example}\"`", self.key))),
        }
    }

    pub(crate) fn name(&self) -> syn::Result<LitStr> {
        let name = self.string("cache")?;
        match name.value() {
            text if text.is_empty() => Err(self.error("a name must not be empty")),
            text if text.chars().any(char::is_control) => {
                Err(self.error("a name must not contain control characters: it is shown by `ps` and in logs"))
            }
            _ => Ok(name.clone()),
        }
    }

    pub(crate) fn flag(&self) -> syn::Result<bool> {
        match (&self.value, self.literal()) {
            (None, _) => Ok(true),
            (_, Some(Lit::Bool(flag))) => Ok(flag.value),
            _ => Err(self.error(format!(
                "`{0}` is a switch: write `{0}`, or `{0} = true`, or `{0} = false`",
                self.key
            ))),
        }
    }

    pub(crate) fn mailbox(&self) -> syn::Result<u32> {
        let capacity = match self.literal() {
            Some(Lit::Int(number)) => number.base10_parse::<u16>().ok().filter(|n| *n > 0),
            _ => None,
        };
        let wanted = "`mailbox` takes its capacity in messages, a number from 1 to 65535: `mailbox = 256`";
        capacity.map(u32::from).ok_or_else(|| self.error(wanted))
    }

    pub(crate) fn duration(&self) -> syn::Result<Duration> {
        units::duration(&self.string("2s")?.value()).map_err(|message| self.error(message))
    }

    pub(crate) fn memory(&self) -> syn::Result<u64> {
        let bytes = match self.literal() {
            Some(Lit::Int(number)) => units::bytes(number.base10_digits()),
            _ => units::bytes(&self.string("64MiB")?.value()),
        };
        bytes.map_err(|message| self.error(message))
    }

    pub(crate) fn path(&self) -> syn::Result<Path> {
        match &self.value {
            Some(Value::Path(path)) => Ok(path.clone()),
            _ => Err(syn::Error::new(self.key.span(), "`crate` takes a path: `crate = some::path`")),
        }
    }
}
