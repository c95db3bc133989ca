//! What the attributes make of the table of options (`spawn_options` in `phalanx-policy`), and a table of the
//! options that only attributes have, in rows of the same form. A new option is one row.

use std::time::Duration;

use phalanx_policy::spawn_options;
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{LitStr, Path};

use super::entry::Entry;
use super::expr::{Base, ToField};
use super::supervision::{
    self, AutoShutdown, Backoff, Destination, Drain, Intensity, Restart, Shutdown, Strategy,
};

/// Where the options stand. Each place has its own.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Place {
    ActorStruct,
    ActorImpl,
    Task,
    Main,
    Handler,
    Supervisor,
    /// `#[child]` on any field.
    Child,
    /// `#[child]` on a field that is an actor. Only the compiler knows which fields are actors, so no
    /// attribute is read in this place: it marks the options that the expansion of a supervisor checks.
    ActorChild,
}

/// The options that a supervisor is about. Its list begins with them.
const OF_SUPERVISORS: &[&str] = &["strategy", "intensity", "backoff", "auto_shutdown", "max_children"];

impl Place {
    /// Returns the keys that this place takes, in the order in which errors list them.
    pub(crate) fn keys(self) -> Vec<&'static str> {
        let takes = |places: &[Place]| match self {
            Place::Child => places.contains(&Place::Child) || places.contains(&Place::ActorChild),
            place => places.contains(&place),
        };
        let mut keys: Vec<_> =
            TABLE.iter().filter(|(_, places)| takes(places)).map(|(key, _)| *key).collect();
        if self == Place::Supervisor {
            let rank = |key: &str| OF_SUPERVISORS.iter().position(|first| *first == key);
            keys.sort_by_key(|key| rank(key).unwrap_or(OF_SUPERVISORS.len()));
        }
        keys
    }

    /// Returns the name of this place in errors.
    pub(super) fn title(self) -> &'static str {
        match self {
            Place::ActorStruct => "`#[actor]` on a struct",
            Place::ActorImpl => "`#[actor]` on an impl block",
            Place::Task => "`#[task]`",
            Place::Main => "`#[main]`",
            Place::Handler => "a message",
            Place::Supervisor => "`#[supervisor]`",
            Place::Child | Place::ActorChild => "`#[child]`",
        }
    }
}

/// The types of the table that are not those of the runtime.
type Text = LitStr;
type Switch = Option<bool>;
type Recycling = supervision::Recycle;

macro_rules! options {
    (
        [$(
            $field:ident: $type:ty {
                $($key:literal [$($place:ident)+] $(.$part:ident)? = $read:ident($($words:expr)?);)+
            }
        )+]
        $(
            $(#[$doc:meta])*
            $own:ident: $own_type:ty {
                $own_key:literal [$($own_place:ident)+] = $own_read:ident($($own_words:expr)?);
            }
        )+
    ) => {
        /// The options that an annotation sets. The builder and the runtime's defaults decide the others.
        #[derive(Clone, Default)]
        pub(crate) struct Options {
            $(pub(crate) $field: $type,)+
            $($(#[$doc])* pub(crate) $own: $own_type,)+
            /// The keys themselves, for errors about them.
            pub(crate) given: Vec<Ident>,
        }

        const TABLE: &[(&str, &[Place])] = &[
            $($(($key, &[$(Place::$place),+]),)+)+
            $(($own_key, &[$(Place::$own_place),+]),)+
        ];

        impl Options {
            /// Reads the value of an option that the place takes.
            pub(super) fn set(&mut self, entry: &Entry) -> syn::Result<()> {
                match entry.key.to_string().as_str() {
                    $($($key => self.$field $(.$part)? = Some(entry.$read($($words)?)?),)+)+
                    $($own_key => self.$own = Some(entry.$own_read($($own_words)?)?),)+
                    _ => (),
                }
                Ok(())
            }

            /// Returns the fields of the runtime's `Options` that the annotation sets.
            pub(super) fn to_fields(&self, base: &Base<'_>) -> Vec<TokenStream> {
                let mut fields = Vec::new();
                $(fields.extend(self.$field.to_field(base).map(|value| quote!($field: #value,)));)+
                fields
            }
        }
    };
}

spawn_options! {
    options

    strategy: Option<Strategy>    { "strategy" [Supervisor] = one_of(Strategy::WORDS); }
    auto_shutdown: Option<AutoShutdown> { "auto_shutdown" [Supervisor] = one_of(AutoShutdown::WORDS); }
    max_children: Option<u32>     { "max_children" [Supervisor] = children(); }
    builder: Option<bool>         { "builder" [ActorChild] = flag(); }
    /// How often a task may be begun.
    attempts: Option<u32>         { "idempotent" [Task] = attempts(); }
    krate: Option<Path>           { "crate" [ActorStruct ActorImpl Task Main Supervisor] = path(); }
    signals: Option<bool>         { "signals" [Main] = flag(); }
    no_derive: Option<bool>       { "no_derive" [ActorStruct] = flag(); }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document has a table for supervisors, and before it one for all others.
    #[test]
    fn every_option_has_a_row_in_its_document() {
        let document = include_str!("../../../docs/options.md");
        let (of_others, of_supervisors) = document.split_once("\n## Of a supervisor\n").unwrap();
        for (key, places) in TABLE {
            let names = |text: &str| {
                [format!("`{key}`"), format!("`{key} = ")].iter().any(|name| text.contains(name))
            };
            let has_row = |part: &str| part.lines().any(|line| line.starts_with('|') && names(line));
            if places.contains(&Place::Supervisor) {
                assert!(has_row(of_supervisors), "`{key}` has no row among the options of a supervisor");
            }
            if places.iter().any(|place| *place != Place::Supervisor) {
                assert!(has_row(of_others), "`{key}` has no row among the options of an actor or a task");
            }
        }
    }
}
