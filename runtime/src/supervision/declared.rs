//! What the `#[supervisor]` attribute expands to: a supervisor whose children are known to the compiler.
//!
//! A declaration is a plan without anything that its actors are made of: a *frame*. Its mailboxes can be
//! made, and their refs handed out, before the init values of the actors exist. These come later, as a second
//! plan of the same shape, which replaces the first from the top to the leaves.

use std::fmt;

use crate::actor::builder::ActorBuilder;
use crate::actor::server::OfActor;
use crate::actor::spawning::Spawning;
use crate::actor::traits::{Actor, ActorStruct};
use crate::control::request::Kind;
use crate::ipc::codec::{Encoded, Portable};
use crate::policy::Restart;
use crate::spawn::plan::{Found, Plan};
use crate::supervision::{ChildSpec, Reachable, SupervisorBuilder, SupervisorRef};
use crate::types::error::SpawnError;
use crate::types::options::Options;

/// What can be a field of a [`#[supervisor]`](macro@crate::supervisor): an `#[actor]`, another
/// `#[supervisor]`, a [`Dynamic`](crate::Dynamic), a [`Command`](crate::command::Command). Implemented by the
/// attributes, not by hand.
///
/// ```
/// use phalanx::prelude::*;
///
/// #[actor]
/// struct Player { other: ActorRef<Player> }
///
/// #[actor]
/// impl Player {
///     fn serve(&self, ball: u32) -> u32 { self.other.hit(ball).wait().unwrap_or(0) }
///     fn hit(&self, ball: u32) -> u32 { ball + 1 }
/// }
///
/// #[supervisor(strategy = one_for_all, intensity = "5 in 10s")]
/// struct Game {
///     ping: Player,
///     #[child(shutdown = "1s")] pong: Player,
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// // Both refs are there before either of the actors.
/// let game = Game::start_with(|game| GameArgs {
///     ping: Player { other: game.pong.clone() },
///     pong: Player { other: game.ping.clone() },
/// })?;
/// assert_eq!(game.ping.serve(41).wait()?, 42);
/// assert_eq!(game.which_children()?.len(), 2);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the child of a supervisor",
    label = "neither an `#[actor]` nor a `#[supervisor]`",
    note = "each field of a `#[supervisor]` is a child: an actor (`#[actor]` on the struct and on its impl block), another supervisor, a `phalanx::Dynamic<..>`, or a `phalanx::command::Command`; what it needs to know (a number, the ref of another actor) is in the state of an actor"
)]
pub trait Supervised: Sized + 'static {
    /// What one is made of: an actor's state, or its builder if it has an `#[init]`; the `..Args` of a
    /// supervisor.
    type Args;

    /// How it is reached: by an [`ActorRef`](crate::ActorRef), or by the `..Ref` of a supervisor.
    type Ref: Reachable + Clone + fmt::Debug + Portable;

    #[doc(hidden)]
    const OPTIONS: Options;

    #[doc(hidden)]
    const IS_SUPERVISOR: bool = false;

    #[doc(hidden)]
    fn frame() -> Frame;

    #[doc(hidden)]
    fn filled(args: Self::Args) -> ChildSpec;
}

/// A process as far as its declaration describes it.
#[derive(Debug)]
#[doc(hidden)]
pub struct Frame {
    plan: Plan,
    /// What each child is without the declaration: its name and options.
    plain: Vec<(Option<String>, Options)>,
}

impl Frame {
    pub fn actor<A: Actor>() -> Frame {
        let nothing = Ok(Encoded::default());
        let options = <A as ActorStruct>::OPTIONS;
        let plan = Plan::new(Kind::Actor, Some(OfActor::<A>::ENTRY), nothing, options);
        let name = Some(crate::actor::builder::name_of::<A>().to_owned());
        Frame { plan: Plan { name, ..plan }, plain: Vec::new() }
    }

    pub fn supervisor(name: &str, options: Options, builder: SupervisorBuilder) -> Frame {
        let name = Some(options.name.unwrap_or(name).to_owned());
        Frame { plan: Plan { name, options, ..builder.plan }, plain: Vec::new() }
    }

    /// Adds a child: `id` among its siblings, and its name too unless an option sets another.
    pub fn child<C: Supervised>(&mut self, id: &str, options: Options) {
        let plain = C::frame().plan;
        self.plain.push((plain.name.clone(), plain.options));
        let name = Some(options.name.unwrap_or(id).to_owned());
        self.plan.children.push(Plan { name, options, id: Some(id.to_owned()), ..plain });
    }

    /// Completes the declaration with what its children are made of; `children` are in its order.
    pub fn fill(self, children: Vec<ChildSpec>) -> ChildSpec {
        let Frame { mut plan, plain } = self;
        let declared = std::mem::take(&mut plan.children);
        let filled = declared.into_iter().zip(plain).zip(children);
        plan.children = filled.map(|((declared, plain), child)| merge(declared, plain, child.plan)).collect();
        ChildSpec { plan }
    }
}

/// Merges the options of a child: those that `made` has changed from the `plain` ones, else the `declared`
/// ones.
fn merge(declared: Plan, plain: (Option<String>, Options), made: Plan) -> Plan {
    let (plain_name, plain) = plain;
    let name = if made.name == plain_name { declared.name } else { made.name };
    let options = Options::merged(&declared.options, &plain, &made.options);
    Plan { name, options, id: declared.id, ..made }
}

impl Found {
    /// The supervisor itself, and what is below it.
    pub fn open(self) -> (SupervisorRef, Below) {
        let below = Below(self.below.into_iter());
        (SupervisorRef::at(Found { endpoint: self.endpoint, below: Vec::new() }), below)
    }
}

/// The children of a supervisor, in its order.
#[derive(Debug)]
#[doc(hidden)]
pub struct Below(std::vec::IntoIter<Found>);

impl Below {
    /// The next child.
    ///
    /// # Panics
    /// If there is none: what is found comes from the same declaration.
    pub fn next<R: Reachable>(&mut self) -> R {
        R::at(self.0.next().expect("a declared supervisor has the children of its declaration"))
    }

    pub(crate) fn rest<R: Reachable>(self) -> Vec<R> {
        self.0.map(R::at).collect()
    }
}

/// A child made of its builder. `A` has no bound: that it is an actor is checked elsewhere, once.
pub fn built<A>(builder: ActorBuilder<A>) -> ChildSpec {
    ChildSpec { plan: builder.into_plan() }
}

/// The builder of a declared supervisor.
pub fn declared<S: Supervised>(args: S::Args) -> SupervisorBuilder<S::Ref> {
    SupervisorBuilder::of(S::filled(args).plan)
}

/// Starts a declared supervisor.
///
/// # Errors
/// See [`SupervisorBuilder::start`].
pub fn start<S: Supervised>(args: S::Args) -> Result<S::Ref, SpawnError> {
    declared::<S>(args).start()
}

/// Starts a declared supervisor whose children are made of, among others, refs to each other.
///
/// # Errors
/// See [`SupervisorBuilder::start`].
pub fn start_with<S: Supervised>(args: impl FnOnce(&S::Ref) -> S::Args) -> Result<S::Ref, SpawnError> {
    let mut frame = S::frame().plan;
    let refs = S::Ref::at(frame.reserved()?);
    let plan = S::filled(args(&refs)).plan.with_mailboxes_of(frame);
    SupervisorBuilder::<S::Ref>::of(plan).start()
}

/// Starts a declared supervisor when the future is polled.
pub fn start_async<S: Supervised>(args: S::Args) -> Spawning<S::Ref> {
    declared::<S>(args).start_async()
}

/// Refuses, at compile time, a significant child that cannot be one.
#[track_caller]
pub const fn check_significant(options: &Options, permanent: &'static str, never: Option<&'static str>) {
    if !options.significant {
        return;
    }
    if matches!(options.restart, None | Some(Restart::Permanent)) {
        panic!("{}", permanent)
    }
    if let Some(never) = never {
        panic!("{}", never)
    }
}

/// Refuses, at compile time, an option that supervisors do not have.
#[track_caller]
pub const fn check_is_actor(is_supervisor: bool, message: &'static str) {
    if is_supervisor {
        panic!("{}", message)
    }
}
