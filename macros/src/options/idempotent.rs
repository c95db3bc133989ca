//! `#[idempotent]` and `#[idempotent(5)]`: how often a message or a task is begun.

use quote::ToTokens;
use syn::{Attribute, LitInt, Meta};

use crate::errors::Errors;

/// The name of the attribute, and of the option of a task.
pub(crate) const IDEMPOTENT: &str = "idempotent";

/// How often a message or a task is begun if the attribute or the option has no number.
pub(super) const ATTEMPTS: u32 = 3;

/// Returns how often the message or task with this attribute may be begun.
pub(crate) fn attempts_of(attr: &Attribute, errors: &mut Errors) -> Option<u32> {
    match &attr.meta {
        Meta::Path(_) => Some(ATTEMPTS),
        Meta::List(list) => {
            let number = syn::parse2::<LitInt>(list.tokens.clone()).and_then(|number| number.base10_parse());
            match number {
                Ok(attempts @ 2..=100) => Some(attempts),
                _ if list.tokens.is_empty() => {
                    errors.push(wrong_attempts(attr));
                    None
                }
                _ => {
                    errors.push(wrong_attempts(&list.tokens));
                    None
                }
            }
        }
        Meta::NameValue(pair) => {
            errors.push(wrong_attempts(&pair.value));
            None
        }
    }
}

fn wrong_attempts(place: &impl ToTokens) -> syn::Error {
    let wanted = "`#[idempotent]` takes how often a message is begun at most, a number from 2 to 100: `#[idempotent(5)]`";
    syn::Error::new_spanned(place, wanted)
}
