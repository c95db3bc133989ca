//! A supervisor: one thread, one wait, no user code.
//!
//! It waits in a single `ppoll` for requests, for its owner's death, for the doorbell of its children and, with SIGCHLD and
//! SIGTERM unblocked only there, for what happens to them. It blocks on nothing else. It never decodes what a child
//! wrote: signals go down; wait statuses and the ledger's numbers come up.

mod ending;
mod start;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::actor::Method;
use crate::mailbox::ledger::{Ledger, StopMode};
use crate::process::farewell::Verdict;
use crate::process::request::{self, Asked, Spec};
use crate::sys::poll::Event;
use crate::sys::signal::{self, Mask};
use crate::sys::{frame, image, poll, process, time};

/// How many requests are taken before everything else has its turn.
const REQUESTS_AT_A_TIME: usize = 16;

pub(crate) struct Supervisor {
    /// Where requests come from; closed when the owner is gone.
    control: OwnedFd,
    /// How many supervisors the owner had before.
    term: u32,
    /// The process this supervisor belongs to: the program, or an actor.
    owner: Option<OwnedFd>,
    /// What an actor rings when it wants a supervisor of its own.
    doorbell: Event,
    children: BTreeMap<i32, Child>,
    /// Supervisors of actors: by pid.
    nested: BTreeMap<i32, Nested>,
    /// The root supervisor's warden.
    warden: Option<i32>,
    /// How many children have been started; their order.
    started: u64,
    ending: Option<StopMode>,
    /// The soft descriptor limit as it was, for the children.
    descriptors: u64,
    build: u64,
    buffer: Vec<u8>,
}

/// One actor or task.
struct Child {
    pid: i32,
    spec: Spec,
    methods: &'static [Method],
    ledger: Ledger,
    /// The mailbox, which outlives the process.
    receiver: OwnedFd,
    /// The receiving end of its requests; never read here, but kept for the supervisor that it may come to want.
    control: OwnedFd,
    /// How many supervisors of its own have ended.
    supervisors_ended: u32,
    order: u64,
    /// When it must be ready.
    start_until: Option<u64>,
    /// When to look at what it is doing.
    check_at: Option<u64>,
    /// When to use force.
    kill_at: Option<u64>,
    /// It has been asked to stop.
    asked: Option<(StopMode, u64)>,
    /// Why we end it, if we do.
    verdict: Option<Verdict>,
}

/// The supervisor of an actor.
struct Nested {
    owner: i32,
    kill_at: Option<u64>,
}

impl Supervisor {
    pub(crate) fn new(
        control: OwnedFd,
        term: u32,
        owner: Option<OwnedFd>,
        descriptors: u64,
    ) -> io::Result<Supervisor> {
        Ok(Supervisor {
            control,
            term,
            owner,
            doorbell: Event::new()?,
            children: BTreeMap::new(),
            nested: BTreeMap::new(),
            warden: None,
            started: 0,
            ending: None,
            descriptors,
            build: image::build_hash(),
            buffer: frame::buffer(),
        })
    }

    pub(crate) fn adopt_warden(&mut self, warden: Option<i32>) {
        self.warden = warden;
    }

    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Supervises until there is nothing left to supervise and nobody to do it for.
    pub(crate) fn run(&mut self) -> ! {
        Mask::of(&[process::SIGCHLD, process::SIGTERM]).install();
        signal::watch(process::SIGCHLD);
        signal::watch(process::SIGTERM);
        loop {
            let ready = self.wait();
            // The dead first: their pids are not anybody else's for as long as they are not reaped.
            self.bury_the_dead();
            if signal::take(process::SIGTERM) {
                self.ending = Some(StopMode::Stop);
            }
            if ready[1] {
                self.doorbell.clear();
                self.grant_supervisors();
            }
            if ready[0] {
                self.take_requests();
            }
            if ready.get(2) == Some(&true) {
                self.tear_down();
            }
            self.look_at_the_clock();
            self.go_on_ending();
        }
    }

    /// The one wait. What is ready: requests, doorbell, the owner's death.
    fn wait(&self) -> Vec<bool> {
        let due = self
            .children
            .values()
            .filter_map(Child::due)
            .chain(self.nested.values().filter_map(|nested| nested.kill_at));
        let limit = due.min().map(time::until);
        let mut fds = vec![(self.control.as_fd(), false), (self.doorbell.as_fd(), false)];
        fds.extend(self.owner.iter().map(|owner| (owner.as_fd(), false)));
        poll::wait(&fds, limit, Some(&Mask::of(&[]))).unwrap_or_else(|_| vec![false; 3])
    }

    fn take_requests(&mut self) {
        for _ in 0..REQUESTS_AT_A_TIME {
            let asked = request::receive(self.control.as_fd(), &mut self.buffer);
            match asked {
                Asked::Spawn(spawn) => self.start(*spawn),
                Asked::Shutdown(mode, term) if term == self.term => self.ending = Some(mode),
                Asked::Shutdown(..) | Asked::Nonsense => {}
                Asked::Nothing => return,
                Asked::Closed => self.tear_down(),
            }
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = time::now();
        for child in self.children.values_mut() {
            child.look_at_the_clock(now);
        }
        for (&pid, nested) in &mut self.nested {
            if nested.kill_at.is_some_and(|at| at <= now) {
                nested.kill_at = None;
                process::kill(pid, process::SIGKILL);
            }
        }
    }
}

impl Child {
    /// When something is to be done about it.
    fn due(&self) -> Option<u64> {
        [self.start_until, self.check_at, self.kill_at].into_iter().flatten().min()
    }
}
