//! Waiting for each other: locks, semaphores, events and barriers between processes.
//!
//! Each of them is an actor that decides, and handles that call it. A caller that waits has sent a call whose
//! reply comes later. The server knows a holder by its *ticket* and watches the process that has drawn it. So
//! nothing in shared memory can stay locked by a dead process.
//!
//! What can go wrong between a grant and its holder:
//!
//! * The caller's time limit ends while the grant is on its way. A caller that stops waiting, for whatever
//!   reason, gives the ticket back. That message arrives after the request, since both take the same way, so
//!   the server finds the ticket waiting or granted, and ends it in either case.
//! * The holder dies before it has received the grant: then it has not touched anything. A holder confirms
//!   the grant (`took`) before its code goes on, and its death poisons the lock only after that. The
//!   confirmation is in the mailbox before the report of the death, because it was sent before.
//! * The mailbox of the server is full, so a turn cannot be given back: a thread tries again for as long as
//!   the server lives.
//! * The new value cannot be encoded: it is not committed, and the next holder gets the error of a death.

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
