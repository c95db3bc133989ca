//! What this process has spawned: the tree to spawn into, and its end.
//!
//! In the program the tree is started on demand ([`super::root`]), and again if its supervisor was killed; an
//! actor has a [link](crate::control::link) from its start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::control::link::{self, Tree};
use crate::control::step::NoTree;
use crate::reactor::endpoint::Endpoint;
use crate::spawn::root;
use crate::status::StopMode;
use crate::sys::credentials::Credentials;
use crate::sys::per_process::Own;

/// The processes that this one has spawned, in order.
static SPAWNED: Own<Mutex<Vec<Weak<Endpoint>>>> = Own::new();

/// The tree to spawn into.
///
/// # Errors
/// If there is none and none can be started; in a forked copy of an actor or a task.
pub(crate) fn get() -> Result<Arc<Tree>, NoTree> {
    let tree = link::inherited()?.map_or_else(root::tree, |tree| Ok(Arc::clone(tree)))?;
    match tree.credentials().and_then(|before| Credentials::now().difference(before)) {
        None => Ok(tree),
        Some(difference) => Err(NoTree::Credentials(unequal(&difference))),
    }
}

fn unequal(difference: &str) -> String {
    let remedy = match link::inherited() {
        Ok(None) => "a program gives up rights before its first spawn, or after `phalanx::shutdown()`",
        _ => "an actor that gives up rights spawns nothing afterwards",
    };
    format!(
        "this process has other rights than its supervisor, and so than what that would start: \
         {difference}; {remedy}"
    )
}

pub(crate) fn spawned() -> MutexGuard<'static, Vec<Weak<Endpoint>>> {
    SPAWNED.here().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes a child of this process.
pub(crate) fn adopt(endpoint: &Arc<Endpoint>) {
    let mut spawned = spawned();
    spawned.retain(|known| known.strong_count() > 0);
    spawned.push(Arc::downgrade(endpoint));
}

/// Ends everything that this process has started, in order: see [`crate::shutdown`].
pub(crate) fn shut_down(mode: StopMode) {
    shut_down_by(mode, 0);
}

/// Ends everything in order, and kills at the moment `by` what is left; 0 for never.
pub(crate) fn shut_down_by(mode: StopMode, by: u64) {
    match link::inherited() {
        Ok(Some(tree)) if has_spawned() => tree.end(mode, by),
        // A forked copy of an actor has started nothing either.
        Ok(Some(_)) | Err(_) => {}
        Ok(None) => root::shut_down(|tree| tree.end(mode, by)),
    }
}

fn has_spawned() -> bool {
    !spawned().is_empty()
}
