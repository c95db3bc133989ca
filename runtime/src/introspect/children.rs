//! The processes that this one has spawned.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use crate::control::link;
use crate::introspect::tree::held_by;
use crate::reactor::endpoint::Endpoint;
use crate::spawn::tree;
use crate::status::{State, StatusPage, root_supervisor};
use crate::types::escape::escaped;

/// A process that this one has spawned and that is alive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Child {
    /// Its name.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Whether it is a daemon.
    pub daemon: bool,
}

/// "`name` (process 4711, daemon)".
impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let daemon = if self.daemon { ", daemon" } else { "" };
        escaped(f, |f| write!(f, "`{}` (process {}{daemon})", self.name, self.pid))
    }
}

/// The living processes that this one has spawned, in the order of their start (Python's `active_children`,
/// which reaps as a side effect; this only looks).
///
/// Processes whose handle was dropped are included: they are found where this process's supervisor holds
/// them, in shared memory and `/proc`, without asking any process. The children of a declared supervisor are
/// not listed here.
///
/// ```
/// use phalanx::prelude::*;
///
/// #[task]
/// fn nap() {
///     std::thread::sleep(std::time::Duration::from_secs(100))
/// }
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let napping = nap::builder().name("nap").spawn()?;
/// assert_eq!(phalanx::children()[0].name, "nap");
/// napping.kill()?;
/// let _ = napping.join();
/// assert!(phalanx::children().is_empty());
/// # Ok(())
/// # }
/// ```
pub fn children() -> Vec<Child> {
    let known: Vec<Arc<Endpoint>> = tree::spawned().iter().filter_map(Weak::upgrade).collect();
    let living = known.iter().filter(|endpoint| !endpoint.is_dead()).map(|endpoint| &endpoint.status_page);
    let held = own_supervisor().map(held_by).unwrap_or_default();
    let mut all: BTreeMap<(u64, u64), Child> = BTreeMap::new();
    for status_page in living.chain(&held).filter(|status_page| has_life(status_page)) {
        let (name, pid, daemon) = (status_page.signature().0, status_page.pid(), status_page.is_daemon());
        all.insert((status_page.made(), status_page.id()), Child { name, pid, daemon });
    }
    // The page has room for the beginning of a name only.
    for endpoint in &known {
        if let Some(child) = all.get_mut(&(endpoint.status_page.made(), endpoint.card.id)) {
            child.name = endpoint.card.name.to_string();
        }
    }
    all.into_values().collect()
}

/// Whether it has a process, or will have one again by itself.
fn has_life(status_page: &StatusPage) -> bool {
    matches!(status_page.state(), State::Starting | State::Ready | State::Restarting)
        && status_page.pid() != 0
}

/// The supervisor that this process spawns with, if there is one.
fn own_supervisor() -> Option<i32> {
    match link::inherited().ok()? {
        Some(tree) => tree.supervisor_pid(),
        None => root_supervisor::pid(),
    }
}
