//! An actor as its callers see it: the sending end of its mailbox, its status page, and what became of it.

mod lifecycle;
mod outbox;
mod send;
mod under_way;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle::Lifecycle;
use once_cell::sync::OnceCell;
use outbox::Outbox;
use serde::{Deserialize, Serialize};
use under_way::UnderWay;

use crate::reactor::driver::Reactor;
use crate::reactor::reception::Reception;
use crate::status::StatusPage;
use crate::sys::per_process::Own;
use crate::sys::poll::Sentinel;
use crate::sys::process;

pub(crate) use lifecycle::Lost;
pub(crate) use send::{Call, Failure};
pub(crate) use under_way::{CallPermit, UNDER_WAY};

/// What a ref says about its actor, wherever it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) id: u64,
    pub(crate) name: Arc<str>,
    pub(crate) daemon: bool,
    /// How long a call waits by default.
    pub(crate) timeout: Duration,
    /// How deep its messages and replies may be.
    pub(crate) depth: u32,
}

/// One actor, once per process, however many refs there are.
pub(crate) struct Endpoint {
    pub(crate) card: Card,
    mailbox: OwnedFd,
    pub(crate) status_page: StatusPage,
    local: Own<Local>,
}

/// What is this process's alone. A copy of it is another sender, with a session and a reply channel of its
/// own.
struct Local {
    /// What this process signs its calls to this actor with: see [`Endpoint::session`].
    session: u64,
    /// How many of its calls are under way.
    under_way: Arc<UnderWay>,
    /// Its messages that wait for room, without their callers.
    outbox: Outbox,
    /// At which stage of its life the actor was sent our reply channel: see `current` in `send`. At a later
    /// stage it may lack it: a message that is thrown away with its mailbox takes the channel with it.
    announced: AtomicU64,
    /// The reactor of this process watches it.
    known: AtomicBool,
    lifecycle: Mutex<Lifecycle>,
    /// Made when a caller first wants to poll for the death.
    sentinel: OnceCell<Sentinel>,
}

impl Default for Local {
    fn default() -> Self {
        Local {
            session: process::random(),
            under_way: Arc::default(),
            outbox: Outbox::default(),
            announced: AtomicU64::new(0),
            known: AtomicBool::new(false),
            lifecycle: Mutex::default(),
            sentinel: OnceCell::new(),
        }
    }
}

impl Endpoint {
    pub(crate) fn new(card: Card, mailbox: OwnedFd, status_page: StatusPage) -> Endpoint {
        Endpoint { card, mailbox, status_page, local: Own::new() }
    }

    fn local(&self) -> &Local {
        self.local.here()
    }

    pub(crate) fn is_known(&self) -> bool {
        self.local().known.load(Ordering::Acquire)
    }

    /// For the reactor, which has made it known.
    pub(crate) fn become_known(&self) {
        self.local().known.store(true, Ordering::Release);
    }

    /// The descriptors that make a ref in another process.
    pub(crate) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.mailbox.as_fd(), self.status_page.file()]
    }

    pub(crate) fn mailbox(&self) -> BorrowedFd<'_> {
        self.mailbox.as_fd()
    }

    /// The session of this process with the actor. Each reply channel has another one, because an actor knows
    /// the channel by it.
    pub(crate) fn session(&self, reception: &Reception) -> u64 {
        self.local().session.wrapping_add(reception.number())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.release_sentinel();
        if let Some(reactor) = Reactor::existing() {
            reactor.forget_endpoint(self);
        }
    }
}
