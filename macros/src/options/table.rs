//! The table of the options. A row has the field of `Options` that an option sets, its key, the places that
//! take it, the reader of its value, and `to_field` if the runtime's `Options` has that field too. A new
//! option is one row.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{LitStr, Path};

use super::entry::Entry;
use super::expr::{Base, ToField};
use super::supervision::{AutoShutdown, Backoff, Drain, Intensity, Recycle, Restart, Shutdown, Strategy};

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

macro_rules! options {
    ($(
        $(#[$doc:meta])*
        $field:ident: $type:ty {
            $($key:literal [$($place:ident)+] $(.$part:ident)? = $read:ident($($words:expr)?);)+
        } $(=> $to_field:ident)?
    )+) => {
        /// The options that an annotation sets. The builder and the runtime's defaults decide the others.
        #[derive(Default)]
        pub(crate) struct Options {
            $($(#[$doc])* pub(crate) $field: $type,)+
            /// The keys themselves, for errors about them.
            pub(crate) given: Vec<Ident>,
        }

        const TABLE: &[(&str, &[Place])] = &[$($(($key, &[$(Place::$place),+]),)+)+];

        impl Options {
            /// Reads the value of an option that the place takes.
            pub(super) fn set(&mut self, entry: &Entry) -> syn::Result<()> {
                match entry.key.to_string().as_str() {
                    $($($key => self.$field $(.$part)? = Some(entry.$read($($words)?)?),)+)+
                    _ => (),
                }
                Ok(())
            }

            /// Returns the fields of the runtime's `Options` that the annotation sets.
            pub(super) fn to_fields(&self, base: &Base<'_>) -> Vec<TokenStream> {
                let mut fields = Vec::new();
                $($(fields.extend(self.$field.$to_field(base).map(|value| quote!($field: #value,)));)?)+
                fields
            }
        }
    };
}

options! {
    name: Option<LitStr>          { "name" [ActorStruct Child Task Supervisor] = name(); } => to_field
    mailbox: Option<u32>          { "mailbox" [ActorStruct ActorChild] = mailbox(); } => to_field
    daemon: Option<bool>          { "daemon" [ActorStruct Child Task Supervisor] = flag(); } => to_field
    deadline: Option<Duration>    { "deadline" [ActorStruct ActorChild Task Handler] = duration(); } => to_field
    start: Option<Duration>       { "start" [ActorStruct Child Task] = duration(); } => to_field
    grace: Option<Duration>       { "grace" [ActorStruct Child Task] = duration(); } => to_field
    timeout: Option<Duration>     { "timeout" [ActorStruct ActorChild] = duration(); } => to_field
    memory: Option<u64>           { "memory" [ActorStruct ActorChild Task] = memory(); } => to_field
    restart: Option<Restart>      { "restart" [ActorStruct Child Task Supervisor] = restart(); } => to_field
    intensity: Option<Intensity>  { "intensity" [ActorStruct Child Task Supervisor] = intensity(); } => to_field
    backoff: Option<Backoff>      { "backoff" [ActorStruct Child Task Supervisor] = backoff(); } => to_field
    shutdown: Option<Shutdown>    { "shutdown" [ActorStruct Child Task Supervisor] = shutdown(); } => to_field
    significant: Option<bool>     { "significant" [ActorStruct Child Task Supervisor] = flag(); } => to_field
    recycle: Recycle {
        "recycle_after" [ActorStruct ActorChild] .messages = messages();
        "recycle_above" [ActorStruct ActorChild] .memory = memory();
        "recycle_at_age" [ActorStruct ActorChild] .age = duration();
        "recycle_jitter" [ActorStruct ActorChild] .jitter = percent();
    } => to_field
    drain: Option<Drain>          { "drain" [ActorStruct ActorChild] = one_of(Drain::WORDS); } => to_field
    spare: Option<bool>           { "spare" [ActorStruct ActorChild] = flag(); } => to_field
    nice: Option<i32>             { "nice" [ActorStruct Child Task] = niceness(); } => to_field
    depth: Option<u32>            { "depth" [ActorStruct ActorChild Task] = depth(); } => to_field
    strategy: Option<Strategy>    { "strategy" [Supervisor] = one_of(Strategy::WORDS); }
    auto_shutdown: Option<AutoShutdown> { "auto_shutdown" [Supervisor] = one_of(AutoShutdown::WORDS); }
    max_children: Option<u32>     { "max_children" [Supervisor] = children(); }
    builder: Option<bool>         { "builder" [ActorChild] = flag(); }
    /// How often a task may be begun.
    attempts: Option<u32>         { "idempotent" [Task] = attempts(); }
    krate: Option<Path>           { "crate" [ActorStruct ActorImpl Task Main Supervisor] = path(); }
    no_derive: Option<bool>       { "no_derive" [ActorStruct] = flag(); }
}
