//! The thread that sends parked messages when mailboxes have room again.
//!
//! Room is a change of a word in shared memory, on which a thread can sleep and an executor cannot. One thread
//! per process does it for all mailboxes in front of which messages are parked. It starts on demand, and ends
//! when nothing has been parked for a while.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::ipc::capacity;
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::Endpoint;
use crate::reactor::waiter::Wakers;
use crate::sys::clock;
use crate::sys::per_process::Own;

/// How long the thread stays when nothing is parked.
const IDLE: Duration = Duration::from_secs(5);

/// The longest sleep for room in one of several mailboxes, before the others are looked at.
const TURN: Duration = Duration::from_millis(1);

static ROOM: Own<Room> = Own::new();

#[derive(Default)]
struct Room {
    inner: Mutex<Inner>,
    /// Notified when a mailbox is added, and when the last one is let go.
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    watched: Vec<Arc<Endpoint>>,
    is_running: bool,
    /// The mailbox for which the thread sleeps.
    asleep: Option<Arc<Endpoint>>,
}

/// Has the thread send what is parked in front of this mailbox.
///
/// # Errors
/// If the thread does not run and cannot be started.
pub(crate) fn watch(endpoint: &Arc<Endpoint>) -> io::Result<()> {
    let room = ROOM.here();
    let mut inner = room.lock();
    if !inner.is_running {
        thread::Builder::new().name("phalanx-room".into()).spawn(move || room.run())?;
        inner.is_running = true;
    }
    if !inner.watched.iter().any(|other| Arc::ptr_eq(other, endpoint)) {
        inner.watched.push(Arc::clone(endpoint));
        if let Some(asleep) = &inner.asleep {
            capacity::nudge(&asleep.status_page);
        }
    }
    room.changed.notify_all();
    Ok(())
}

/// Waits until nothing of this process is parked any more; each message has a deadline.
pub(crate) fn settle() {
    let room = ROOM.here();
    let mut inner = room.lock();
    while inner.is_running && inner.watched.iter().any(|endpoint| endpoint.has_parked()) {
        inner = room.changed.wait_timeout(inner, TURN).unwrap_or_else(PoisonError::into_inner).0;
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut turn = 0_usize;
        while let Some(watched) = self.next() {
            // If there is none, nothing was parked.
            let Some(reactor) = Reactor::existing() else { continue };
            let chosen = &watched[turn % watched.len()];
            turn = turn.wrapping_add(1);
            // Before the look: a change after it ends the sleep.
            let seen = capacity::depth(&chosen.status_page);
            // Dropped before the sleep, without a lock: it wakes the futures of users.
            let mut woken = Wakers::default();
            watched.iter().for_each(|endpoint| endpoint.send_parked(reactor, &mut woken));
            drop(woken);
            if chosen.has_parked() {
                self.sleep(chosen, seen, watched.len());
            }
        }
    }

    /// The mailboxes in front of which messages are parked; waits for the first one. `None` if there was none
    /// for a while: the thread ends.
    fn next(&self) -> Option<Vec<Arc<Endpoint>>> {
        let mut inner = self.lock();
        loop {
            let let_go: Vec<_> = inner.watched.extract_if(.., |endpoint| !endpoint.has_parked()).collect();
            if !inner.watched.is_empty() {
                let watched = inner.watched.clone();
                drop(inner);
                // The last ref to an endpoint takes other locks when it is dropped.
                drop(let_go);
                return Some(watched);
            }
            self.changed.notify_all();
            drop(inner);
            drop(let_go);
            inner = self.lock();
            if !inner.watched.is_empty() {
                continue;
            }
            let (woken, waited) =
                self.changed.wait_timeout(inner, IDLE).unwrap_or_else(PoisonError::into_inner);
            inner = woken;
            if waited.timed_out() && inner.watched.is_empty() {
                inner.is_running = false;
                return None;
            }
        }
    }

    fn sleep(&self, endpoint: &Arc<Endpoint>, seen: u32, watched: usize) {
        let limit = if watched > 1 { TURN } else { Duration::MAX };
        let mut inner = self.lock();
        if inner.watched.len() != watched {
            return;
        }
        inner.asleep = Some(Arc::clone(endpoint));
        drop(inner);
        // At most for a slice of time, so every deadline is looked at in time.
        capacity::wait_for_change(&endpoint.status_page, seen, clock::after(limit));
        let asleep = self.lock().asleep.take();
        drop(asleep);
    }
}
