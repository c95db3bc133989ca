//! The process of a queue: its items, their holders, and the waiting calls.
//!
//! It decodes no item. A waiting call is one with a deferred reply, so the death of a caller or of the queue
//! is handled as for every call. An item has a number from its put to its end, and that is the order of the
//! queue: an item that is given back returns to its place, before all items that were never handed out.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::item_size::{RawValue, Room};
use crate::actor::any_ref::AnyRef;
use crate::actor::deferred::{Answer, Later, later};
use crate::actor::links::myself;
use crate::types::error::SendError;
use crate::types::id::ActorId;

/// How many descriptors this process may have if the system does not say.
const DESCRIPTORS: usize = 1024;
/// How many of them are kept for other uses: mailbox, status page, the channels of callers.
const RESERVED: usize = 256;
/// From how many waiting calls on the list is searched for unwanted ones.
const PRUNE: usize = 64;

/// The actor behind a [`Queue`](super::Queue).
#[phalanx_macros::actor(crate = crate, name = "queue")]
pub(super) struct Server {
    capacity: u64,
    is_closed: bool,
    /// Items that were never handed out, in their order.
    fresh: VecDeque<Stored>,
    /// Items that were handed out and given back; all of them are older than the fresh ones.
    returned: BTreeMap<u64, Stored>,
    leased: HashMap<u64, Stored>,
    takers: Waiting<Taker>,
    putters: Waiting<Putter>,
    joiners: Waiting<Joiner>,
    holders: HashMap<u64, Holder>,
    /// The last number given to an item or a holder.
    last: u64,
    held: Rc<Held>,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    Full,
    Empty,
    Closed,
    /// The items in the queue hold too many descriptors.
    Descriptors,
}

/// A put that was refused, after `stored` of its items were stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unstored {
    pub(super) stored: u32,
    pub(super) why: Refusal,
}

/// An item that is handed out.
#[derive(Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) number: u64,
    /// How often it has been handed out, this time included.
    pub(super) deliveries: u32,
    pub(super) raw_value: RawValue,
}

/// What a caller wants to take.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Wish {
    /// Takes the call back.
    pub(super) ticket: u64,
    /// How many items at most.
    pub(super) most: u32,
    /// The holder that leases them; `None`: they are given away.
    pub(super) holder: Option<u64>,
    pub(super) waits: bool,
}

/// The state of the queue, for its handles.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) len: u64,
    pub(super) leased: u64,
    pub(super) is_closed: bool,
}

type Taken = Result<Vec<Given>, Refusal>;
type Put = Result<(), Unstored>;

struct Stored {
    number: u64,
    deliveries: u32,
    raw_value: RawValue,
    _charge: Charge,
}

/// A process that holds leases, and what it holds.
struct Holder {
    who: (ActorId, u32),
    /// The holder that it is a part of, and ends with.
    of: Option<u64>,
    items: BTreeSet<u64>,
}

struct Taker {
    wish: Wish,
    answer: Answer<Taken>,
}

struct Putter {
    ticket: u64,
    stored: u32,
    parcels: VecDeque<(RawValue, Charge)>,
    answer: Answer<Put>,
}

struct Joiner {
    ticket: u64,
    answer: Answer<()>,
}

#[phalanx_macros::actor(crate = crate)]
impl Server {
    #[init]
    pub(super) fn new(capacity: u64) -> Server {
        Server {
            capacity,
            is_closed: false,
            fresh: VecDeque::new(),
            returned: BTreeMap::new(),
            leased: HashMap::new(),
            takers: Waiting::default(),
            putters: Waiting::default(),
            joiners: Waiting::default(),
            holders: HashMap::new(),
            last: 0,
            held: Rc::new(Held { most: descriptors().saturating_sub(RESERVED), now: Cell::new(0) }),
        }
    }

    pub(super) fn put(
        &mut self,
        ticket: u64,
        parcels: Vec<RawValue>,
        waits: bool,
    ) -> Later<Result<(), Unstored>> {
        let (later, answer) = later();
        let refuse = |why| Err(Unstored { stored: 0, why });
        if self.is_closed {
            return answered(later, answer, refuse(Refusal::Closed));
        }
        if !waits && self.room() < parcels.len() as u64 {
            return answered(later, answer, refuse(Refusal::Full));
        }
        let Some(parcels) = parcels.into_iter().map(|raw_value| self.held.charge(raw_value)).collect() else {
            return answered(later, answer, refuse(Refusal::Descriptors));
        };
        self.putters.push(Putter { ticket, stored: 0, parcels, answer });
        self.settle();
        later
    }

    pub(super) fn take(&mut self, wish: Wish) -> Later<Result<Vec<Given>, Refusal>> {
        let (later, answer) = later();
        if !wish.waits && self.len() == 0 {
            let refusal = if self.is_finished() { Refusal::Closed } else { Refusal::Empty };
            return answered(later, answer, Err(refusal));
        }
        self.takers.push(Taker { wish, answer });
        self.settle();
        later
    }

    /// Takes back a waiting call; returns `false` if it does not wait, because it has its reply.
    pub(super) fn withdraw(&mut self, ticket: u64) -> bool {
        self.takers.remove(ticket) || self.putters.remove(ticket) || self.joiners.remove(ticket)
    }

    /// Returns the number under which a process holds leases. The process sends its own pid: if its ref has
    /// another pid by now, that process is gone, and a monitor of the ref would watch its successor.
    pub(super) fn introduce(&mut self, process: AnyRef, pid: u32) -> u64 {
        let who = (process.id(), pid);
        if let Some((number, _)) =
            self.holders.iter().find(|(_, holder)| holder.who == who && holder.of.is_none())
        {
            return *number;
        }
        let number = self.number();
        let monitor = process.monitor();
        if process.pid() == pid {
            self.holders.insert(number, Holder { who, of: None, items: BTreeSet::new() });
            let own = myself::<Server>();
            monitor.on_down(move |_| {
                // Retries without limit: otherwise these leases would never be given back.
                while let Some(Err(SendError::Full(_))) = own.as_ref().map(|own| own.has_ended(number)) {}
            });
        }
        number
    }

    /// Adds a part to a holder, whose leases can be given back separately.
    pub(super) fn part(&mut self, of: u64) -> u64 {
        let number = self.number();
        if let Some(&Holder { who, .. }) = self.holders.get(&of) {
            self.holders.insert(number, Holder { who, of: Some(of), items: BTreeSet::new() });
        }
        number
    }

    #[tell]
    pub(super) fn has_ended(&mut self, holder: u64) {
        let parts = self.holders.iter().filter(|(_, other)| other.of == Some(holder));
        for part in parts.map(|(&part, _)| part).collect::<Vec<_>>() {
            self.forget(part);
        }
        self.forget(holder);
        self.settle();
    }

    #[tell]
    pub(super) fn ack(&mut self, holder: u64, number: u64) {
        if self.release(holder, number) {
            self.leased.remove(&number);
            self.settle();
        }
    }

    #[tell]
    pub(super) fn nack(&mut self, holder: u64, number: u64) {
        if self.release(holder, number) {
            self.give_back(number);
            self.settle();
        }
    }

    pub(super) fn done(&mut self, ticket: u64) -> Later<()> {
        let (later, answer) = later();
        self.joiners.push(Joiner { ticket, answer });
        self.settle();
        later
    }

    pub(super) fn close(&mut self) {
        self.is_closed = true;
        for Putter { stored, answer, .. } in self.putters.all.drain(..) {
            let _ = answer.send(Err(Unstored { stored, why: Refusal::Closed }));
        }
        self.settle();
    }

    pub(super) fn facts(&self) -> Facts {
        Facts { len: self.len(), leased: self.leased.len() as u64, is_closed: self.is_closed }
    }
}

/// Replies at once.
fn answered<T: crate::ipc::codec::Portable>(later: Later<T>, answer: Answer<T>, value: T) -> Later<T> {
    let _ = answer.send(value);
    later
}

impl Server {
    fn len(&self) -> u64 {
        (self.fresh.len() + self.returned.len()) as u64
    }

    fn room(&self) -> u64 {
        self.capacity.saturating_sub(self.len())
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether the queue has no items, neither queued nor leased.
    fn is_idle(&self) -> bool {
        self.len() == 0 && self.leased.is_empty()
    }

    /// Whether no item will ever come out again.
    fn is_finished(&self) -> bool {
        self.is_closed && self.is_idle()
    }

    /// Releases an item; returns whether this holder held it.
    fn release(&mut self, holder: u64, number: u64) -> bool {
        self.holders.get_mut(&holder).is_some_and(|holder| holder.items.remove(&number))
    }

    /// A holder has ended: gives its items back.
    fn forget(&mut self, holder: u64) {
        self.takers.retain(|taker| taker.wish.holder != Some(holder));
        for number in self.holders.remove(&holder).map(|holder| holder.items).unwrap_or_default() {
            self.give_back(number);
        }
    }

    fn give_back(&mut self, number: u64) {
        if let Some(item) = self.leased.remove(&number) {
            self.returned.insert(number, item);
        }
    }

    /// Does everything possible: stores items while there is room, hands items out, and replies to calls that
    /// wait for the end.
    fn settle(&mut self) {
        loop {
            self.fill();
            if self.len() == 0 {
                break;
            }
            let Some(taker) = self.takers.all.pop_front() else { break };
            self.serve(taker);
        }
        if self.is_finished() {
            for Taker { answer, .. } in self.takers.all.drain(..) {
                let _ = answer.send(Err(Refusal::Closed));
            }
        }
        if self.is_idle() {
            for Joiner { answer, .. } in self.joiners.all.drain(..) {
                let _ = answer.send(());
            }
        }
    }

    /// Stores items of waiting puts, as far as there is room.
    fn fill(&mut self) {
        while self.room() > 0 {
            let Some(putter) = self.putters.all.front_mut() else { return };
            let next = if putter.answer.is_wanted() { putter.parcels.pop_front() } else { None };
            if let Some((raw_value, charge)) = next {
                putter.stored += 1;
                let number = self.number();
                self.fresh.push_back(Stored { number, deliveries: 0, raw_value, _charge: charge });
            }
            self.finish_first_putter();
        }
    }

    /// Replies to the first waiting put if all its items are stored; drops it if its caller has stopped
    /// waiting.
    fn finish_first_putter(&mut self) {
        let is_done = |putter: &Putter| putter.parcels.is_empty() || !putter.answer.is_wanted();
        if self.putters.all.front().is_some_and(is_done)
            && let Some(putter) = self.putters.all.pop_front()
        {
            let _ = putter.answer.send(Ok(()));
        }
    }

    /// Hands out as many items as this call wants and a message takes. The queue must not be empty.
    fn serve(&mut self, Taker { wish, answer }: Taker) {
        if wish.holder.is_some_and(|holder| !self.holders.contains_key(&holder)) {
            // The holder has ended, and its leases have been given back.
            return;
        }
        let items = self.pick(wish.most as usize);
        let given = |item: &Stored| Given {
            number: item.number,
            deliveries: item.deliveries + 1,
            raw_value: item.raw_value.clone(),
        };
        if answer.send(Ok(items.iter().map(given).collect())).is_err() {
            self.returned.extend(items.into_iter().map(|item| (item.number, item)));
        } else if let Some(holder) = wish.holder.and_then(|holder| self.holders.get_mut(&holder)) {
            for mut item in items {
                item.deliveries += 1;
                holder.items.insert(item.number);
                self.leased.insert(item.number, item);
            }
        }
    }

    /// The first items, at most `most`, and no more than fit into a message.
    fn pick(&mut self, most: usize) -> Vec<Stored> {
        let mut room = Room::for_items(most.max(1));
        let mut items = Vec::new();
        loop {
            let first = self.returned.first_key_value().map(|(_, item)| item).or(self.fresh.front());
            if !first.is_some_and(|item| room.take(&item.raw_value, items.is_empty())) {
                return items;
            }
            items.extend(self.returned.pop_first().map(|(_, item)| item).or_else(|| self.fresh.pop_front()));
        }
    }
}

/// Calls that wait, in the order in which they came.
struct Waiting<W> {
    all: VecDeque<W>,
    prune_at: usize,
}

trait Waits {
    fn ticket(&self) -> u64;
    fn is_wanted(&self) -> bool;
}

impl<W> Default for Waiting<W> {
    fn default() -> Waiting<W> {
        Waiting { all: VecDeque::new(), prune_at: PRUNE }
    }
}

impl<W: Waits> Waiting<W> {
    fn push(&mut self, call: W) {
        if self.all.len() >= self.prune_at {
            // Callers that are gone do not say so. The list is searched for them each time it has doubled.
            self.all.retain(W::is_wanted);
            self.prune_at = (2 * self.all.len()).max(PRUNE);
        }
        self.all.push_back(call);
    }

    fn remove(&mut self, ticket: u64) -> bool {
        let place = self.all.iter().position(|call| call.ticket() == ticket);
        place.and_then(|place| self.all.remove(place)).is_some()
    }

    fn retain(&mut self, keep: impl FnMut(&W) -> bool) {
        self.all.retain(keep);
    }
}

macro_rules! waits {
    ($($name:ident: $($ticket:ident).+;)*) => { $(
        impl Waits for $name {
            fn ticket(&self) -> u64 {
                self.$($ticket).+
            }

            fn is_wanted(&self) -> bool {
                self.answer.is_wanted()
            }
        }
    )* };
}

waits! {
    Taker: wish.ticket;
    Putter: ticket;
    Joiner: ticket;
}

/// How many descriptors the items of this process hold. Small items hold none; when many are in use, large
/// ones are copied into memory.
struct Held {
    most: usize,
    now: Cell<usize>,
}

/// The descriptors that one item holds, until it is dropped.
struct Charge {
    held: Rc<Held>,
    count: usize,
}

impl Held {
    /// `None` if the limit would be exceeded.
    fn charge(self: &Rc<Held>, raw_value: RawValue) -> Option<(RawValue, Charge)> {
        let (mut raw_value, mut count) = (raw_value, 0);
        if raw_value.is_file() {
            if self.now.get() < self.most / 2 {
                count += 1;
            } else {
                raw_value = raw_value.into_memory();
            }
        }
        count += raw_value.beside();
        if count > 0 && self.now.get() + count > self.most {
            return None;
        }
        self.now.set(self.now.get() + count);
        Some((raw_value, Charge { held: Rc::clone(self), count }))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.held.now.set(self.held.now.get() - self.count);
    }
}

/// How many descriptors this process may have.
fn descriptors() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(DESCRIPTORS)
}
