//! Waiting for each other: locks, semaphores, events and barriers between processes.
//!
//! Each of them is an actor that decides, and handles that ask it. Who waits has sent a call that is answered later; who holds something is known to the server by a *ticket*,
//! and by the process that has drawn it, which is watched. So there is nothing in shared memory that a dead process could leave locked.
//!
//! What may go wrong between a grant and its holder, and what is done about it:
//!
//! * The caller's time is over while the grant is on its way: whoever stops waiting for an answer, for whatever reason, gives the ticket back. That message comes behind the
//!   request, since both go the same way, so the server finds the ticket waiting or granted, and either is ended.
//! * The holder dies before it has got the grant: it has not touched anything. It says when it has got it (`took`), before its code goes on; who dies before that
//!   does not poison the lock. That word is in the mailbox before the report of the death, because it was sent before the death.
//! * The message that gives something back cannot be sent because the server's mailbox is full: it is tried again, by a thread, for as long as the server lives.
//! * The new value cannot be encoded: then it is not committed, the lock is given back as by a holder that died, and the next one is told.

mod barrier;
mod client;
pub(crate) mod clients;
mod error;
mod event;
mod lock;
pub(crate) mod lock_server;
mod rw_lock;
mod semaphore;
pub(crate) mod wait_queue;

pub use barrier::{Barrier, BarrierError, Breakage};
pub use error::{LockError, Poisoned, SyncError};
pub use event::Event;
pub use lock::{Guard, Lock};
pub use rw_lock::{ReadGuard, RwLock};
pub use semaphore::{Permit, Semaphore};
