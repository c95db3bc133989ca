//! An untyped ref: says which actor, task or program it is, and whether it is alive.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::reactor::endpoint::Endpoint;
use crate::reactor::monitor::Monitor;
use crate::reactor::process_handle::Handle;
use crate::reactor::travel;
use crate::types::escape::escaped;
use crate::types::exit::ExitReason;
use crate::types::id::ActorId;

/// A ref without the type: identifies and watches an actor, a task or the program, but cannot call it.
///
/// From [`ActorRef::any`](crate::ActorRef::any), [`Process::any`](crate::Process::any), or
/// [`Current::any`](crate::Current::any) for the current process. It travels in messages, replies and state,
/// as refs do. A server keeps one for each client, and learns from its [`monitor`](Self::monitor) when to
/// take back what that client held. It means the process, not a thread.
///
/// ```
/// use phalanx::prelude::*;
/// use phalanx::AnyRef;
/// # #[actor] struct Lender { holder: Option<AnyRef> }
/// #[actor]
/// impl Lender {
///     fn lend(&mut self, to: AnyRef) -> String {
///         self.holder.insert(to).name().to_owned()
///     }
///     fn is_lent(&self) -> bool {
///         self.holder.as_ref().is_some_and(AnyRef::is_alive)
///     }
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let lender = Lender { holder: None }.spawn()?;
/// assert_eq!(lender.lend(phalanx::current().any()?).wait()?, "main");
/// assert!(lender.is_lent().wait()?); // the program is there
///
/// let other = Lender { holder: None }.spawn()?;
/// lender.lend(other.any()).wait()?;
/// other.kill()?;
/// other.join();
/// assert!(!lender.is_lent().wait()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AnyRef(pub(crate) Arc<Endpoint>);

impl AnyRef {
    fn handle(&self) -> Handle<'_> {
        Handle(&self.0)
    }

    /// Its name; "main" for the program.
    pub fn name(&self) -> &str {
        &self.0.card.name
    }

    /// What identifies it everywhere.
    pub fn id(&self) -> ActorId {
        ActorId(self.0.card.id)
    }

    /// Its process id: that of its last process if it has none now, 0 if it never had one.
    pub fn pid(&self) -> u32 {
        self.0.status_page.pid()
    }

    /// Whether the process exists: from its start until it is reaped. Does not block.
    pub fn is_alive(&self) -> bool {
        self.handle().is_alive()
    }

    /// Why it ended; `None` while it runs. For the program [`SupervisorDied`](ExitReason::SupervisorDied): no
    /// process above it can say why.
    pub fn exit_reason(&self) -> Option<ExitReason> {
        self.handle().exit_reason()
    }

    #[cfg(feature = "remote")]
    pub(crate) fn into_endpoint(self) -> Arc<Endpoint> {
        self.0
    }

    /// Watches it: exactly one [`Down`](crate::Down) comes when its process ends, or at once if it has ended
    /// (OTP's `monitor/2`).
    pub fn monitor(&self) -> Monitor {
        self.handle().monitor()
    }
}

/// Equal if both are of one actor, task or program.
impl PartialEq for AnyRef {
    fn eq(&self, other: &AnyRef) -> bool {
        self.0.card.id == other.0.card.id
    }
}

impl Eq for AnyRef {}

impl Hash for AnyRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.card.id.hash(state);
    }
}

impl fmt::Debug for AnyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| write!(f, "AnyRef({}, {})", self.name(), self.id()))
    }
}

/// "`name`, process 4711, child of 4700, started": its name, its pid, the pid of the process that spawned it,
/// and its state; or how it ended, with the signal or the exit code.
impl fmt::Display for AnyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle().fmt(f)
    }
}

impl Serialize for AnyRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        travel::put_endpoint(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for AnyRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AnyRef, D::Error> {
        travel::take_endpoint(deserializer).map(AnyRef)
    }
}
