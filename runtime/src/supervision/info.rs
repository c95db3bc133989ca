//! What a supervisor says of its children.

use crate::control::request::{ChildFacts, Kind};
use crate::policy::{Restart, Shutdown, Status};

/// A child of a supervisor, as [`which_children`](super::SupervisorRef::which_children) lists it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its name among its siblings.
    pub id: String,
    /// Its process, if it has one.
    pub pid: Option<u32>,
    /// What it is doing.
    pub state: ChildState,
    /// Whether it is a supervisor, and not a worker.
    pub is_supervisor: bool,
    /// When it is restarted.
    pub restart: Restart,
    /// How it is stopped.
    pub shutdown: Shutdown,
    /// Whether its end may end the supervisor.
    pub significant: bool,
    /// Whether it is a daemon.
    pub daemon: bool,
    /// How often it has been started.
    pub incarnation: u64,
    /// How often it was restarted by its supervisor, recycling apart.
    pub restarts: u32,
}

/// What a child of a supervisor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChildState {
    /// It has no process, and gets none unless it is asked for, or a sibling in trouble has recovered.
    Down,
    /// It starts.
    Starting,
    /// It works.
    Up,
    /// It has been told to stop.
    Stopping,
    /// It has ended, or could not be started, and is started again, now or after a while.
    Restarting,
}

impl ChildInfo {
    pub(super) fn of(facts: ChildFacts) -> ChildInfo {
        ChildInfo {
            id: facts.id,
            pid: facts.pid,
            state: match facts.status {
                Status::Down => ChildState::Down,
                Status::Starting => ChildState::Starting,
                Status::Up => ChildState::Up,
                Status::Stopping => ChildState::Stopping,
                Status::Restarting => ChildState::Restarting,
            },
            is_supervisor: facts.kind == Kind::Supervisor,
            restart: facts.restart,
            shutdown: facts.shutdown,
            significant: facts.significant,
            daemon: facts.daemon,
            incarnation: facts.incarnation,
            restarts: facts.restarts,
        }
    }
}

/// How many children a supervisor has (OTP's `count_children`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChildCounts {
    /// All of them, with and without a process.
    pub specs: usize,
    /// Children that have a process and are ready.
    pub active: usize,
    /// Children that are supervisors.
    pub supervisors: usize,
    /// Children that are not.
    pub workers: usize,
}
