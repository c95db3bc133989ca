//! The supervisor process: boot, loop, start, reap, stop, and the parts of its state. It must not import
//! `spawn`, `actor` or anything that decodes user data.
//!
//! A supervisor has one thread and waits in a single `ppoll`: for requests, for its owner's end, for the
//! doorbell of its children and, with SIGCHLD and SIGTERM unblocked only there, for signals. It blocks on
//! nothing else, and runs no user code unless a `preload` is asked for. It never decodes or believes what a
//! child wrote: signals go down; wait statuses and the status page's numbers come up (see `knowledge`).
//!
//! `policy` decides, without a system call, what follows an exit; the supervisor does it.
//!
//! There are two kinds. Every process that spawns has its *own* supervisor, which belongs to it and ends with
//! it; the program's is the root of the tree. A *declared* supervisor is itself a child of another one, with
//! children that came with it.
//!
//! [`Supervisor`] has the control channel, the owner, the policy, the children and the loop. The rest of its
//! state is in parts, each with its invariant at the head of its file: the child of each process
//! (`processes`), starting children (`readiness`), when to look at which child (`timers`), processes forked
//! ahead (`standby`), supervisors of actors (`nested`), output that goes to the log (`output`), requests
//! without a reply (`pending`), the orderly end (`ending`), trees that are still arriving (`reassembly`). The
//! parts hold data and return what to do. Only methods of `Supervisor` and `Child` do it, in one file per
//! task: `start`, `prefork`, `inspect`, `stop`, `reap`, `actions`, `requests`. The process of a child is in
//! one stage at a time (`running`).

pub(crate) mod actions;
pub(crate) mod boot;
mod ending;
pub(crate) mod events;
pub(crate) mod exit_cause;
mod inspect;
mod knowledge;
mod nested;
mod output;
mod pending;
mod prefork;
mod preload;
mod processes;
mod readiness;
pub(crate) mod reap;
pub(crate) mod reaper;
pub(crate) mod reassembly;
pub(crate) mod report;
pub(crate) mod requests;
mod running;
mod standby;
mod start;
pub(crate) mod stop;
mod timers;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use ending::Ending;
use nested::Nested;
use output::Outputs;
use pending::PendingRequests;
use prefork::Spare;
use processes::Processes;
use readiness::Readiness;
use reassembly::Assembly;
use running::RunningProcess;
use standby::Standby;
use timers::Timers;

use crate::child::setup;
use crate::control::notification::{Notifications, Slot};
use crate::control::request::{self, Answered, Asked, Spawn, Spec};
use crate::policy::{Event, Key, Policy, Rules};
use crate::status::register::Register;
use crate::status::{End, ExitRecord, State, StatusPage};
use crate::sys::poll::{self, Event as Bell};
use crate::sys::signal::{self, Mask};
use crate::sys::{clock, executable, memfd, process, seqpacket};
use crate::types::method::Method;
use crate::types::spawn_error_kind::SpawnErrorKind;

/// How many requests are taken before the rest of the loop has its turn.
const REQUESTS_AT_A_TIME: usize = 16;

/// How long to pause after a wait that failed.
const MOMENT: Duration = Duration::from_millis(10);

pub(crate) struct Supervisor {
    /// Where requests come from; for an own supervisor, closed when the owner is gone.
    control: OwnedFd,
    /// How many supervisors the owner had before.
    term: u32,
    /// Handles on the processes without which it has nothing to do: its owner (the program or an actor), and
    /// for the root supervisor also the reaper.
    masters: Vec<OwnedFd>,
    /// What it shares with the supervisor above, if it is a declared one.
    declared: Option<Declared>,
    readiness: Readiness,
    policy: Policy,
    children: BTreeMap<Key, Box<Child>>,
    processes: Processes,
    timers: Timers,
    /// The children whose start waits until nothing is left of their last process.
    blocked_starts: BTreeSet<Key>,
    standby: Standby,
    nested: Nested,
    outputs: Outputs,
    assembly: Assembly,
    requests: PendingRequests,
    /// Numbers for children and for requests.
    next: u64,
    ending: Ending,
    /// Nothing is started any more: the supervisor kills what is left, and exits.
    leaving: bool,
    /// The soft descriptor limit as it was, for the children.
    descriptors: u64,
    build: u64,
    buffer: Vec<u8>,
}

/// One child: an actor, a task or a declared supervisor.
struct Child {
    /// What is needed to start it. What only a first start needs is dropped after it if no second one can
    /// follow.
    spawn: Spawn,
    methods: &'static [Method],
    /// It came with its supervisor, and comes back with it.
    initial: bool,
    incarnation: u64,
    /// Its state as published on the page. `Ready` has to be detected, see [`Child::is_up`].
    state: State,
    /// How often it was restarted after a crash, and how often recycled.
    restarts: (u32, u32),
    /// The incarnation of its last ended process, and how it ended.
    last: Option<(u64, ExitRecord)>,
    /// How many of its own supervisors have ended.
    supervisors_ended: u32,
    /// It was a supervisor, and the exits of its children are not recorded yet.
    left_children: bool,
    /// The pid of its last process.
    last_pid: i32,
    /// The number of its slot among the notifications.
    slot: Option<u32>,
    /// It does not ring when it is ready.
    lazy_ready: bool,
    /// Why it has no further process, if the last exit is not the reason.
    end: Option<End>,
    running: Option<RunningProcess>,
    spare: Option<Spare>,
}

/// What a declared supervisor shares with the one above.
struct Declared {
    /// Its own page.
    page: StatusPage,
    /// Its bit among the notifications of the supervisor above.
    slot: Slot,
}

/// What differs between supervisors when they start.
pub(crate) struct Config {
    pub(crate) control: OwnedFd,
    pub(crate) term: u32,
    pub(crate) masters: Vec<OwnedFd>,
    pub(crate) descriptors: u64,
}

/// The resources of a supervisor. Made first: no later step in making one can fail.
pub(crate) struct Equipment {
    doorbell: &'static Bell,
    notifications: Notifications,
    register: Register,
}

impl Equipment {
    /// # Errors
    /// `EMFILE`, `ENOMEM` and the like.
    pub(crate) fn new() -> io::Result<Equipment> {
        // Kept as long as the process lives; its children use it too.
        let doorbell = Box::leak(Box::new(Bell::new()?));
        Ok(Equipment { notifications: Notifications::new()?, register: Register::new()?, doorbell })
    }
}

impl Supervisor {
    /// The supervisor of a program or of an actor.
    pub(crate) fn new(config: Config, equipment: Equipment) -> Supervisor {
        let rules = Rules { forgets: true, ..Rules::default() };
        Supervisor::with(config, equipment, None, Policy::new(rules, Vec::new()), BTreeMap::new())
    }

    fn with(
        config: Config,
        equipment: Equipment,
        declared: Option<Declared>,
        policy: Policy,
        children: BTreeMap<Key, Box<Child>>,
    ) -> Supervisor {
        let Config { control, term, masters, descriptors } = config;
        let next = children.len() as u64 + 1;
        Supervisor {
            control,
            term,
            masters,
            declared,
            readiness: Readiness::new(equipment.doorbell, equipment.notifications),
            policy,
            children,
            processes: Processes::new(equipment.register),
            timers: Timers::default(),
            blocked_starts: BTreeSet::new(),
            standby: Standby::default(),
            nested: Nested::default(),
            outputs: Outputs::default(),
            assembly: Assembly::default(),
            requests: PendingRequests::default(),
            next,
            ending: Ending::default(),
            leaving: false,
            descriptors,
            build: executable::build_hash(),
            buffer: seqpacket::buffer(),
        }
    }

    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Supervises until no child is left, and no owner that could ask for one.
    pub(crate) fn run(&mut self) -> ! {
        Mask::of(&[process::SIGCHLD, process::SIGTERM]).install();
        signal::watch(process::SIGCHLD);
        signal::watch(process::SIGTERM);
        memfd::keep_pages_from_children(true);
        setup::prepare();
        self.tell_policy(Event::Boot);
        loop {
            let mut ready = self.wait();
            let output = ready.split_off(ready.len().min(2 + self.masters.len()));
            self.pass_output_on(&output);
            // Reap first: no other process can have the pids of unreaped children. While there is always
            // something to read, the wait does not let the signal in.
            if signal::take(process::SIGCHLD) || ready.contains(&true) && signal::is_pending(process::SIGCHLD)
            {
                self.reap_children();
            }
            if signal::take(process::SIGTERM) {
                self.begin_to_end();
            }
            if ready[1] {
                self.on_doorbell();
            }
            if ready[0] {
                self.take_requests();
            }
            if ready.iter().skip(2).any(|&ended| ended) {
                self.tear_down(0);
            }
            self.look_at_the_clock();
            self.go_on_ending();
            self.make_spares();
        }
    }

    /// The one wait. Returns what is ready: requests, the doorbell, the end of each master, and output of the
    /// children.
    fn wait(&self) -> Vec<bool> {
        let of = |key| self.children.get(&key).and_then(|child| child.running.as_ref()?.due());
        let timers = self.timers.due(of);
        let due = timers
            .into_iter()
            .chain(self.nested.due())
            .chain(self.outputs.due())
            .chain(self.policy.due())
            .chain(self.ending.due())
            .chain(self.readiness.due())
            .chain(self.standby.due())
            .chain(self.assembly.due());
        let limit = due.min().map(clock::until);
        let mut fds = vec![(self.control.as_fd(), false), (self.readiness.doorbell(), false)];
        fds.extend(self.masters.iter().map(|master| (master.as_fd(), false)));
        fds.extend(self.outputs.awaited().map(|pipe| (pipe, false)));
        poll::wait(&fds, limit, Some(&Mask::of(&[]))).unwrap_or_else(|error| {
            // A signal, or no memory at the moment.
            if error.kind() != io::ErrorKind::Interrupted {
                poll::pause(MOMENT);
            }
            vec![false; 2]
        })
    }

    fn take_requests(&mut self) {
        // The requesting process may know already that a child is ready. And descriptors lent to ready
        // children make room for the new ones.
        self.drain_notifications();
        for _ in 0..REQUESTS_AT_A_TIME {
            let asked = request::receive(self.control.as_fd(), &mut self.buffer);
            match asked {
                Asked::Spawn(spawn, place) => {
                    if let Some(spawn) = self.assembly.add(*spawn, place) {
                        self.add(spawn);
                    }
                }
                Asked::Foreign(spawn) => {
                    start::refuse(&spawn, SpawnErrorKind::Credentials(request::FOREIGN.to_owned()));
                }
                Asked::ForeignAsk(answer) => request::answer(&answer, &Answered::Credentials),
                Asked::Ask(operation, answer) => {
                    self.check_all_starting();
                    self.carry_out(operation, answer);
                }
                Asked::Shutdown(mode, term, by) if term == self.term => {
                    self.ending.begin_with_limit(mode, Some(by).filter(|&by| by != 0));
                }
                Asked::Shutdown(..) | Asked::Nonsense => {}
                Asked::Nothing => return,
                // No process can send requests any more. A declared supervisor lives as long as the one above
                // lets it.
                Asked::Closed if self.declared.is_some() => return,
                Asked::Closed => self.tear_down(0),
            }
        }
    }

    fn look_at_the_clock(&mut self) {
        let now = clock::now();
        let children = &mut self.children;
        self.timers.look(|key| {
            let Some(child) = children.get_mut(&key) else { return false };
            child.look_at_the_clock(now);
            child.running.as_ref().and_then(RunningProcess::due).is_some()
        });
        self.poll_lazy_starts(now);
        self.dismiss_spares(now);
        for pid in self.nested.take_overdue(now) {
            process::kill(pid, process::SIGKILL);
        }
        if self.ending.due().is_some_and(|at| at <= now) {
            self.leave(0);
        }
        self.assembly.forget_late(now);
        self.poll_waiting_restarts(now);
        if self.policy.due().is_some_and(|at| at <= now) {
            self.tell_policy(Event::Tick);
        }
    }

    fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Child {
    fn new(spawn: Spawn, initial: bool) -> Child {
        // Counts on from where an earlier supervisor of these children stopped.
        let is_known = initial || spawn.spec.kept;
        let incarnation = if is_known { knowledge::counted(&spawn.status_page) } else { 0 };
        let (methods, left_children, last_pid, slot) = (&[], false, 0, None);
        let earlier = Some(&spawn.status_page).filter(|_| incarnation > 0);
        let (restarts, last, supervisors_ended) = (
            earlier.map_or((0, 0), StatusPage::restarts),
            earlier.and_then(StatusPage::last_death),
            earlier.map_or(0, StatusPage::supervisors_ended),
        );
        Child {
            spawn,
            methods,
            initial,
            incarnation,
            state: State::New,
            restarts,
            last,
            supervisors_ended,
            left_children,
            last_pid,
            slot,
            lazy_ready: false,
            end: None,
            running: None,
            spare: None,
        }
    }

    fn spec(&self) -> &Spec {
        &self.spawn.spec
    }

    fn status_page(&self) -> &StatusPage {
        &self.spawn.status_page
    }
}
