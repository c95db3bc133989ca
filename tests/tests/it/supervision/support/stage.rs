//! Where workers play, and how it is seen what they do.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{ActorBuilder, ChildCounts, ChildInfo, ChildState, Reserved, StoppedBy, SupervisorBuilder};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, machine_is_busy, processes, until_seen};

pub(crate) use super::worker::{Last, Part, Trouble, Way, Worker};

/// A directory of the case, where its workers write down what happens to them.
pub(crate) struct Stage {
    path: PathBuf,
    read: AtomicUsize,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stage-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a directory for the case");
        Stage { path, read: AtomicUsize::new(0) }
    }

    pub(crate) fn worker(&self, name: &str) -> ActorBuilder<Worker> {
        self.worker_with(name, Last::Nothing)
    }

    pub(crate) fn worker_with(&self, name: &str, last: Last) -> ActorBuilder<Worker> {
        Worker::builder(Part { last, ..self.part(name) }).name(name)
    }

    /// What a worker is made of, for others to start it.
    pub(crate) fn part(&self, name: &str) -> Part {
        Part { stage: self.path.clone(), name: name.to_owned(), last: Last::Nothing }
    }

    /// A worker to be, and its ref.
    pub(crate) fn reserve(&self, name: &str) -> (Reserved<ActorRef<Worker>>, ActorRef<Worker>) {
        reserved(self.worker(name))
    }

    /// Adds workers of these names to a supervisor to be; returns their refs.
    pub(crate) fn cast<const N: usize>(
        &self,
        supervisor: SupervisorBuilder,
        names: [&str; N],
    ) -> (SupervisorBuilder, [ActorRef<Worker>; N]) {
        let mut supervisor = Some(supervisor);
        let refs = names.map(|name| {
            let (worker, its_ref) = self.reserve(name);
            supervisor = supervisor.take().map(|supervisor| supervisor.child(name, worker));
            its_ref
        });
        (supervisor.expect("it is put back"), refs)
    }

    /// A supervisor that bears everything, and a worker of it that sees whether it does.
    pub(crate) fn witnessed(&self) -> (SupervisorRef, ActorRef<Worker>) {
        let supervisor = Supervisor::one_for_one().intensity(1000, RESTART_WINDOW);
        let (supervisor, [witness]) = self.cast(supervisor, ["witness"]);
        (supervisor.start().unwrap(), witness)
    }

    /// What has been written down since this was asked last.
    pub(crate) fn said(&self) -> String {
        let log = fs::read_to_string(self.path.join("log")).unwrap_or_default();
        let start = self.read.swap(log.len(), Ordering::SeqCst);
        log[start..].trim_end().to_owned()
    }

    /// Waits until this, and only this, has been written down since that was asked last.
    #[track_caller]
    pub(crate) fn says(&self, expected: &str) {
        let from = self.read.load(Ordering::SeqCst);
        let look = || {
            self.read.store(from, Ordering::SeqCst);
            self.said()
        };
        until_seen(&format!("`{expected}`"), EVENT_TIMEOUT, look, |said| said == expected);
    }

    /// From now on, the starts of this worker go wrong, so often.
    pub(crate) fn spoil(&self, name: &str, trouble: Trouble, times: u32) {
        // As a whole: a worker may look at any time.
        let new = self.path.join(format!("{name}.new"));
        fs::write(&new, format!("{times} {trouble:?}")).expect("a note");
        fs::rename(new, self.path.join(format!("{name}.trouble"))).expect("a note");
    }

    pub(crate) fn mend(&self, name: &str) {
        let _ = fs::remove_file(self.path.join(format!("{name}.trouble")));
    }

    /// A file that is not there yet.
    pub(crate) fn latch(&self, name: &str) -> Latch {
        Latch(self.path.join(format!("{name}.latch")))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What workers wait for.
pub(crate) struct Latch(PathBuf);

impl Latch {
    pub(crate) fn path(&self) -> PathBuf {
        self.0.clone()
    }

    pub(crate) fn open(&self) {
        fs::write(&self.0, "").expect("the latch opens");
    }
}

pub(crate) fn reserved(worker: ActorBuilder<Worker>) -> (Reserved<ActorRef<Worker>>, ActorRef<Worker>) {
    let worker = worker.reserve().expect("a mailbox");
    let its_ref = worker.actor_ref();
    (worker, its_ref)
}

/// What a row means by a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    Panic,
    Sigkill,
}

pub(crate) const CRASHES: [Crash; 2] = [Crash::Panic, Crash::Sigkill];

impl Crash {
    /// Crashes a process of the worker, and waits until that is known.
    #[track_caller]
    pub(crate) fn hit(self, worker: &ActorRef<Worker>) {
        let mut monitor = worker.monitor();
        let way = match self {
            Crash::Panic => {
                let error = worker.end(Way::Panic).wait().expect_err("it has panicked");
                assert!(matches!(&error, CallError::Died(reason, _) if Way::Panic.is(reason)), "{error}");
                Way::Panic
            }
            Crash::Sigkill => {
                processes::kill(worker.pid().expect("it runs"));
                Way::Sigkill
            }
        };
        let down = monitor.recv_timeout(EVENT_TIMEOUT).expect("a crash is told");
        assert!(way.is(&down.reason), "{down}");
    }
}

/// Ends a process of the worker in this way, and waits until that is known.
#[track_caller]
pub(crate) fn end(worker: &ActorRef<Worker>, way: Way) {
    let mut monitor = worker.monitor();
    worker.end(way).wait().expect_err("it has ended");
    let down = monitor.recv_timeout(EVENT_TIMEOUT).expect("an end is told");
    assert!(way.is(&down.reason), "{down}");
}

/// The processes behind refs: which incarnation, and pid.
pub(crate) fn processes_of<const N: usize>(workers: &[ActorRef<Worker>; N]) -> [(u64, u32); N] {
    workers.each_ref().map(|worker| (worker.incarnation(), worker.pid().expect("it runs")))
}

/// Waits until so many children are up, and the others down for good.
#[track_caller]
pub(crate) fn settled(supervisor: &SupervisorRef, up: usize) {
    let look = || supervisor.which_children().expect("it answers");
    let is_so = |children: &Vec<ChildInfo>| {
        let is = |child: &ChildInfo, state| child.state == state;
        let rests = children.iter().all(|child| is(child, ChildState::Up) || is(child, ChildState::Down));
        rests && children.iter().filter(|child| is(child, ChildState::Up)).count() == up
    };
    until_seen(&format!("{up} children to be up"), EVENT_TIMEOUT, look, is_so);
}

/// The counts as the rows write them: specs, active, supervisors, workers.
#[track_caller]
pub(crate) fn counts(supervisor: &SupervisorRef) -> [usize; 4] {
    let ChildCounts { specs, active, supervisors, workers } =
        supervisor.count_children().expect("it answers");
    [specs, active, supervisors, workers]
}

/// The child of this id, as its supervisor lists it.
#[track_caller]
pub(crate) fn child(supervisor: &SupervisorRef, id: &str) -> ChildInfo {
    let children = supervisor.which_children().expect("it answers");
    children.into_iter().find(|child| child.id == id).expect("it is listed")
}

#[track_caller]
pub(crate) fn state(supervisor: &SupervisorRef, id: &str) -> ChildState {
    child(supervisor, id).state
}

pub(crate) fn stopped_by_supervisor() -> ExitReason {
    ExitReason::Stopped(StoppedBy::Supervisor)
}

/// Stops it, and checks that it went in order.
#[track_caller]
pub(crate) fn stop(supervisor: &SupervisorRef) {
    assert_eq!(supervisor.stop(EVENT_TIMEOUT), Ok(ExitReason::Stopped(StoppedBy::Ref)));
}

/// Fails if more than `limit` has passed, unless the machine has no time for us.
#[track_caller]
pub(crate) fn within(start: Instant, limit: Duration) {
    let passed = start.elapsed();
    assert!(
        passed <= limit || (machine_is_busy() && passed <= limit + EVENT_TIMEOUT),
        "{passed:?} instead of {limit:?}"
    );
}
