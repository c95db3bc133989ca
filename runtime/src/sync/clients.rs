//! The processes that use a server: it knows their names, watches them, and tells incarnations apart.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use once_cell::sync::OnceCell;
use serde::{Deserialize, Serialize};

use super::client::{Trouble, remaining};
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::actor::reply::Reply;
use crate::actor::traits::Actor;
use crate::sys::per_process::Own;
use crate::types::down::{Down, Who};
use crate::types::error::SendError;
use crate::types::id::ActorId;

/// One process. A restarted actor is another party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Party {
    id: ActorId,
    pub(super) incarnation: u64,
}

/// One request of a process, from asking to giving back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Ticket {
    pub(super) party: Party,
    number: u64,
}

impl Party {
    /// Whether this is the end of that process. If a later incarnation has ended, so has this one.
    pub(super) fn ends_with(self, down: &Down) -> bool {
        self.id == down.who.id && self.incarnation <= down.incarnation
    }
}

impl Ticket {
    #[cfg(test)]
    pub(super) fn for_tests(number: u64) -> Ticket {
        Ticket { party: Party { id: ActorId(1), incarnation: 1 }, number }
    }
}

/// In the server: the living processes that have introduced themselves.
#[derive(Debug, Default)]
pub(super) struct Clients(HashMap<Party, Who>);

impl Clients {
    /// Watches a process from now on. The process waits for the reply before it asks for anything, so nothing
    /// is held by an unwatched process.
    pub(super) fn enter(
        &mut self,
        party: Party,
        who: &AnyRef,
        report: impl Fn(Down) -> Result<(), SendError> + Send + 'static,
    ) {
        let named = Who { name: who.name().to_owned(), id: who.id(), pid: who.pid() };
        if self.0.insert(party, named).is_none() {
            watch(who, report);
        }
    }

    pub(super) fn leave(&mut self, down: &Down) {
        self.0.retain(|party, _| !party.ends_with(down));
    }

    pub(super) fn who(&self, party: Party) -> Option<&Who> {
        self.0.get(&party)
    }
}

/// Makes the server send itself a message when a process ends.
pub(super) fn watch(who: &AnyRef, report: impl Fn(Down) -> Result<(), SendError> + Send + 'static) {
    // Retried while the mailbox is full: the server empties it, and must give back what the dead one held.
    who.monitor().on_down(move |down| while let Err(SendError::Full(_)) = report(down.clone()) {});
}

/// This process, as servers know it.
struct Myself {
    any: AnyRef,
    party: Party,
    tickets: AtomicU64,
    /// The servers that know this process. A server is not restarted, so it knows it for its whole life.
    introduced: Mutex<HashSet<ActorId>>,
}

/// A copy of a process is another party: it has none of the original's turns.
static MYSELF: Own<OnceCell<Myself>> = Own::new();

fn myself() -> Result<&'static Myself, Trouble> {
    let make = || {
        let current = crate::actor::current::current();
        let any = current.any()?;
        let party = Party { id: any.id(), incarnation: current.incarnation() };
        Ok(Myself { any, party, tickets: AtomicU64::new(0), introduced: Mutex::default() })
    };
    MYSELF.here().get_or_try_init(make).map_err(|error: std::io::Error| Trouble::System(error.to_string()))
}

/// A new ticket for a server. Introduces this process first, if the server does not know it.
pub(super) fn ticket<A: Actor>(
    server: &ActorRef<A>,
    deadline: Option<Instant>,
    enter: impl FnOnce(&A::Calls, Party, AnyRef) -> Reply<()>,
) -> Result<Ticket, Trouble> {
    let myself = myself()?;
    let introduced = || myself.introduced.lock().unwrap_or_else(PoisonError::into_inner);
    if !introduced().contains(&server.id()) {
        let calls = server.within(remaining(deadline));
        enter(&calls, myself.party, myself.any.clone()).wait()?;
        introduced().insert(server.id());
    }
    Ok(Ticket { party: myself.party, number: myself.tickets.fetch_add(1, Ordering::Relaxed) })
}
