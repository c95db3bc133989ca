//! Actors by name, from every process of the tree.
//!
//! A name stands for one living actor (its ref, not its process: a restarted actor keeps it). The program
//! keeps all names, in a thread of its own that starts with the first use; so names exist as long as the
//! program.
//!
//! ```
//! use phalanx::names;
//! use phalanx::prelude::*;
//!
//! /// Keeps one number.
//! #[actor]
//! struct Db {
//!     value: u64,
//! }
//!
//! #[actor]
//! impl Db {
//!     fn add(&mut self, more: u64) -> u64 {
//!         self.value += more;
//!         self.value
//!     }
//! }
//!
//! /// Has not been given a ref.
//! #[task]
//! fn elsewhere() -> phalanx::Result<u64> {
//!     let db = names::lookup::<Db>("db")?;
//!     Ok(db.add(40).wait()?)
//! }
//!
//! #[phalanx::main]
//! fn main() -> phalanx::Result<()> {
//!     let db = Db { value: 2 }.builder().registered("db").spawn()?;
//!     assert_eq!(elsewhere::spawn()?.join()?, 42);
//!     db.stop(std::time::Duration::from_secs(1))?;
//!     assert!(matches!(names::lookup::<Db>("db"), Err(NameError::NotFound { .. })));
//!     # use phalanx::NameError;
//!     Ok(())
//! }
//! ```
//!
//! **Semantics** are those of OTP's `global` and Elixir's `Registry` with unique keys: a name goes to the
//! first actor that asks for it, one actor may have several, no registration takes a name from a living
//! actor, and every process may [`unregister`] it. A name is free **before** any process hears of its actor's
//! death: after a [`Down`](crate::Down), a finished `join` or a failed call it is not found any more.
//!
//! **Blocking.** Each call asks the program and waits for its reply, usually for a fraction of a
//! millisecond, at most 5 s; the death of the program ends the wait. While another caller starts an actor for
//! the name, functions may wait longer; each says for how long.
//!
//! **Limits.** A name has 1 to 255 bytes, there are at most 65,536; each actor that has a name or is in a
//! group costs the program two descriptors, so that its `RLIMIT_NOFILE` is usually the first limit.

// The typed API over `registry/`. Never import a service here.

pub(crate) mod get_or_spawn;
pub(crate) mod group;

use std::any::type_name;

use crate::actor::actor_ref::ActorRef;
use crate::actor::traits::Actor;
use crate::registry::{client, protocol};

pub use crate::types::name_error::NameError;
pub use get_or_spawn::get_or_spawn;

pub(crate) use crate::registry::client::{Answered, Trouble, ask};
pub(crate) use crate::registry::protocol::{Refusal, Wanted};

/// Gives an actor a name. It can have several.
///
/// While another caller is starting an actor for this name, waits for the outcome, 5 s at most.
///
/// # Errors
/// [`NameError::AlreadyRegistered`] if an actor has it, this one included (OTP's `register/2` refuses that,
/// too); [`NameError::Dead`] if the actor is gone; [`NameError::Starting`], [`NameError::Full`],
/// [`NameError::BadName`], [`NameError::Unreachable`].
///
/// ```
/// # use phalanx::prelude::*;
/// # use phalanx::{NameError, names};
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let echo = Echo.spawn()?;
/// names::register("echo", &echo)?;
/// let error = names::register("echo", &Echo.spawn()?).unwrap_err();
/// assert_eq!(error, NameError::AlreadyRegistered { name: "echo".into(), pid: echo.pid()? });
/// # Ok(())
/// # }
/// ```
pub fn register<A: Actor>(name: &str, actor: &ActorRef<A>) -> Result<(), NameError> {
    client::register(name, type_name::<A>(), actor.endpoint())
        .map_err(|trouble| trouble.named(name, type_name::<A>()))
}

/// Takes a name away from its actor; returns whether there was one. The actor goes on.
///
/// # Errors
/// [`NameError::BadName`], [`NameError::Unreachable`].
///
/// ```
/// # use phalanx::prelude::*;
/// # use phalanx::names;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let echo = Echo.builder().registered("echo").spawn()?;
/// assert!(names::unregister("echo")?);
/// assert!(!names::unregister("echo")?);
/// assert!(echo.is_alive());
/// # Ok(())
/// # }
/// ```
pub fn unregister(name: &str) -> Result<bool, NameError> {
    match ask(name, Wanted::Unregister, &[]).and_then(Answered::has_changed) {
        // In a program without a tree.
        Err(Trouble::Refused(Refusal::NotFound)) => Ok(false),
        other => other.map_err(|trouble| trouble.named(name, "")),
    }
}

/// The actor that has this name.
///
/// It was alive when the program looked, and may have died since. One that is being started is not found yet.
///
/// # Errors
/// [`NameError::NotFound`]; [`NameError::WrongType`] if it is an actor of another type;
/// [`NameError::BadName`], [`NameError::Unreachable`].
///
/// ```
/// # use phalanx::prelude::*;
/// # use phalanx::{NameError, names};
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let echo = Echo.builder().registered("echo").spawn()?;
/// assert_eq!(names::lookup::<Echo>("echo")?, echo);
/// let error = names::lookup::<Echo>("ehco").unwrap_err();
/// assert_eq!(error.to_string(), "no actor is registered as `ehco`");
/// # Ok(())
/// # }
/// ```
pub fn lookup<A: Actor>(name: &str) -> Result<ActorRef<A>, NameError> {
    let wanted = Wanted::Lookup { type_name: type_name::<A>().to_owned() };
    let found = ask(name, wanted, &[]).and_then(Answered::actors);
    let (endpoints, _) = found.map_err(|trouble| trouble.named(name, type_name::<A>()))?;
    let endpoint =
        endpoints.into_iter().next().ok_or_else(|| NameError::NotFound { name: name.to_owned() })?;
    Ok(ActorRef::of(endpoint))
}

/// A name that an actor has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Registered {
    /// The name.
    pub name: String,
    /// The type of the actor, with its path.
    pub type_name: String,
    /// Its process id.
    pub pid: u32,
}

/// The names that living actors have, in alphabetical order (of bytes).
///
/// Many names are fetched in portions: one that is given or freed meanwhile may or may not be included.
///
/// # Errors
/// [`NameError::Unreachable`].
///
/// ```
/// # use phalanx::prelude::*;
/// # use phalanx::names;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let _b = Echo.builder().registered("b").spawn()?;
/// let _a = Echo.builder().registered("a").spawn()?;
/// let names: Vec<String> = names::registered()?.into_iter().map(|known| known.name).collect();
/// assert_eq!(names, ["a", "b"]);
/// # Ok(())
/// # }
/// ```
pub fn registered() -> Result<Vec<Registered>, NameError> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let (list, more) = match ask(&after, Wanted::List, &[]) {
            Ok(Answered { answer: protocol::Answer::Names { list, more }, .. }) => (list, more),
            Ok(_) | Err(Trouble::Refused(_)) => (Vec::new(), false),
            Err(trouble) => return Err(trouble.named("", "")),
        };
        all.extend(list.into_iter().map(|known| Registered {
            name: known.name,
            type_name: known.type_name,
            pid: known.pid,
        }));
        match all.last() {
            Some(last) if more => after.clone_from(&last.name),
            _ => return Ok(all),
        }
    }
}
