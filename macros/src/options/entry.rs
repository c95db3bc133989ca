//! One option, `key` or `key = value`, and a reader for each kind of value.

use std::time::Duration;

use phalanx_policy::{MOST_ATTEMPTS, duration};
use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, ExprLit, ExprPath, ExprUnary, Lit, LitStr, Path, Token, UnOp};

use super::idempotent::ATTEMPTS;
use super::supervision::{self, Backoff, Intensity, Restart, Shutdown};
use super::units;

/// One `key` or `key = value`.
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
    pub(crate) fn error(&self, message: impl std::fmt::Display) -> syn::Error {
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
            text if text.len() > 255 => Err(self.error("a name has at most 255 bytes")),
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

    pub(crate) fn depth(&self) -> syn::Result<u32> {
        let levels = match self.literal() {
            Some(Lit::Int(number)) => number.base10_parse::<u32>().ok().filter(|n| (1..=100_000).contains(n)),
            _ => None,
        };
        let wanted =
            "`depth` takes how many levels deep a value may be, a number from 1 to 100000: `depth = 1000`";
        levels.ok_or_else(|| self.error(wanted))
    }

    pub(crate) fn niceness(&self) -> syn::Result<i32> {
        let number = |lit: &Lit| match lit {
            Lit::Int(number) => number.base10_parse::<i32>().ok(),
            _ => None,
        };
        let given = match &self.value {
            Some(Value::Expr(expr)) => match &**expr {
                Expr::Lit(ExprLit { lit, .. }) => number(lit),
                Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match &**expr {
                    Expr::Lit(ExprLit { lit, .. }) => number(lit).map(|number| -number),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        let wanted = "`nice` takes a niceness, a number from -20 to 19: `nice = 10`";
        given.filter(|nice| (-20..=19).contains(nice)).ok_or_else(|| self.error(wanted))
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

    /// Returns the value, if it is a word without quotes.
    fn word(&self) -> Option<String> {
        match &self.value {
            Some(Value::Expr(expr)) => match &**expr {
                Expr::Path(ExprPath { qself: None, path, .. }) => path.get_ident().map(Ident::to_string),
                _ => None,
            },
            _ => None,
        }
    }

    fn known<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let word = self.word()?;
        words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value)
    }

    /// Reads one of `words`.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> syn::Result<T> {
        self.known(words).ok_or_else(|| {
            let list = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
            let example = words.first().map_or("", |(word, _)| word);
            self.error(format!("`{0}` is one of {list}: `{0} = {example}`", self.key))
        })
    }

    pub(crate) fn restart(&self) -> syn::Result<Restart> {
        self.one_of(Restart::WORDS)
    }

    pub(crate) fn shutdown(&self) -> syn::Result<Shutdown> {
        if let Some(known) = self.known(Shutdown::WORDS) {
            return Ok(known);
        }
        let Some(Lit::Str(text)) = self.literal() else {
            return Err(self.error("`shutdown` is `brutal_kill`, `infinity`, or a time: `shutdown = \"5s\"`"));
        };
        match duration::read(&text.value()) {
            Ok(Duration::ZERO) => {
                Err(self.error("for a stop without a grace, write `shutdown = brutal_kill`"))
            }
            Ok(limit) => Ok(Shutdown::Timeout(limit)),
            Err(message) => Err(self.error(message)),
        }
    }

    pub(crate) fn intensity(&self) -> syn::Result<Intensity> {
        supervision::intensity(&self.string("5 in 10s")?.value()).map_err(|message| self.error(message))
    }

    pub(crate) fn backoff(&self) -> syn::Result<Backoff> {
        supervision::backoff(&self.string("100ms..30s")?.value()).map_err(|message| self.error(message))
    }

    fn number(&self) -> Option<u64> {
        match self.literal() {
            Some(Lit::Int(number)) => number.base10_parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn messages(&self) -> syn::Result<u64> {
        let wanted = format!("`{0}` takes a number of messages, at least 1: `{0} = 1000`", self.key);
        self.number().filter(|number| *number > 0).ok_or_else(|| self.error(wanted))
    }

    pub(crate) fn children(&self) -> syn::Result<u32> {
        let wanted = format!("`{0}` takes a number of children: `{0} = 10`", self.key);
        let children = self.number().and_then(|number| u32::try_from(number).ok());
        children.ok_or_else(|| self.error(wanted))
    }

    /// Reads how often a task may be begun: `ATTEMPTS` times if the option has no value.
    pub(crate) fn attempts(&self) -> syn::Result<u32> {
        if self.value.is_none() {
            return Ok(ATTEMPTS);
        }
        let wanted =
            format!("`{0}` takes how often it is begun at most, 2 to {MOST_ATTEMPTS}: `{0} = 5`", self.key);
        let attempts = self.number().and_then(|number| u32::try_from(number).ok());
        attempts.filter(|attempts| (2..=MOST_ATTEMPTS).contains(attempts)).ok_or_else(|| self.error(wanted))
    }

    pub(crate) fn percent(&self) -> syn::Result<u8> {
        let wanted = format!("`{0}` takes a percentage, a number from 0 to 100: `{0} = 10`", self.key);
        let percent = self.number().and_then(|number| u8::try_from(number).ok());
        percent.filter(|percent| *percent <= 100).ok_or_else(|| self.error(wanted))
    }

    pub(crate) fn path(&self) -> syn::Result<Path> {
        match &self.value {
            Some(Value::Path(path)) => Ok(path.clone()),
            _ => Err(syn::Error::new(self.key.span(), "`crate` takes a path: `crate = some::path`")),
        }
    }
}
