//! The server of locks and semaphores: a value, and a wait queue in front of it.

use std::ops::Deref;
use std::sync::Arc;

use phalanx_macros::actor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::clients::{Clients, Party, Ticket};
use super::wait_queue::{Held, WaitQueue, Waiting};
use crate::actor::any_ref::AnyRef;
use crate::actor::deferred::{Answer, Later, later};
use crate::ipc::codec::Portable;
use crate::types::down::{Down, Who};
use crate::types::exit::ExitReason;

/// How many permits a lock has: more than there can be readers. A writer takes all of them.
pub(super) const ALL: u32 = u32::MAX;

/// A value that the server keeps while copies of it travel. It is encoded like the value itself.
pub(super) struct Kept<T>(Arc<T>);

/// The reply to a request.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub(super) enum Taken<T> {
    Granted(Grant<T>),
    /// The caller would have to wait.
    Busy,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub(super) struct Grant<T> {
    pub(super) value: Kept<T>,
    pub(super) poison: Option<Poison>,
    /// The holder must confirm that it has received the grant.
    pub(super) confirm: bool,
}

/// The death of a process that held all permits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Poison {
    pub(super) by: Who,
    /// Which incarnation of the process.
    pub(super) incarnation: u64,
    pub(super) reason: ExitReason,
}

/// The server: the value, and the processes that hold it or wait for it.
#[actor]
pub(super) struct LockServer<T: Portable> {
    value: Kept<T>,
    /// Whether the death of a holder of all permits is reported to the next holder.
    poisons: bool,
    poison: Option<Poison>,
    clients: Clients,
    wait_queue: WaitQueue<Answer<Taken<T>>>,
}

#[actor]
impl<T: Portable> LockServer<T> {
    #[init]
    pub(super) fn new(value: Kept<T>, permits: u32, poisons: bool) -> Self {
        LockServer {
            value,
            poisons,
            poison: None,
            clients: Clients::default(),
            wait_queue: WaitQueue::new(permits),
        }
    }

    /// Watches a process from now on.
    pub(super) fn enter(&mut self, party: Party, who: AnyRef) {
        if let Some(server) = crate::actor::links::myself::<LockServer<T>>() {
            self.clients.enter(party, &who, move |down| server.gone(down));
        }
    }

    /// Asks for permits. A caller that does not want to wait gets a reply at once.
    pub(super) fn take(&mut self, ticket: Ticket, permits: u32, waits: bool) -> Later<Taken<T>> {
        let (later, answer) = later();
        if permits > self.wait_queue.total() {
            // Those permits will never be free: dropping the answer ends the call.
        } else if waits || self.wait_queue.is_open_for(permits) {
            self.wait_queue.queue(Waiting { ticket, permits, answer });
            self.admit();
        } else {
            // A caller that has gone needs no reply.
            let _ = answer.send(Taken::Busy);
        }
        later
    }

    /// The holder has received the grant, and its code goes on.
    #[tell]
    pub(super) fn took(&mut self, ticket: Ticket) {
        if self.wait_queue.confirm(ticket) {
            self.poison = None;
        }
    }

    /// Gives back what the ticket holds, and asks for it again when the value has changed.
    pub(super) fn park(&mut self, ticket: Ticket) -> Later<Taken<T>> {
        let (later, answer) = later();
        // A caller that holds nothing would wait for ever. Its answer is dropped, which ends the call.
        if let Some(held) = self.wait_queue.give(ticket) {
            self.wait_queue.park(Waiting { ticket, permits: held.permits, answer });
            self.admit();
        }
        later
    }

    /// Stores a new value, if the ticket holds permits; returns whether it does.
    pub(super) fn commit(&mut self, ticket: Ticket, value: Kept<T>) -> bool {
        let holds = self.wait_queue.holds(ticket);
        if holds {
            self.value = value;
            self.wait_queue.wake();
        }
        holds
    }

    /// Stores a new value, for a holder that does not wait for the reply.
    #[tell]
    pub(super) fn put(&mut self, ticket: Ticket, value: Kept<T>) {
        self.commit(ticket, value);
    }

    /// Ends a ticket: a holder gives back what it holds, a caller that waits leaves the queue. With a reason,
    /// the holder failed.
    #[tell]
    pub(super) fn give(&mut self, ticket: Ticket, broken: Option<ExitReason>) {
        let by = self.clients.who(ticket.party).cloned();
        let held = self.wait_queue.give(ticket);
        if let (Some(held), Some(by), Some(reason)) = (held, by, broken) {
            self.poison(held, Poison { by, incarnation: ticket.party.incarnation, reason });
        }
        self.admit();
    }

    /// Gives back, for a holder that waits for the reply. Returns whether the ticket held anything.
    pub(super) fn release(&mut self, ticket: Ticket) -> bool {
        let held = self.wait_queue.give(ticket).is_some();
        self.admit();
        held
    }

    /// A process has ended.
    #[tell]
    fn gone(&mut self, down: Down) {
        let held = self.wait_queue.give_all(|ticket| ticket.party.ends_with(&down));
        for held in held {
            let Down { who: by, incarnation, reason, .. } = down.clone();
            self.poison(held, Poison { by, incarnation, reason });
        }
        self.clients.leave(&down);
        self.admit();
    }

    pub(super) fn free(&self) -> u32 {
        self.wait_queue.free()
    }
}

impl<T: Portable> LockServer<T> {
    /// Poisons the lock after a holder failed, unless that holder had not received the grant yet.
    fn poison(&mut self, held: Held, poison: Poison) {
        if self.poisons && held.confirmed && held.permits == self.wait_queue.total() {
            self.poison = Some(poison);
            // Parked callers get the error too: what they wait for may never come now.
            self.wait_queue.wake();
        }
    }

    /// Grants permits to all callers at the head of the queue for which there are enough.
    fn admit(&mut self) {
        while let Some(Waiting { ticket, permits, answer }) = self.wait_queue.admit() {
            let writes = self.poisons && permits == self.wait_queue.total();
            let grant = Grant {
                value: self.value.clone(),
                poison: self.poison.clone(),
                confirm: writes || self.poison.is_some(),
            };
            // The caller has died, or its time limit has ended. It gives the ticket back itself, but others
            // need not wait for that.
            if !answer.is_wanted() || answer.send(Taken::Granted(grant)).is_err() {
                self.wait_queue.give(ticket);
            }
        }
    }
}

impl<T> Kept<T> {
    pub(super) fn new(value: T) -> Kept<T> {
        Kept(Arc::new(value))
    }

    /// To be changed; `None` while there are other references to it.
    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        Arc::get_mut(&mut self.0)
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Kept<T> {
        Kept(Arc::clone(&self.0))
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Serialize> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kept<T>, D::Error> {
        T::deserialize(deserializer).map(Kept::new)
    }
}
