//! The processes of the children, and which child each belongs to.
//!
//! Other processes read this in the register before they signal one. A process is in both from its fork, or
//! from its release at the latch, until it has ended. It leaves both before it is reaped, while no other
//! process can have its pid. A child has one process at a time.

use std::collections::BTreeMap;

use crate::policy::Key;
use crate::status::register::Register;

pub(super) struct Processes {
    by_pid: BTreeMap<i32, Key>,
    register: Register,
}

impl Processes {
    pub(super) fn new(register: Register) -> Processes {
        Processes { by_pid: BTreeMap::new(), register }
    }

    /// Adds the process of a child: this incarnation of the actor with this id.
    pub(super) fn add(&mut self, pid: i32, key: Key, id: u64, incarnation: u64) {
        self.register.enter(pid, id, incarnation);
        self.by_pid.insert(pid, key);
    }

    /// Removes a process that ended. Returns its child; `None` if it had none.
    pub(super) fn remove(&mut self, pid: i32) -> Option<Key> {
        self.register.strike(pid);
        self.by_pid.remove(&pid)
    }

    pub(super) fn owner(&self, pid: i32) -> Option<Key> {
        self.by_pid.get(&pid).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_belongs_to_its_child_until_it_has_ended() {
        let mut processes = Processes::new(Register::new().unwrap());
        processes.add(30, 1, 77, 1);
        processes.add(31, 2, 78, 1);
        assert_eq!((processes.owner(30), processes.owner(32)), (Some(1), None));
        assert_eq!((processes.remove(30), processes.remove(30), processes.owner(30)), (Some(1), None, None));
        processes.add(32, 1, 77, 2);
        assert_eq!((processes.owner(32), processes.owner(31)), (Some(1), Some(2)));
    }
}
