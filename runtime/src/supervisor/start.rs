//! Starting children: actors, tasks and declared supervisors.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::output::Source;
use super::prefork::Waiting;
use super::running::{RunningProcess, Starting};
use super::watch::Watch;
use super::{Child, Config, Declared, Equipment, Supervisor, preload};
use crate::child::setup::{self, ChildSetup, Latch};
use crate::control::entry::{self, Entry};
use crate::control::fd_store::FdStore;
use crate::control::notification::{Notifications, Slot};
use crate::control::output::{Readers, Writers};
use crate::control::request::{Kind, Spawn};
use crate::ipc::envelope::Body;
use crate::ipc::uplink;
use crate::policy::{Event, Key, Policy};
use crate::status::{ExitNotice, ExitRecord, Process, State, register};
use crate::sys::process::{self, Fork};
use crate::sys::{clock, credentials, fd, proctitle, signal};
use crate::types::exit::ExitReason;
use crate::types::method::Method;
use crate::types::spawn_error_kind::SpawnErrorKind;

impl Supervisor {
    /// Starts a child's next process. Returns an event for the policy if there is none.
    pub(super) fn launch(&mut self, key: Key) -> Option<Event> {
        self.settle_children_of(key);
        if let Some(event) = self.check_called_off(key) {
            return Some(event);
        }
        self.begin_incarnation(key);
        self.launch_now(key)
    }

    /// Starts the process of an incarnation that has begun: releases the standby process, or forks. Returns
    /// an event for the policy if there is none.
    pub(super) fn launch_now(&mut self, key: Key) -> Option<Event> {
        // Taken out of the table before the fork: what the child changes there would cost it memory pages.
        let mut child = self.children.remove(&key)?;
        let lazy = child.lazy_ready;
        if let Some((pid, Waiting { latch, control, output })) =
            child.spare.take().and_then(|spare| spare.release(lazy))
        {
            self.standby.remove(pid);
            let forked = Forked { control: Some(control), latch: Some(latch), output, ..Forked::default() };
            self.adopt(key, child, pid, forked);
            return None;
        }
        let prepared = self.prepare(&mut child);
        // Read before the fork: in the child, it might already be the pid of another subreaper.
        let parent = process::pid();
        match prepared.and_then(ForkPlan::fork) {
            Err(refusal) => Some(self.fail_to_launch(key, child, refusal)),
            Ok((plan, Fork::Parent(pid))) => {
                process::group_of(pid);
                self.adopt(key, child, pid, Forked::of(plan));
                process::volunteer_for_oom(pid);
                None
            }
            // Nothing of the supervisor is touched or dropped from here on: this call does not return.
            Ok((plan, Fork::Child)) => self.become_child(child, plan, parent),
        }
    }

    /// Records a start that failed: the incarnation does not count.
    fn fail_to_launch(&mut self, key: Key, mut child: Box<Child>, refusal: SpawnErrorKind) -> Event {
        child.incarnation -= 1;
        let comes_back = child.initial || child.incarnation > 0;
        let next = if comes_back { State::Restarting } else { State::Dead };
        child.publish_exit(&refused_start(refusal), next);
        child.ring();
        self.children.insert(key, child);
        Event::StartFailed(key)
    }

    /// Continues in the new process.
    fn become_child(&mut self, child: Box<Child>, plan: ForkPlan, supervisor: i32) -> ! {
        let ForkPlan { worker, slot, close, .. } = plan;
        let Some(worker) = worker else { self.become_supervisor(*child, slot, &close, supervisor) };
        let Child { spawn, incarnation, .. } = *child;
        setup::enter(ChildSetup {
            spawn,
            entry: worker.entry,
            incarnation,
            control: worker.sender,
            slot,
            output: worker.writers,
            close,
            supervisor,
            descriptors: self.descriptors,
            buffer: std::mem::take(&mut self.buffer),
            latch: None,
        })
    }

    /// Updates the status page and the supervisor's state before the next process starts.
    fn begin_incarnation(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key) else { return };
        if child.incarnation > 0 {
            child.count_restart();
            child.renew_page();
            child.renew_fd_store();
            self.standby.want(key);
        }
        child.incarnation += 1;
        child.end = None;
        child.slot = child.slot.or_else(|| self.readiness.slot_for(key));
        let (in_turn, asked) = self.policy.is_waited_for(key);
        child.lazy_ready = !in_turn && !asked.is_some_and(|ticket| self.requests.is_waited_for(ticket));
    }

    /// Does all that can fail, or is better done once before the fork.
    fn prepare(&mut self, child: &mut Child) -> Result<ForkPlan, SpawnErrorKind> {
        if fd::has_ended(child.spawn.receiver.as_fd()) {
            // For good: the kernel does not open a socket again, and every ref has the other end of this one.
            return Err(SpawnErrorKind::Died(ExitReason::Broken(NO_MAILBOX.to_owned())));
        }
        let worker = match child.spec().kind {
            Kind::Supervisor => None,
            _ => Some(Worker::of(child, self.build)?),
        };
        let keep = match &worker {
            Some(worker) => worker.descriptors(&child.spawn, self.readiness.doorbell()),
            None => {
                let own = child.spawn.descriptors().into_iter().chain(uplink::descriptors());
                own.chain([self.readiness.doorbell().as_raw_fd()]).collect()
            }
        };
        if let Some(worker) = &worker {
            child.methods = worker.entry.methods;
        }
        let slot = self.readiness.slot(child.slot, child.lazy_ready);
        // The descriptors of a first start have just arrived, and have low numbers. Those of a restart do
        // not.
        let apart = worker.as_ref().and_then(|_| fd::Others::but_low(&keep));
        Ok(ForkPlan {
            worker,
            slot,
            shares: apart.is_some(),
            close: apart.unwrap_or_else(|| fd::Others::than(&keep)),
        })
    }

    /// In the parent: notes the new process.
    fn adopt(&mut self, key: Key, mut child: Box<Child>, pid: i32, forked: Forked) {
        let Forked { mut control, mut lent, shares, latch, output } = forked;
        child.say_that_it_has_started(pid);
        let now = clock::now();
        let start = clock::nanos(child.spec().start_limit());
        child.last_pid = pid;
        self.processes.add(pid, key, child.spec().id, child.incarnation);
        self.outputs.add(output, &Source::of(child.spec(), pid, child.incarnation));
        let was_down = child.state == State::Down;
        child.state = State::Starting;
        lent.extend(child.spawn.move_up());
        lent.extend(control.as_mut().and_then(fd::move_up));
        if !child.initial && !child.spec().is_durable() && child.spec().kind != Kind::Supervisor {
            // Only a first start needs these, and no second one follows.
            child.spawn.init = Body::Inline(Vec::new());
            lent.append(&mut child.spawn.fds);
            lent.extend(child.spawn.sender.take());
        }
        if !shares {
            lent.clear();
        }
        let starting =
            Starting { until: Some(now.saturating_add(start)), rang: false, was_down, latch, lent };
        let watch = Watch::from(child.shortest_limit().map(|limit| now.saturating_add(limit)));
        child.running = Some(RunningProcess::new(pid, starting, watch, control));
        self.readiness.begin(key, child.lazy_ready, now);
        self.timers.watch(key);
        self.children.insert(key, child);
    }

    /// Continues as a supervisor of the children that came with it.
    fn become_supervisor(&self, child: Child, slot: Slot, close: &fd::Others, supervisor: i32) -> ! {
        process::own_group();
        if !process::die_with(supervisor, process::SIGKILL) {
            process::exit_now(0);
        }
        if !close.close() {
            process::exit_now(1);
        }
        let Child { mut spawn, incarnation, .. } = child;
        spawn.reset_after_fork();
        signal::forget();
        proctitle::set(&spawn.spec.name);
        Notifications::keep_from_children(&slot);
        let Spawn { spec, receiver, status_page, children, init, .. } = spawn;
        status_page.be_vouched_for(supervisor, register::number());
        status_page.started(process::pid(), incarnation);
        let preload = || spec.preload.as_ref().map_or(Ok(()), |function| preload::run(function, &init));
        let equipment =
            take_up_work().and_then(|equipment| preload().map(|()| equipment)).unwrap_or_else(|error| {
                status_page.last_words(&error, "", None);
                status_page.note_exit(ExitNotice::InitFailed);
                process::exit_now(1)
            });
        let children: BTreeMap<Key, Box<Child>> =
            (1..).zip(children.into_iter().map(|spawn| Box::new(Child::new(spawn, true)))).collect();
        let rules = children.iter().map(|(&key, child)| (key, child.spec().rules())).collect();
        let policy = Policy::new(spec.policy.unwrap_or_default(), rules);
        let config =
            Config { control: receiver, term: 0, masters: Vec::new(), descriptors: self.descriptors };
        let declared = Declared { page: status_page, slot };
        Supervisor::with(config, equipment, Some(declared), policy, children).run()
    }
}

/// Does what every supervisor below the root does first after its fork.
///
/// # Errors
/// A message that says what failed.
pub(super) fn take_up_work() -> Result<Equipment, String> {
    let failed = |what: &str, error: io::Error| format!("the supervisor could not {what}: {error}");
    process::become_subreaper().map_err(|error| failed("become a subreaper (prctl)", error))?;
    process::confirm_single_thread().map_err(|error| failed("make sure that it has one thread", error))?;
    Equipment::new().map_err(|error| {
        failed(
            "make its doorbell, its notification bits and its register (eventfd, mmap, memfd_create)",
            error,
        )
    })
}

/// What a fork needs beside the child's spec.
struct ForkPlan {
    /// `None`: the child is a supervisor.
    worker: Option<Worker>,
    slot: Slot,
    close: fd::Others,
    /// It shares the supervisor's descriptor table until it has closed the others.
    shares: bool,
}

impl ForkPlan {
    fn fork(mut self) -> Result<(ForkPlan, Fork), SpawnErrorKind> {
        let forked = match process::fork_bare(self.shares) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                self.shares = false;
                self.close.set_apart();
                process::fork()
            }
            forked => forked,
        };
        Ok((self, forked?))
    }
}

/// What the parent keeps after a fork.
#[derive(Default)]
struct Forked {
    /// The receiving end of its requests.
    control: Option<OwnedFd>,
    /// Descriptors that it may still take over from a shared table.
    lent: Vec<OwnedFd>,
    shares: bool,
    latch: Option<Latch>,
    output: Readers,
}

impl Forked {
    fn of(plan: ForkPlan) -> Forked {
        let shares = plan.shares;
        let Some(Worker { receiver, sender, readers, writers, .. }) = plan.worker else {
            return Forked { shares, ..Forked::default() };
        };
        let lent = std::iter::once(sender).chain(writers.into_ends()).collect();
        Forked { control: Some(receiver), lent, shares, latch: None, output: readers }
    }
}

/// What an actor or a task runs, and the channel by which it can request its own supervisor later.
pub(super) struct Worker {
    pub(super) entry: &'static Entry,
    pub(super) receiver: OwnedFd,
    pub(super) sender: OwnedFd,
    /// Its output, if that goes to the log.
    pub(super) readers: Readers,
    pub(super) writers: Writers,
}

impl Worker {
    pub(super) fn of(child: &Child, build: u64) -> Result<Worker, SpawnErrorKind> {
        let entry = entry::find(child.spec().entry, &child.spec().type_name);
        let entry = entry.filter(|_| child.spec().build == build).ok_or(SpawnErrorKind::Mismatch)?;
        let (receiver, sender) = fd::seqpacket_pair()?;
        credentials::ask_for_senders(receiver.as_fd())?;
        let streams = child.spec().attributes.as_ref().map(|attributes| &attributes.streams);
        let (readers, writers) = streams.map(Writers::for_logged).transpose()?.unwrap_or_default();
        Ok(Worker { entry, receiver, sender, readers, writers })
    }

    /// The descriptors of its process.
    pub(super) fn descriptors(&self, spawn: &Spawn, bell: BorrowedFd<'_>) -> Vec<RawFd> {
        setup::descriptors(spawn, &self.sender, bell, &self.writers)
    }
}

/// The reason for not restarting an actor whose mailbox was shut down.
pub(crate) const NO_MAILBOX: &str = "its mailbox has been shut down by code in one of its processes, \
                                     or of its callers, and cannot be opened again";

fn refused_start(refusal: SpawnErrorKind) -> ExitRecord {
    let reason = match &refusal {
        SpawnErrorKind::Died(reason) => reason.clone(),
        _ => ExitReason::Exited(1),
    };
    ExitRecord { reason, code: 1, unready: true, refusal: Some(refusal), ..ExitRecord::orphaned() }
}

/// Records why a child is not started, for it and all below it. None of them had a process.
pub(super) fn refuse(spawn: &Spawn, refusal: SpawnErrorKind) {
    let nobody = Process { incarnation: 0, pid: 0 };
    spawn.status_page.record_exit(nobody, &refused_start(refusal.clone()), State::Dead);
    fd::shut_down(spawn.receiver.as_fd());
    spawn.children.iter().for_each(|child| refuse(child, refusal.clone()));
}

impl Child {
    /// Replaces a descriptor store that a process of the child shut down: with that one, no later process
    /// could take a caller in. Callers known to the old one send their channels again with their next calls.
    fn renew_fd_store(&mut self) {
        if self.spawn.fd_store.as_ref().is_some_and(FdStore::is_shut_down)
            // Without a free descriptor now, the next process ends as the last one did, and this is tried
            // again.
            && let Ok(fd_store) = FdStore::new()
        {
            self.spawn.fd_store = Some(fd_store);
            // The standby process was forked with the old store.
            self.spare = None;
        }
    }

    /// The limit on a handler of this method, in nanoseconds.
    pub(super) fn limit(&self, method: u32) -> Option<u64> {
        let own = self.methods.get(method as usize).and_then(|method: &Method| method.deadline);
        own.or(self.spec().options.deadline).map(clock::nanos)
    }

    /// The shortest limit on any of its handlers.
    pub(super) fn shortest_limit(&self) -> Option<u64> {
        self.limits().min()
    }

    pub(super) fn longest_limit(&self) -> Option<u64> {
        self.limits().max()
    }

    fn limits(&self) -> impl Iterator<Item = u64> {
        let methods = (0..self.methods.len() as u32).filter_map(|method| self.limit(method));
        methods.chain(self.spec().options.deadline.map(clock::nanos))
    }
}
