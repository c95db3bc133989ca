//! The table of connections: clients, which have proved that they know the secret, and strangers, which have
//! not yet.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::remote::error::RemoteError;
use crate::remote::transport::Cut;
use crate::sys::poll;

/// How many refusals are remembered.
const REMEMBERED: usize = 64;

/// How often to check whether all calls have their replies.
const TICK: Duration = Duration::from_millis(2);

#[derive(Default)]
pub(super) struct Table {
    rows: Mutex<Rows>,
    /// Calls of all connections without a reply.
    calls: AtomicUsize,
}

#[derive(Default)]
struct Rows {
    next: u64,
    /// In the order of their arrival.
    strangers: BTreeMap<u64, Arc<dyn Cut>>,
    clients: BTreeMap<u64, Arc<dyn Cut>>,
    refusals: VecDeque<RemoteError>,
    /// No connection is admitted any more.
    closed: bool,
}

/// The place of one connection in the table. It is given back when its thread ends, however that happens.
pub(super) struct Place {
    number: u64,
}

impl Table {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection; `None` if the table is closed.
    pub(super) fn enter(&self, cut: Arc<dyn Cut>, strangers: usize) -> Option<Place> {
        let mut rows = self.rows();
        if rows.closed {
            return None;
        }
        while rows.strangers.len() >= strangers {
            // A client with the secret needs a few milliseconds, so the oldest stranger is rarely one.
            let (_, oldest) = rows.strangers.pop_first()?;
            oldest.cut();
        }
        rows.next += 1;
        let number = rows.next;
        rows.strangers.insert(number, cut);
        Some(Place { number })
    }

    /// Makes a stranger a client. Returns `false` if `clients` of them are connected.
    pub(super) fn admit(&self, place: &Place, clients: usize) -> bool {
        let mut rows = self.rows();
        let has_room = !rows.closed && rows.clients.len() < clients;
        // A stranger that is not in the table has been cut off meanwhile.
        if has_room && let Some(cut) = rows.strangers.remove(&place.number) {
            rows.clients.insert(place.number, cut);
        }
        has_room
    }

    /// The connection has ended.
    pub(super) fn leave(&self, place: Place) {
        let mut rows = self.rows();
        rows.strangers.remove(&place.number);
        rows.clients.remove(&place.number);
    }

    pub(super) fn refuse(&self, error: RemoteError) {
        let mut rows = self.rows();
        if rows.refusals.len() == REMEMBERED {
            rows.refusals.pop_front();
        }
        rows.refusals.push_back(error);
    }

    pub(super) fn refusals(&self) -> Vec<RemoteError> {
        self.rows().refusals.iter().cloned().collect()
    }

    pub(super) fn clients(&self) -> usize {
        self.rows().clients.len()
    }

    pub(super) fn calls(&self) -> &AtomicUsize {
        &self.calls
    }

    /// Closes the table, waits at most `grace` until all calls have their replies, and ends all connections.
    pub(super) fn close(&self, grace: Duration) {
        let mut rows = self.rows();
        rows.closed = true;
        rows.strangers.values().for_each(|cut| cut.cut());
        drop(rows);
        let deadline = Instant::now() + grace;
        while self.calls.load(SeqCst) > 0 && Instant::now() < deadline {
            poll::pause(TICK);
        }
        self.rows().clients.values().for_each(|cut| cut.cut());
    }
}
