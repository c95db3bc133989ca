//! A queue of another host: what has to be said in other words when it goes over the wire.
//!
//! On the way are bytes alone: large items leave their memory files, what travels beside an item has to stay, and nobody can be sent along to be watched. So each side watches whom it
//! can: the proxy the processes of its host that hold leases, and the manager the connection. What is on its way to a
//! client is leased by the connection until it has been sent, also where it is given away: an item is not lost with a link.

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
    /// The queue that a proxy stands for.
    pub(crate) fn elsewhere(proxy: AnyRef, capacity: u64) -> Queue<T> {
        Queue::of(Client::new(ActorRef::of(proxy.into_endpoint()), capacity))
    }

    /// `u64::MAX`: it has no bound.
    pub(crate) fn bound(&self) -> u64 {
        self.client.capacity
    }
}

/// What a queue's process understands, and with which options it is started.
pub(crate) const METHODS: &[Method] = Server::METHODS;
pub(crate) const OPTIONS: Options = <Server as ActorStruct>::OPTIONS;

const BESIDE: &str = "a ref, a blob or another descriptor is in the item: it means nothing to another host";

/// A call, by its meaning for the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Matter {
    Put,
    Take,
    Done,
    /// `ack` and `nack`.
    Return,
    Introduce,
    Other,
    /// Not for those who are elsewhere.
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

/// What a call of this host becomes on its way out.
pub(crate) enum Outward {
    AsItIs,
    /// As it travels between hosts: in bytes alone.
    Plain(Vec<u8>),
    /// A process of this host wants to hold leases.
    Introduce(AnyRef),
}

/// In the proxy.
///
/// # Errors
/// If there is something in it that means nothing to another host.
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

/// In the manager's gate: one connection to a queue, which leases for all who are behind it.
pub(crate) struct Desk {
    queue: ActorRef<Server>,
    /// As whom the gate is known to the queue. With it, everybody behind it ends.
    gate: u64,
    /// As whom this connection is.
    own: u64,
    /// As whom the processes of the client's host are, by the numbers that it has given them.
    holders: Mutex<HashMap<u64, u64>>,
}

/// What has to be known of a call until it is answered.
#[derive(Clone, Copy)]
pub(crate) struct Care {
    /// By which it can be taken back.
    ticket: u64,
    /// For a call that takes items: as whom they are leased.
    takes: Option<u64>,
    /// They are given away: the lease ends when they have been sent.
    gives: bool,
}

/// The items of an answer.
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

    /// A process of the client's host will hold leases.
    pub(crate) fn introduce(&self, number: u64) {
        // Said twice if the connection was made anew in the middle of it. If it fails, the queue has ended, and all calls say so.
        let is_known = self.holders().contains_key(&number);
        if !is_known && let Ok(holder) = self.queue.part(self.gate).wait() {
            self.holders().insert(number, holder);
        }
    }

    /// It has ended.
    pub(crate) fn has_ended(&self, number: u64) {
        if let Some(holder) = self.holders().remove(&number) {
            let _ = self.queue.has_ended(holder);
        }
    }

    /// A call as it has come, and as the queue is to get it.
    ///
    /// # Errors
    /// If it is not one.
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
                // Of a process that has ended, or whose leases went with an earlier connection: nobody's.
                let holder = self.holders().get(&number).copied().unwrap_or_default();
                Ok((codec::encode_plain(&(holder, item))?, None))
            }
            Matter::Other => Ok((args, None)),
            Matter::Introduce | Matter::Internal => {
                Err("a message that other hosts must not send".to_owned())
            }
        }
    }

    /// An answer of the queue, in bytes alone, and which items it gives out.
    ///
    /// # Errors
    /// If there is something in an item that means nothing to another host. What was leased for it is given back.
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

    /// They have left: what was given away is gone.
    pub(crate) fn was_sent(&self, sent: &Sent) {
        if sent.gives {
            sent.numbers.iter().for_each(|&number| drop(self.queue.ack(sent.holder, number)));
        }
    }

    /// They could not: they are the first in line again.
    pub(crate) fn was_not_sent(&self, sent: Sent) {
        sent.numbers.iter().for_each(|&number| drop(self.queue.nack(sent.holder, number)));
    }

    /// The client has gone: takes back its calls that have not been answered, and gives back what it has leased.
    pub(crate) fn close(&self, unanswered: impl Iterator<Item = Care>) {
        for care in unanswered {
            // The answer says nothing that anybody still wants to know.
            drop(self.queue.withdraw(care.ticket));
        }
        for holder in std::mem::take(&mut *self.holders()).into_values().chain([self.own]) {
            let _ = self.queue.has_ended(holder);
        }
    }
}
