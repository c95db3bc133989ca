//! What the current process knows of itself.

use std::io;
use std::time::{Duration, Instant};

use crate::actor::any_ref::AnyRef;
use crate::reactor::monitor::Monitor;
use crate::reactor::{context, foreign, own};
use crate::sys::clock;

/// What an actor or a task knows of itself; in the program itself, its pid and little else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Current {
    name: String,
    pid: u32,
    parent: Option<u32>,
    supervisor: Option<u32>,
    daemon: bool,
    incarnation: u64,
}

/// The current process.
///
/// ```
/// use phalanx::prelude::*;
///
/// #[task]
/// fn report() -> (String, Option<u32>) {
///     let me = phalanx::current();
///     (me.name().to_owned(), me.parent())
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let (name, parent) = report::builder().name("reporter").spawn()?.join()?;
/// assert_eq!(name, "reporter");
/// assert_eq!(parent, Some(std::process::id())); // its spawner, not its supervisor
/// assert_eq!(phalanx::current().parent(), None); // the program itself
/// # Ok(())
/// # }
/// ```
pub fn current() -> Current {
    let pid = std::process::id();
    match context::identity() {
        Some(own) => Current {
            name: own.name.clone(),
            pid,
            parent: Some(own.parent),
            supervisor: Some(std::os::unix::process::parent_id()),
            daemon: own.daemon,
            incarnation: own.incarnation,
        },
        None => Current {
            name: context::PROGRAM.to_owned(),
            pid,
            parent: None,
            supervisor: None,
            daemon: false,
            incarnation: 0,
        },
    }
}

impl Current {
    /// The actor's or task's name; "main" for the program.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process that spawned this one (the program, or an actor); `None` for the program itself.
    pub fn parent(&self) -> Option<u32> {
        self.parent
    }

    /// The supervisor that forked this process: its parent as the operating system sees it (`getppid`).
    /// `None` for the program itself.
    pub fn supervisor(&self) -> Option<u32> {
        self.supervisor
    }

    /// Watches the process that spawned this one (Python's `parent_process`); `None` in the program, and if
    /// there is no thread or descriptor for it.
    ///
    /// Its [`Down`](crate::Down) says that the parent has ended, not why:
    /// [`SupervisorDied`](crate::ExitReason::SupervisorDied). There is little time to act on it: no process
    /// outlives the one that spawned it, so this one is killed a moment later.
    ///
    /// ```
    /// use phalanx::prelude::*;
    ///
    /// #[task]
    /// fn watch() -> bool {
    ///     let mut parent = phalanx::current().parent_watch().expect("a task has a parent");
    ///     parent.try_recv().is_none() // it is there
    /// }
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// assert!(watch::spawn()?.join()?);
    /// assert!(phalanx::current().parent_watch().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn parent_watch(&self) -> Option<Monitor> {
        foreign::parent(self.parent?).ok().map(|parent| Monitor::new(&parent))
    }

    /// A ref to this process: an actor, a task, or the program itself.
    ///
    /// # Errors
    /// If no descriptor is left for what the ref needs, which the first call makes. In a copy, by fork, of an
    /// actor or a task: no process can address a copy.
    pub fn any(&self) -> io::Result<AnyRef> {
        let endpoint = if own::is_some() { own::endpoint() } else { foreign::program() };
        endpoint.map(AnyRef)
    }

    /// Whether it is a daemon.
    pub fn daemon(&self) -> bool {
        self.daemon
    }

    /// How often this actor has been started, this time included; 0 for the program.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The deadline of the message in progress: until then its caller waits for the reply. `None` outside of
    /// a handler, and in a tell that was not sent with [`within`](crate::ActorRef::within).
    pub fn deadline(&self) -> Option<Instant> {
        let deadline = context::deadline();
        (deadline != 0).then(|| Instant::now() + Duration::from_nanos(deadline.saturating_sub(clock::now())))
    }
}
