//! The client side of a queue: calls to its process, and how long they may take.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use once_cell::sync::OnceCell;
use serde::{Deserialize, Serialize};

use super::error::{Fault, QueueError};
use super::item_size::RawValue;
use super::server::{Facts, Given, Server, Unstored, Wish};
use crate::actor::actor_ref::ActorRef;
use crate::actor::current::current;
use crate::actor::reply::Reply;
use crate::ipc::codec::Portable;
use crate::sys::per_process::Own;
use crate::types::error::CallError;

/// No limit; the death of the queue's process ends such a call.
pub(super) const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
/// How much longer a call may be under way than its caller waits.
pub(super) const SLACK: Duration = Duration::from_secs(5);

/// How long a call may wait.
#[derive(Clone, Copy)]
pub(super) enum Patience {
    None,
    For(Duration),
    Endless,
}

/// The state that handles in one process share if they were cloned from one another.
#[derive(Serialize, Deserialize)]
pub(super) struct Client {
    pub(super) server: ActorRef<Server>,
    /// `u64::MAX`: no bound.
    pub(super) capacity: u64,
    /// The number under which this process holds leases.
    #[serde(skip)]
    pub(super) holder: Own<OnceCell<u64>>,
}

impl Client {
    pub(super) fn new(server: ActorRef<Server>, capacity: u64) -> Client {
        Client { server, capacity, holder: Own::new() }
    }

    /// How deep an item may be.
    pub(super) fn depth(&self) -> u32 {
        self.server.endpoint().card.depth
    }

    pub(super) fn put(&self, parcels: Vec<RawValue>, patience: Patience) -> Result<(), Fault<Unstored>> {
        let (ticket, waits) = (ticket(), !matches!(patience, Patience::None));
        let reply = match patience {
            Patience::None => self.server.put(ticket, parcels, waits),
            Patience::For(limit) => {
                self.server.within(limit.saturating_add(SLACK)).put(ticket, parcels, waits)
            }
            Patience::Endless => self.server.within(FOR_EVER).put(ticket, parcels, waits),
        };
        self.wait(reply, ticket, patience)
    }

    /// Takes up to `most` items out, one at least.
    pub(super) fn take(
        &self,
        most: u32,
        holder: Option<u64>,
        patience: Patience,
    ) -> Result<Vec<Given>, Fault> {
        let ticket = ticket();
        let wish = Wish { ticket, most, holder, waits: !matches!(patience, Patience::None) };
        let reply = match patience {
            Patience::None => self.server.take(wish),
            Patience::For(limit) => self.server.within(limit.saturating_add(SLACK)).take(wish),
            Patience::Endless => self.server.within(FOR_EVER).take(wish),
        };
        self.wait(reply, ticket, patience)
    }

    /// Returns whether the queue is idle.
    pub(super) fn join(&self, patience: Patience) -> Result<bool, QueueError> {
        let (ticket, limit) = (
            ticket(),
            match patience {
                Patience::For(limit) => limit.saturating_add(SLACK),
                _ => FOR_EVER,
            },
        );
        match self.wait(self.server.within(limit).done(ticket), ticket, patience) {
            Ok(()) => Ok(true),
            Err(Fault::Late) => Ok(false),
            Err(fault) => Err(fault.unrefused()),
        }
    }

    /// Waits for the reply to a call. After the limit the call is taken back: either the queue has not
    /// replied and never will, or the reply is there. So no item is handed out to a caller that has stopped
    /// waiting.
    fn wait<T: Portable, E: Portable>(
        &self,
        mut reply: Reply<T, E>,
        ticket: u64,
        patience: Patience,
    ) -> Result<T, Fault<E>> {
        let Patience::For(limit) = patience else { return reply.wait().map_err(|error| self.fault(error)) };
        match reply.wait_timeout(limit) {
            Err(CallError::Timeout(_)) => {}
            other => return other.map_err(|error| self.fault(error)),
        }
        let limit = match self.server.within(SLACK).withdraw(ticket).wait() {
            Ok(true) => return Err(Fault::Late),
            Ok(false) => SLACK,
            // The queue has ended, as the reply says too; or it hangs.
            Err(_) => Duration::ZERO,
        };
        reply.wait_timeout(limit).map_err(|error| self.fault(error))
    }

    /// Why a call failed. The call itself does not know the reason of an ordered end; the exit record has it.
    pub(super) fn fault<E>(&self, error: CallError<E>) -> Fault<E> {
        match Fault::from(error) {
            Fault::Queue(QueueError::Gone(None)) => Fault::Queue(QueueError::Gone(self.server.exit_reason())),
            other => other,
        }
    }

    /// The number under which this process holds leases. The first call tells the queue which process it is.
    pub(super) fn holder(&self) -> Result<u64, QueueError> {
        let introduce = || {
            let own = current().any().map_err(|error| QueueError::Unreachable(error.to_string()))?;
            let reply = self.server.introduce(own, std::process::id());
            reply.wait().map_err(|error| self.fault(error).unrefused())
        };
        self.holder.here().get_or_try_init(introduce).copied()
    }

    pub(super) fn close(&self) -> Result<(), QueueError> {
        self.server.close().wait().map_err(|error| self.fault(error).unrefused())
    }

    pub(super) fn facts(&self) -> Result<Facts, QueueError> {
        self.server.facts().wait().map_err(|error| self.fault(error).unrefused())
    }
}

/// A number by which a call can be taken back; no other call of any process has it.
pub(super) fn ticket() -> u64 {
    static NUMBERS: Own<Numbers> = Own::new();
    NUMBERS.here().0.fetch_add(1, Ordering::Relaxed)
}

/// The numbers of a process begin at a random one.
struct Numbers(AtomicU64);

impl Default for Numbers {
    fn default() -> Self {
        Numbers(AtomicU64::new(RandomState::new().build_hasher().finish()))
    }
}
