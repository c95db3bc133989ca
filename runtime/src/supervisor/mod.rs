//! A supervisor: one thread, one wait, no user code.
//!
//! It waits in a single `ppoll` for requests, for its owner's death, for the doorbell of its children and,
//! with SIGCHLD and SIGTERM unblocked only there, for what happens to them. It blocks on nothing else. It
//! never decodes what a child wrote, nor believes it: signals go down; wait statuses and the status page's numbers
//! come up (see `knowledge`).
//!
//! What is to be done about a death is decided in `policy`, without a system call; here it is done.
//!
//! There are two kinds. Every process that spawns has a supervisor of its *own*, which belongs to it and ends
//! with it: the program's is the root of the tree. A *declared* supervisor is itself a child of another one,
//! with children that came with it.
//!
//! [`Supervisor`] has the control channel, the owner, the policy, the children and the loop. What else it
//! knows lies in parts, each with its invariant at the head of its file: which process is whose
//! (`processes`), who is being started (`readiness`), when to look at which child (`timers`), processes
//! forked ahead (`standby`), supervisors of actors (`nested`), requests without a reply (`pending`), the
//! orderly end (`ending`), trees that are still coming in (`reassembly`). The parts hold data and say what is
//! to be done; only methods of `Supervisor` and `Child` do it, by files for what is done: `start`, `prefork`,
//! `inspect`, `stop`, `reap`, `actions`, `requests`. The process of a child is in one stage at a time
//! (`running`).

pub(crate) mod actions;
pub(crate) mod boot;
mod ending;
pub(crate) mod events;
pub(crate) mod exit_cause;
mod inspect;
mod knowledge;
mod nested;
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
use crate::status::{End, ExitRecord, Refusal, State, StatusPage};
use crate::sys::poll::{self, Event as Bell};
use crate::sys::signal::{self, Mask};
use crate::sys::{clock, executable, memfd, process, seqpacket};
use crate::types::method::Method;

/// How many requests are taken before everything else has its turn.
const REQUESTS_AT_A_TIME: usize = 16;

/// Before a wait is tried again that could not be made.
const MOMENT: Duration = Duration::from_millis(10);

pub(crate) struct Supervisor {
    /// Where requests come from; of an own supervisor, closed when the owner is gone.
    control: OwnedFd,
    /// How many supervisors the owner had before.
    term: u32,
    /// Handles on the processes without which it has nothing to do: its owner, the program or an actor; and
    /// of the root supervisor, the reaper.
    masters: Vec<OwnedFd>,
    /// What it shares with the supervisor above, if it is a declared one.
    declared: Option<Declared>,
    readiness: Readiness,
    policy: Policy,
    children: BTreeMap<Key, Box<Child>>,
    processes: Processes,
    timers: Timers,
    /// The children that are to be started when nothing is left of their last process.
    blocked_starts: BTreeSet<Key>,
    standby: Standby,
    nested: Nested,
    assembly: Assembly,
    requests: PendingRequests,
    /// Numbers for children and for requests.
    next: u64,
    ending: Ending,
    /// Nothing is started any more: it kills what is left, and goes.
    leaving: bool,
    /// The soft descriptor limit as it was, for the children.
    descriptors: u64,
    build: u64,
    buffer: Vec<u8>,
}

/// One child: an actor, a task or a declared supervisor.
struct Child {
    /// What is needed to start it; what only a first start needs is dropped after it, if there is no second
    /// one.
    spawn: Spawn,
    methods: &'static [Method],
    /// It came with its supervisor, and comes back with it.
    initial: bool,
    incarnation: u64,
    /// Where it stands: what the page was told. `Ready` is found out, see [`Child::is_up`].
    state: State,
    /// How often it was restarted after a crash, and how often recycled.
    restarts: (u32, u32),
    /// How its last process ended, and which that was.
    last: Option<(u64, ExitRecord)>,
    /// How many supervisors of its own have ended.
    supervisors_ended: u32,
    /// It was a supervisor, and what has become of its children is not written down yet.
    left_children: bool,
    /// The pid of its last process.
    last_pid: i32,
    /// The number of its slot among the notifications.
    slot: Option<u32>,
    /// It does not ring when it is ready.
    lazy_ready: bool,
    /// Why it has no further process, if that is not for how the last one ended.
    end: Option<End>,
    running: Option<RunningProcess>,
    spare: Option<Spare>,
}

/// A declared supervisor, as the one above sees it.
struct Declared {
    /// Its own page.
    page: StatusPage,
    /// Its place among the notifications of the supervisor above.
    place: Slot,
}

/// What makes a supervisor, beside what is always the same.
pub(crate) struct Config {
    pub(crate) control: OwnedFd,
    pub(crate) term: u32,
    pub(crate) masters: Vec<OwnedFd>,
    pub(crate) descriptors: u64,
}

/// What a supervisor works with. Made first: nothing else in the making of one can fail.
pub(crate) struct Equipment {
    doorbell: &'static Bell,
    notifications: Notifications,
    register: Register,
}

impl Equipment {
    /// # Errors
    /// `EMFILE`, `ENOMEM` and the like.
    pub(crate) fn new() -> io::Result<Equipment> {
        // As long as the process, and its children use the same.
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

    /// Supervises until there is no child left, and no owner that could ask for one.
    pub(crate) fn run(&mut self) -> ! {
        Mask::of(&[process::SIGCHLD, process::SIGTERM]).install();
        signal::watch(process::SIGCHLD);
        signal::watch(process::SIGTERM);
        memfd::keep_pages_from_children(true);
        setup::prepare();
        self.tell_policy(Event::Boot);
        loop {
            let ready = self.wait();
            // The dead first: no other process has their pids as long as they are not reaped. While there is
            // always something to read, the wait does not let the signal in.
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

    /// The one wait. What is ready: requests, doorbell, the death of those without which it has nothing to
    /// do.
    fn wait(&self) -> Vec<bool> {
        let of = |key| self.children.get(&key).and_then(|child| child.running.as_ref()?.due());
        let timers = self.timers.due(of);
        let due = timers
            .into_iter()
            .chain(self.nested.due())
            .chain(self.policy.due())
            .chain(self.ending.due())
            .chain(self.readiness.due())
            .chain(self.standby.due())
            .chain(self.assembly.due());
        let limit = due.min().map(clock::until);
        let mut fds = vec![(self.control.as_fd(), false), (self.readiness.doorbell(), false)];
        fds.extend(self.masters.iter().map(|master| (master.as_fd(), false)));
        poll::wait(&fds, limit, Some(&Mask::of(&[]))).unwrap_or_else(|error| {
            // A signal, or no memory now.
            if error.kind() != io::ErrorKind::Interrupted {
                poll::pause(MOMENT);
            }
            vec![false; 2]
        })
    }

    fn take_requests(&mut self) {
        // Who asks may know already who is up; and what those had borrowed makes room for what comes now.
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
                    start::refuse(&spawn, Refusal::Credentials(request::FOREIGN.to_owned()));
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
                // No process can ask any more. A declared supervisor lives as long as the one above wants it
                // to.
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
        // Where an earlier supervisor of these children stopped counting.
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
