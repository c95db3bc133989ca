//! A queue of another host: how its messages are changed for the wire.
//!
//! Only bytes go over the wire: large items leave their memory files, descriptors beside an item cannot
//! travel, and no process of one host can be watched from another. So each side watches what it can: the
//! proxy watches the processes of its host that hold leases, the manager watches the connection. Items on
//! their way to a client are leased by the connection until they have been sent, even if they are given away:
//! so no item is lost with a link.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_bytes::ByteBuf;

use super::client::Client;
use super::error::Fault;
use super::item_size::RawValue;
use super::server::{Given, Refusal, Server, Wish};
use super::{Queue, QueueError};
use crate::actor::actor_ref::ActorRef;
use crate::actor::any_ref::AnyRef;
use crate::actor::traits::{Actor, ActorStruct};
use crate::ipc::codec::{self, Portable};
use crate::types::error::CallError;
use crate::types::method::Method;
use crate::types::options::Options;

impl<T: Portable> Queue<T> {
    /// The queue behind a proxy.
    pub(crate) fn elsewhere(proxy: AnyRef, capacity: u64) -> Queue<T> {
        Queue::of(Client::new(ActorRef::of(proxy.into_endpoint()), capacity))
    }

    /// `u64::MAX`: no bound.
    pub(crate) fn bound(&self) -> u64 {
        self.client.capacity
    }
}

/// The methods of a queue's process, and its options.
pub(crate) const METHODS: &[Method] = Server::METHODS;
pub(crate) const OPTIONS: Options = <Server as ActorStruct>::OPTIONS;

const BESIDE: &str = "a ref, a blob or another descriptor is in the item: it means nothing to another host";

/// A call, by how it is changed for the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matter {
    Put,
    Take,
    Done,
    /// `ack` and `nack`.
    Return,
    Introduce,
    Other,
    /// Not for other hosts.
    Internal,
}

fn matter(method: u32) -> Matter {
    match Server::METHODS.get(method as usize).map(|method| method.name) {
        Some("put") => Matter::Put,
        Some("take") => Matter::Take,
        Some("done") => Matter::Done,
        Some("ack" | "nack") => Matter::Return,
        Some("introduce") => Matter::Introduce,
        Some("withdraw" | "close" | "facts") => Matter::Other,
        _ => Matter::Internal,
    }
}

/// An outgoing call, as changed for the wire.
pub(crate) enum Outward {
    AsItIs,
    /// In the form between hosts: bytes alone.
    Plain(Vec<u8>),
    /// A process of this host asks to hold leases.
    Introduce(AnyRef),
}

/// Changes a call for the wire, in the proxy.
///
/// # Errors
/// If it contains something that means nothing to another host.
pub(crate) fn outward(method: u32, args: &[u8], fds: Vec<OwnedFd>) -> Result<Outward, String> {
    match matter(method) {
        Matter::Introduce => {
            let (process, _pid) = codec::decode::<(AnyRef, u32)>(args, fds)?;
            Ok(Outward::Introduce(process))
        }
        Matter::Put if !fds.is_empty() => {
            let put = codec::decode::<(u64, Vec<RawValue>, bool)>(args, fds)?;
            codec::encode_plain(&put).map(Outward::Plain).map_err(|_| BESIDE.to_owned())
        }
        _ => Ok(Outward::AsItIs),
    }
}

/// In the manager's listener: one connection to a queue, which leases for the processes behind it.
pub(crate) struct Desk {
    queue: ActorRef<Server>,
    /// The listener's number as a holder. When it ends, all holders behind it end.
    gate: u64,
    /// This connection's number as a holder.
    own: u64,
    /// The queue's numbers of the client's processes, by the numbers that the client has given them.
    holders: Mutex<HashMap<u64, u64>>,
}

/// Facts about a call that are kept until its reply.
#[derive(Clone, Copy)]
pub(crate) struct Care {
    /// Takes the call back.
    ticket: u64,
    /// For a call that takes items: the holder that leases them.
    takes: Option<u64>,
    /// The items are given away: the lease ends when they have been sent.
    gives: bool,
}

/// The items of a reply.
pub(crate) struct Sent {
    holder: u64,
    numbers: Vec<u64>,
    gives: bool,
}

impl Desk {
    /// # Errors
    /// If the queue has ended.
    pub(crate) fn open(actor: &AnyRef) -> Result<Desk, QueueError> {
        let queue = ActorRef::<Server>::of(actor.clone().into_endpoint());
        let failed = |error: CallError| Fault::from(error).unrefused();
        let gate = Client::new(queue.clone(), 0).holder()?;
        let own = queue.part(gate).wait().map_err(failed)?;
        Ok(Desk { queue, gate, own, holders: Mutex::default() })
    }

    fn holders(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a process of the client's host will hold leases.
    pub(crate) fn introduce(&self, number: u64) {
        // Comes twice if the connection was replaced in between. If the call fails, the queue has ended, and
        // all calls report that.
        let is_known = self.holders().contains_key(&number);
        if !is_known && let Ok(holder) = self.queue.part(self.gate).wait() {
            self.holders().insert(number, holder);
        }
    }

    /// The process with this number has ended.
    pub(crate) fn has_ended(&self, number: u64) {
        if let Some(holder) = self.holders().remove(&number) {
            let _ = self.queue.has_ended(holder);
        }
    }

    /// A call as the client sent it, changed for the queue.
    ///
    /// # Errors
    /// If it is not a valid call.
    pub(crate) fn inward(&self, method: u32, args: Vec<u8>) -> Result<(Vec<u8>, Option<Care>), String> {
        let unknown = || "the lease holder is unknown".to_owned();
        match matter(method) {
            Matter::Put | Matter::Done => {
                let (ticket, _) =
                    postcard::take_from_bytes::<u64>(&args).map_err(|error| error.to_string())?;
                Ok((args, Some(Care { ticket, takes: None, gives: false })))
            }
            Matter::Take => {
                let (wish,) = codec::decode::<(Wish,)>(&args, Vec::new())?;
                let holder = match wish.holder {
                    None => self.own,
                    Some(number) => *self.holders().get(&number).ok_or_else(unknown)?,
                };
                let care = Care { ticket: wish.ticket, takes: Some(holder), gives: wish.holder.is_none() };
                let wish = Wish { holder: Some(holder), ..wish };
                Ok((codec::encode_plain(&(wish,))?, Some(care)))
            }
            Matter::Return => {
                let (number, item) = codec::decode::<(u64, u64)>(&args, Vec::new())?;
                // Of a process that has ended, or whose leases went with an earlier connection: number 0,
                // which no holder has.
                let holder = self.holders().get(&number).copied().unwrap_or_default();
                Ok((codec::encode_plain(&(holder, item))?, None))
            }
            Matter::Other => Ok((args, None)),
            Matter::Introduce | Matter::Internal => {
                Err("a message that other hosts must not send".to_owned())
            }
        }
    }

    /// A reply of the queue, in bytes alone, and the items that it gives out.
    ///
    /// # Errors
    /// If an item contains something that means nothing to another host. Its items are given back to the
    /// queue.
    pub(crate) fn outward(
        &self,
        care: Care,
        answer: &[u8],
        fds: Vec<OwnedFd>,
    ) -> Result<(ByteBuf, Option<Sent>), String> {
        let Some(holder) = care.takes else { return Ok((ByteBuf::from(answer), None)) };
        let taken = codec::decode::<Result<Vec<Given>, Refusal>>(answer, fds)?;
        let numbers = taken.iter().flatten().map(|given| given.number).collect();
        let sent = Sent { holder, numbers, gives: care.gives };
        match codec::encode_plain(&taken) {
            Ok(plain) => Ok((ByteBuf::from(plain), Some(sent))),
            Err(_) => {
                self.was_not_sent(sent);
                Err(BESIDE.to_owned())
            }
        }
    }

    /// The items were sent: those given away are gone.
    pub(crate) fn was_sent(&self, sent: &Sent) {
        if sent.gives {
            sent.numbers.iter().for_each(|&number| drop(self.queue.ack(sent.holder, number)));
        }
    }

    /// The items could not be sent: they are the first in line again.
    pub(crate) fn was_not_sent(&self, sent: Sent) {
        sent.numbers.iter().for_each(|&number| drop(self.queue.nack(sent.holder, number)));
    }

    /// The client has gone: takes back its unanswered calls, and gives back its leases.
    pub(crate) fn close(&self, unanswered: impl Iterator<Item = Care>) {
        for care in unanswered {
            // No caller needs the result.
            drop(self.queue.withdraw(care.ticket));
        }
        for holder in std::mem::take(&mut *self.holders()).into_values().chain([self.own]) {
            let _ = self.queue.has_ended(holder);
        }
    }
}
