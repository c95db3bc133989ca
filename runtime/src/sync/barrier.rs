//! A barrier: a number of parties wait for each other.

use std::collections::HashSet;
use std::fmt;
use std::time::{Duration, Instant};

use phalanx_macros::actor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::client::{self, ANSWER, Trouble};
use super::clients::{self, Clients, Party, Ticket};
use super::error::handle_error;
use super::lock::handle;
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::actor::deferred::{Answer, Later, later};
use crate::types::down::{Down, Who};
use crate::types::error::{At, CallError, SendError, SpawnError};
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;

/// A barrier for a number of parties, processes or threads: Python's `Barrier`.
///
/// Each party [waits](Self::wait). When the last one has come, all go on, and the next round begins. A party
/// that does not come would keep all others waiting, so the barrier **breaks**, for every party and until it
/// is [`reset`](Self::reset), when
///
/// * a party dies while it waits;
/// * a party of the last round crashes before it comes again (an orderly end does not count: it may have come
///   for the last time);
/// * a process that is [expected](Self::expect) ends, whether it has ever come or not;
/// * the time-out of a party ends while it waits, as in Python;
/// * a process [aborts](Self::abort) it.
///
/// ```
/// use phalanx::sync::Barrier;
/// use phalanx::prelude::*;
///
/// #[task]
/// fn worker(barrier: Barrier) -> u32 {
///     barrier.wait().expect("nobody has died")
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let barrier = Barrier::new(3)?;
/// let workers = (worker::spawn(barrier.clone())?, worker::spawn(barrier.clone())?);
/// let mut order = [barrier.wait()?, workers.0.join()?, workers.1.join()?];
/// order.sort();
/// assert_eq!(order, [0, 1, 2]); // who has which depends on who came first
/// # Ok(())
/// # }
/// ```
pub struct Barrier {
    server: ActorRef<Rounds>,
}

handle!(Barrier);

/// Why a wait at a [`Barrier`] ended without the other parties.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BarrierError {
    /// The barrier is broken, until a process resets it.
    Broken {
        /// The process that broke it.
        by: Who,
        /// How it broke it.
        why: Breakage,
    },
    /// The server has not replied for 60 s. Whether this party was counted is not known.
    Timeout,
    /// The server has ended.
    Gone {
        /// How it ended; `None` if it was stopped before this request's turn came.
        reason: Option<ExitReason>,
        /// Which server, and in which of its methods.
        at: At,
    },
    /// The request could not be made, for another reason.
    Call(CallError),
    /// The operating system refused what this process needs to be known to others.
    System(String),
}

/// How a process breaks a [`Barrier`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Breakage {
    /// Its process has ended.
    Ended(ExitReason),
    /// Its time-out ended.
    TimedOut,
    /// It called [`abort`](Barrier::abort).
    Aborted,
    /// It called [`reset`](Barrier::reset) while others waited. The barrier is whole again.
    Reset,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Broken {
    by: Who,
    why: Breakage,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            let Who { name, pid, .. } = &self.by;
            write!(f, "the barrier was broken by `{name}` (process {pid}): ")?;
            match &self.why {
                Breakage::Ended(reason) => write!(f, "it ended: {reason}"),
                Breakage::TimedOut => f.write_str("it waited no longer"),
                Breakage::Aborted => f.write_str("it aborted it"),
                Breakage::Reset => f.write_str("it reset it"),
            }
        })
    }
}

/// The server.
#[actor]
pub(super) struct Rounds {
    size: u32,
    waiting: Vec<Arrival>,
    /// The parties of the last complete round, in the order in which they came.
    last: Vec<Ticket>,
    /// The processes whose end breaks the barrier in any case.
    expected: HashSet<ActorId>,
    clients: Clients,
    broken: Option<Broken>,
    dismissed: Option<Dismissed>,
}

/// The parties that waited at the last reset.
pub(super) struct Dismissed {
    by: Broken,
    tickets: Vec<Ticket>,
}

/// A party that waits.
pub(super) struct Arrival {
    ticket: Ticket,
    until: Option<Instant>,
    answer: Answer<Result<u32, Broken>>,
}

#[actor]
impl Rounds {
    #[init]
    fn new(size: u32) -> Self {
        Rounds {
            size,
            waiting: Vec::new(),
            last: Vec::new(),
            expected: HashSet::new(),
            clients: Clients::default(),
            broken: None,
            dismissed: None,
        }
    }

    /// Watches a process from now on.
    pub(super) fn enter(&mut self, party: Party, who: AnyRef) {
        if let Some(rounds) = crate::actor::links::myself::<Rounds>() {
            self.clients.enter(party, &who, move |down| rounds.gone(down));
        }
    }

    pub(super) fn arrive(&mut self, ticket: Ticket) -> Later<Result<u32, Broken>> {
        let (later, answer) = later();
        if let Some(broken) = self.broken.clone() {
            // A caller that has gone needs no reply.
            let _ = answer.send(Err(broken));
            return later;
        }
        self.waiting.push(Arrival { ticket, until: crate::actor::current::current().deadline(), answer });
        if self.waiting.len() >= self.size as usize {
            self.complete();
        }
        later
    }

    /// Ends the wait of a party. Returns what became of it: the party may have been let go in time, and not
    /// have received that yet.
    pub(super) fn give_up(&mut self, ticket: Ticket) -> Result<u32, Broken> {
        if let Some(place) = self.last.iter().position(|other| *other == ticket) {
            return Ok(place as u32);
        }
        if let Some(dismissed) = self.dismissed.iter().find(|dismissed| dismissed.tickets.contains(&ticket)) {
            return Err(dismissed.by.clone());
        }
        // The party still waits, or its request came too late to be looked at.
        let broken = Broken { by: self.who(ticket), why: Breakage::TimedOut };
        self.break_up(broken.clone());
        Err(self.broken.clone().unwrap_or(broken))
    }

    pub(super) fn abort(&mut self, ticket: Ticket) {
        self.break_up(Broken { by: self.who(ticket), why: Breakage::Aborted });
    }

    pub(super) fn reset(&mut self, ticket: Ticket) {
        if !self.waiting.is_empty() {
            let by = Broken { by: self.who(ticket), why: Breakage::Reset };
            let tickets = self.waiting.iter().map(|arrival| arrival.ticket).collect();
            self.break_up(by.clone());
            self.dismissed = Some(Dismissed { by, tickets });
        }
        self.last.clear();
        self.broken = None;
    }

    pub(super) fn expect(&mut self, who: AnyRef) {
        if let (true, Some(rounds)) =
            (self.expected.insert(who.id()), crate::actor::links::myself::<Rounds>())
        {
            clients::watch(&who, move |down| rounds.gone(down));
        }
    }

    pub(super) fn look(&self) -> (u32, Option<Broken>) {
        (self.waiting.len() as u32, self.broken.clone())
    }

    /// A process has ended.
    #[tell]
    fn gone(&mut self, down: Down) {
        let is_its = |ticket: &Ticket| ticket.party.ends_with(&down);
        let waits = self.waiting.iter().any(|arrival| is_its(&arrival.ticket));
        let crashed = !(down.reason.is_orderly() || down.reason == ExitReason::Exited(0));
        let was_there = crashed && self.last.iter().any(is_its);
        if waits || was_there || self.expected.contains(&down.who.id) {
            self.break_up(Broken { by: down.who.clone(), why: Breakage::Ended(down.reason.clone()) });
        }
        self.expected.remove(&down.who.id);
        self.clients.leave(&down);
    }
}

impl Rounds {
    fn who(&self, ticket: Ticket) -> Who {
        let unknown = || Who { name: "?".to_owned(), id: ActorId(0), pid: 0 };
        self.clients.who(ticket.party).cloned().unwrap_or_else(unknown)
    }

    /// All parties have come: each gets its place, unless one has gone meanwhile.
    fn complete(&mut self) {
        let now = Instant::now();
        if let Some(late) =
            self.waiting.iter().find(|arrival| arrival.until.is_some_and(|until| until <= now))
        {
            return self.break_up(Broken { by: self.who(late.ticket), why: Breakage::TimedOut });
        }
        if !self.waiting.iter().all(|arrival| arrival.answer.is_wanted()) {
            // It is dead. The report of its death, which breaks the barrier, is on its way.
            return;
        }
        self.last.clear();
        for (place, arrival) in self.waiting.drain(..).enumerate() {
            self.last.push(arrival.ticket);
            // A party whose time ended just now asks with `give_up`, and gets this place.
            let _ = arrival.answer.send(Ok(place as u32));
        }
    }

    /// Ends all waits, and refuses new ones.
    fn break_up(&mut self, broken: Broken) {
        for arrival in self.waiting.drain(..) {
            let _ = arrival.answer.send(Err(broken.clone()));
        }
        self.last.clear();
        self.broken.get_or_insert(broken);
    }
}

impl Barrier {
    /// A new barrier for `parties` parties, in a process of its own.
    ///
    /// # Errors
    /// [`SpawnError::Option`] if `parties` is 0; see [`SpawnError`].
    pub fn new(parties: u32) -> Result<Barrier, SpawnError> {
        if parties == 0 {
            let error = "a barrier has one party at least".to_owned();
            return Err(SpawnError::Option { actor: "barrier".to_owned(), error });
        }
        let server = Rounds::builder(parties).name("barrier").spawn()?;
        Ok(Barrier { server })
    }

    /// Waits until all parties have come, without a limit, but not beyond the death of the server. Returns
    /// the place of this party in the order of the calls, from 0.
    ///
    /// # Errors
    /// [`BarrierError::Broken`], at once if it is broken already; see [`BarrierError`].
    pub fn wait(&self) -> Result<u32, BarrierError> {
        self.wait_timeout(Duration::MAX)
    }

    /// Waits as [`wait`](Self::wait) does, for `limit` at most. Then it breaks the barrier, for all other
    /// parties too. A party that gets that error has not been counted.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use phalanx::sync::{Barrier, BarrierError};
    /// # use phalanx::sync::Breakage;
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let barrier = Barrier::new(2)?;
    /// let Err(BarrierError::Broken { by, why }) = barrier.wait_timeout(Duration::from_millis(20)) else {
    ///     panic!("there is no second party")
    /// };
    /// assert_eq!((by.pid, why), (std::process::id(), Breakage::TimedOut));
    /// assert!(barrier.is_broken()?);
    /// barrier.reset()?;
    /// assert!(!barrier.is_broken()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`BarrierError`].
    pub fn wait_timeout(&self, limit: Duration) -> Result<u32, BarrierError> {
        let ticket = self.ticket()?;
        match self.server.within(limit).arrive(ticket).wait() {
            // The server may have let this party go at this very moment, and knows whether it did.
            Err(CallError::Timeout(_) | CallError::Full(_)) => self.server.give_up(ticket).wait(),
            arrived => arrived,
        }
        .map_err(BarrierError::from)
    }

    /// Breaks it: all waits, and all that begin before it is reset, end with [`BarrierError::Broken`].
    ///
    /// # Errors
    /// See [`BarrierError`].
    pub fn abort(&self) -> Result<(), BarrierError> {
        Ok(self.server.abort(self.ticket()?).wait().map_err(Trouble::from)?)
    }

    /// Makes it whole again, and empty: present waits end with [`BarrierError::Broken`] and
    /// [`Breakage::Reset`].
    ///
    /// # Errors
    /// See [`BarrierError`].
    pub fn reset(&self) -> Result<(), BarrierError> {
        Ok(self.server.reset(self.ticket()?).wait().map_err(Trouble::from)?)
    }

    /// Declares a process to be one of the parties: if it ends, for whatever reason, and before it has ever
    /// come or later, the barrier breaks.
    ///
    /// ```
    /// # use phalanx::sync::{Barrier, BarrierError};
    /// # use phalanx::prelude::*;
    /// #[task]
    /// fn worker(barrier: Barrier) {
    ///     std::process::abort(); // before it comes to its `wait`
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let barrier = Barrier::new(2)?;
    /// let worker = worker::spawn(barrier.clone())?;
    /// barrier.expect(&worker.any())?;
    /// let Err(BarrierError::Broken { by, .. }) = barrier.wait() else { panic!("nobody has come") };
    /// assert_eq!(by.pid, worker.pid());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// See [`BarrierError`].
    pub fn expect(&self, party: &AnyRef) -> Result<(), BarrierError> {
        Ok(self.server.expect(party.clone()).wait().map_err(Trouble::from)?)
    }

    /// How many parties wait at this instant.
    ///
    /// # Errors
    /// See [`BarrierError`].
    pub fn waiting(&self) -> Result<u32, BarrierError> {
        Ok(self.server.look().wait().map_err(Trouble::from)?.0)
    }

    /// Whether it is broken at this instant.
    ///
    /// # Errors
    /// See [`BarrierError`].
    pub fn is_broken(&self) -> Result<bool, BarrierError> {
        Ok(self.server.look().wait().map_err(Trouble::from)?.1.is_some())
    }

    /// The server of the barrier: to look at, and to watch.
    pub fn server(&self) -> AnyRef {
        self.server.any()
    }

    /// Ends the server. All present and later calls get [`BarrierError::Gone`]. Blocks for `grace` at most;
    /// then the server is killed.
    ///
    /// # Errors
    /// [`SendError::Gone`] if it had ended before.
    pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.server.stop(grace)
    }

    fn ticket(&self) -> Result<Ticket, Trouble> {
        clients::ticket(&self.server, client::deadline(ANSWER), |calls, party, who| calls.enter(party, who))
    }
}

impl From<CallError<Broken>> for BarrierError {
    fn from(error: CallError<Broken>) -> BarrierError {
        match error.into_app() {
            Ok(Broken { by, why }) => BarrierError::Broken { by, why },
            Err(error) => Trouble::from(error).into(),
        }
    }
}

handle_error! {
    BarrierError
    from {
        Trouble::Timeout | Trouble::Busy => BarrierError::Timeout,
    }
    says {
        BarrierError::Broken { by, why } => "{}", Broken { by: by.clone(), why: why.clone() };
        BarrierError::Timeout => "the barrier's server does not reply";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_reply_in_time_is_an_error_of_its_own() {
        assert_eq!(BarrierError::from(Trouble::Timeout), BarrierError::Timeout);
    }
}
