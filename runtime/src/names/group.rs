//! Groups of actors, by name, from every process of the tree.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::actor::actor_ref::ActorRef;
use crate::actor::traits::Actor;
use crate::names::{self, Answered, NameError, Refusal, Trouble, Wanted};
use crate::types::escape::escaped;

/// A group of actors of one type, known by its name in every process of the tree.
///
/// It exists from its first member to its last; a group without members is no error. Names of groups and
/// names of actors ([`names`](mod@crate::names)) are independent. Members vanish **before** any process hears
/// of their death.
///
/// Semantics are those of OTP's `pg`, with one scope per program, and one difference: an actor is a member
/// once, however often it has joined.
///
/// **Blocking.** Every method asks the program and waits for its reply, 5 s at most; see
/// [`names`](mod@crate::names).
///
/// # Errors
/// All methods: [`NameError::BadName`] (1 to 255 bytes), [`NameError::Unreachable`]; and
/// [`NameError::WrongType`], if the group has members of another type.
///
/// ```
/// use phalanx::Group;
/// use phalanx::prelude::*;
///
/// #[actor]
/// struct Worker {
///     number: u32,
/// }
///
/// #[actor]
/// impl Worker {
///     fn number(&self) -> u32 {
///         self.number
///     }
/// }
///
/// #[phalanx::main]
/// fn main() -> phalanx::Result<()> {
///     let workers = Group::<Worker>::open("workers");
///     for number in 1..=3 {
///         workers.join(&Worker { number }.spawn()?)?;
///     }
///     // All are asked before the first reply is waited for.
///     let asked = workers.broadcast(|worker| worker.try_number())?;
///     let numbers: Vec<u32> = asked.into_iter().filter_map(|(_, sent)| sent.ok()?.wait().ok()).collect();
///     assert_eq!(numbers, [1, 2, 3]);
///     Ok(())
/// }
/// ```
pub struct Group<A> {
    name: Arc<str>,
    kind: PhantomData<fn() -> A>,
}

impl<A: Actor> Group<A> {
    /// The group of this name. Does not ask the program: an invalid name is an error of its first use.
    ///
    /// ```
    /// # use phalanx::Group;
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker {}
    /// let workers = Group::<Worker>::open("workers");
    /// assert_eq!(workers.name(), "workers");
    /// assert_eq!(workers.members(), Ok(Vec::new()));
    /// ```
    pub fn open(name: &str) -> Group<A> {
        Group { name: name.into(), kind: PhantomData }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Makes an actor the last member; returns whether it was not one before.
    ///
    /// # Errors
    /// [`NameError::Dead`] if the actor is gone; [`NameError::Full`] if there are 65,536 memberships in all
    /// groups together, or the program has no descriptors left; and those of [all methods](Self#errors).
    ///
    /// ```
    /// # use phalanx::Group;
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker {}
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let (workers, one) = (Group::open("workers"), Worker.spawn()?);
    /// assert!(workers.join(&one)?);
    /// assert!(!workers.join(&one)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn join(&self, actor: &ActorRef<A>) -> Result<bool, NameError> {
        let endpoint = actor.endpoint();
        let wanted = Wanted::Join { type_name: type_name::<A>().to_owned(), card: endpoint.card.clone() };
        let joined = names::ask(&self.name, wanted, &endpoint.descriptors()).and_then(Answered::has_changed);
        joined.map_err(|trouble| self.error(trouble))
    }

    /// Removes an actor; returns whether it was a member. A dead actor is none.
    ///
    /// # Errors
    /// Those of [all methods](Self#errors).
    ///
    /// ```
    /// # use phalanx::Group;
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker {}
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let (workers, one) = (Group::open("workers"), Worker.spawn()?);
    /// workers.join(&one)?;
    /// assert!(workers.leave(&one)?);
    /// assert!(!workers.leave(&one)?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn leave(&self, actor: &ActorRef<A>) -> Result<bool, NameError> {
        match self.ask_plainly(Wanted::Leave { id: actor.id().0 }).and_then(Answered::has_changed) {
            Err(Trouble::Refused(Refusal::NotFound)) => Ok(false),
            other => other.map_err(|trouble| self.error(trouble)),
        }
    }

    /// Its living members, in the order of their joining.
    ///
    /// They are fetched in portions of 30: one that joins, leaves or dies meanwhile may or may not be
    /// included. Each ref costs this process two descriptors.
    ///
    /// # Errors
    /// Those of [all methods](Self#errors).
    ///
    /// ```
    /// # use phalanx::Group;
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker {}
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let (workers, one, two) = (Group::open("workers"), Worker.spawn()?, Worker.spawn()?);
    /// workers.join(&two)?;
    /// workers.join(&one)?;
    /// assert_eq!(workers.members()?, [two.clone(), one.clone()]);
    /// two.kill()?;
    /// two.join();
    /// assert_eq!(workers.members()?, [one]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn members(&self) -> Result<Vec<ActorRef<A>>, NameError> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let wanted = Wanted::Members { type_name: type_name::<A>().to_owned(), after };
            let (members, more) = self.ask_for_some(wanted)?;
            all.extend(members);
            if more <= after {
                return Ok(all);
            }
            after = more;
        }
    }

    /// Calls `send` with each member, usually to send it a message, in the order of their joining; returns
    /// each result.
    ///
    /// A member that has just died or has a full mailbox does not stop the others. But a plain call or tell
    /// waits for room in a full mailbox, and the others wait meanwhile; the twins `try_..` do not wait.
    ///
    /// # Errors
    /// Those of [`members`](Self::members); then no message has been sent.
    ///
    /// ```
    /// # use phalanx::Group;
    /// # use phalanx::prelude::*;
    /// #[actor]
    /// struct Cache;
    ///
    /// #[actor]
    /// impl Cache {
    ///     #[tell]
    ///     fn clear(&mut self) {}
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let caches = Group::<Cache>::open("caches");
    /// caches.join(&Cache.spawn()?)?;
    /// for (cache, sent) in caches.broadcast(|cache| cache.try_clear())? {
    ///     if let Err(refused) = sent {
    ///         eprintln!("{cache} was not told: {refused}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast<R>(
        &self,
        mut send: impl FnMut(&ActorRef<A>) -> R,
    ) -> Result<Vec<(ActorRef<A>, R)>, NameError> {
        let each = |member: ActorRef<A>| {
            let came = send(&member);
            (member, came)
        };
        Ok(self.members()?.into_iter().map(each).collect())
    }

    /// Returns one of the members, in turn: in the order of their joining, and then from the first again. The
    /// turn is shared by all callers in the tree. `None` if the group is empty.
    ///
    /// # Errors
    /// Those of [all methods](Self#errors).
    ///
    /// ```
    /// # use phalanx::Group;
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Worker;
    /// # #[actor] impl Worker {}
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let (workers, one, two) = (Group::open("workers"), Worker.spawn()?, Worker.spawn()?);
    /// assert_eq!(workers.pick()?, None);
    /// workers.join(&one)?;
    /// workers.join(&two)?;
    /// let picked = [workers.pick()?, workers.pick()?, workers.pick()?];
    /// assert_eq!(picked, [Some(one.clone()), Some(two), Some(one)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pick(&self) -> Result<Option<ActorRef<A>>, NameError> {
        let wanted = Wanted::Pick { type_name: type_name::<A>().to_owned() };
        Ok(self.ask_for_some(wanted)?.0.into_iter().next())
    }

    /// Some members, and the place behind which there are more.
    fn ask_for_some(&self, wanted: Wanted) -> Result<(Vec<ActorRef<A>>, u64), NameError> {
        match self.ask_plainly(wanted).and_then(Answered::actors) {
            Ok((endpoints, more)) => Ok((endpoints.into_iter().map(ActorRef::of).collect(), more)),
            // In a program without a tree.
            Err(Trouble::Refused(Refusal::NotFound)) => Ok((Vec::new(), 0)),
            Err(trouble) => Err(self.error(trouble)),
        }
    }

    fn ask_plainly(&self, wanted: Wanted) -> Result<Answered, Trouble> {
        names::ask(&self.name, wanted, &[])
    }

    fn error(&self, trouble: Trouble) -> NameError {
        trouble.named(&self.name, type_name::<A>())
    }
}

impl<A> Clone for Group<A> {
    fn clone(&self) -> Group<A> {
        Group { name: Arc::clone(&self.name), kind: PhantomData }
    }
}

impl<A> fmt::Debug for Group<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "Group({})", self.name))
    }
}
