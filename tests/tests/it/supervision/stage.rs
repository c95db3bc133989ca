//! Who plays in these cases, and how it is seen what they do.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{ActorBuilder, ChildCounts, ChildInfo, ChildState, Reserved, StoppedBy, SupervisorBuilder};
use phalanx_tests::{eventually, machine_is_busy, processes};
use serde::{Deserialize, Serialize};

use super::PATIENCE;

/// How a worker ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Way {
    /// `exit` with this code; 0 is a success.
    Exit(i32),
    /// In order.
    Leave,
    /// In order, and it is not to be restarted.
    LeaveForGood,
    Panic,
    Sigkill,
}

impl Way {
    fn go(self) -> ! {
        match self {
            Way::Exit(code) => std::process::exit(code),
            Way::Leave => phalanx::exit_actor(),
            Way::LeaveForGood => phalanx::exit_actor_for_good(),
            Way::Panic => panic!("on purpose"),
            Way::Sigkill => processes::kill(std::process::id()),
        }
        forever()
    }

    /// Whether this is the reason of a process that ended so.
    pub(super) fn is(self, reason: &ExitReason) -> bool {
        match self {
            Way::Exit(code) => *reason == ExitReason::Exited(code),
            Way::Leave | Way::LeaveForGood => *reason == ExitReason::Stopped(StoppedBy::Itself),
            Way::Panic => {
                matches!(reason, ExitReason::Panicked { message, .. } if message == "on purpose")
            }
            Way::Sigkill => reason.signal() == Some(9),
        }
    }
}

/// How the start of a worker goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Trouble {
    /// Its init answers an error.
    Refuses,
    Panics,
    Hangs,
    /// No trouble: it wants no process.
    Ignores,
}

/// What a worker does when it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Last {
    Nothing,
    Hangs,
    Takes(Duration),
    Panics,
}

pub(super) fn forever() -> ! {
    loop {
        thread::park();
    }
}

/// What a worker is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    stage: PathBuf,
    name: String,
    last: Last,
}

/// Writes down when it starts (`+name`), cannot start (`!name`) and stops (`-name`), and does what it is told.
#[actor]
pub(super) struct Worker {
    part: Part,
    count: u64,
    /// As long as its process lives, no other can have it.
    _alone: File,
}

#[actor]
impl Worker {
    #[init]
    fn new(part: Part) -> Result<Worker, String> {
        let name = &part.name;
        let alone =
            File::create(part.stage.join(format!("{name}.lock"))).map_err(|error| error.to_string())?;
        if alone.try_lock().is_err() {
            part.say(&format!("two-{name}"));
        }
        if let Some(trouble) = part.trouble() {
            part.say(&format!("!{name}"));
            match trouble {
                Trouble::Refuses => return Err(format!("{name} is broken")),
                Trouble::Panics => panic!("{name} panics"),
                Trouble::Hangs => forever(),
                Trouble::Ignores => phalanx::ignore(),
            }
        }
        part.say(&format!("+{name}"));
        Ok(Worker { part, count: 0, _alone: alone })
    }

    /// How often it has been called since its process started.
    pub(super) fn count(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// The same, with the number that it was given and of which process the answer is.
    pub(super) fn number(&mut self, number: u64) -> (u64, u64, u64) {
        self.count += 1;
        (number, self.count, phalanx::current().incarnation())
    }

    pub(super) fn end(&self, way: Way) {
        way.go()
    }

    /// Ends when a file is there.
    #[tell]
    pub(super) fn end_at(&self, gate: PathBuf, way: Way) {
        eventually("the gate", PATIENCE, || gate.exists());
        way.go()
    }

    pub(super) fn wait_for(&self, gate: PathBuf) {
        eventually("the gate", PATIENCE, || gate.exists());
    }

    pub(super) fn hang(&self) {
        forever()
    }

    #[tell]
    pub(super) fn note(&self, text: String) {
        self.part.say(&text);
    }

    pub(super) fn length(&self, text: String) -> usize {
        text.len()
    }

    /// Leaves a process behind that is hard to get hold of.
    pub(super) fn leave_a_stray(&self) -> u32 {
        processes::leave_a_stray()
    }

    pub(super) fn parent(&self) -> u32 {
        processes::stat(std::process::id()).expect("this process").parent
    }

    pub(super) fn stop_yourself(&self, me: ActorRef<Worker>) -> bool {
        matches!(me.stop(PATIENCE), Err(SendError::CallingSelf(_)))
    }

    #[on_stop]
    fn stop(&mut self) {
        self.part.say(&format!("-{}", self.part.name));
        match self.part.last {
            Last::Nothing => {}
            Last::Hangs => forever(),
            Last::Takes(time) => thread::sleep(time),
            Last::Panics => panic!("{} panics at its end", self.part.name),
        }
    }
}

impl Part {
    fn say(&self, text: &str) {
        say(&self.stage, text);
    }

    /// What goes wrong this time.
    fn trouble(&self) -> Option<Trouble> {
        let (path, left) = (self.stage.join(format!("{}.trouble", self.name)), Stage::HOW_OFTEN);
        let text = fs::read_to_string(&path).ok()?;
        let (times, trouble) = text.split_once(' ')?;
        let times: u32 = times.parse().expect(left);
        // Only this process reads it now.
        let next = if times > 1 {
            fs::write(&path, format!("{} {trouble}", times - 1))
        } else {
            fs::remove_file(&path)
        };
        next.expect("the note can be changed");
        Some(match trouble {
            "Refuses" => Trouble::Refuses,
            "Panics" => Trouble::Panics,
            "Hangs" => Trouble::Hangs,
            _ => Trouble::Ignores,
        })
    }
}

fn say(stage: &Path, text: &str) {
    let log = OpenOptions::new().create(true).append(true).open(stage.join("log"));
    // In one piece: many write here.
    log.and_then(|mut log| log.write_all(format!("{text} ").as_bytes())).expect("the log can be written");
}

/// A directory of the case, where its workers write down what happens to them.
pub(super) struct Stage {
    path: PathBuf,
    read: AtomicUsize,
}

impl Stage {
    const HOW_OFTEN: &str = "how often";

    pub(super) fn new() -> Stage {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stage-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a directory for the case");
        Stage { path, read: AtomicUsize::new(0) }
    }

    pub(super) fn worker(&self, name: &str) -> ActorBuilder<Worker> {
        self.worker_with(name, Last::Nothing)
    }

    pub(super) fn worker_with(&self, name: &str, last: Last) -> ActorBuilder<Worker> {
        Worker::builder(Part { stage: self.path.clone(), name: name.to_owned(), last }).name(name)
    }

    /// A worker to be, and its ref.
    pub(super) fn reserve(&self, name: &str) -> (Reserved<ActorRef<Worker>>, ActorRef<Worker>) {
        reserved(self.worker(name))
    }

    /// Adds workers of these names to a supervisor to be; answers their refs.
    pub(super) fn cast<const N: usize>(
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

    /// What has been written down since this was asked last.
    pub(super) fn said(&self) -> String {
        let log = fs::read_to_string(self.path.join("log")).unwrap_or_default();
        let start = self.read.swap(log.len(), Ordering::SeqCst);
        log[start..].trim_end().to_owned()
    }

    /// Waits until this, and only this, has been written down since that was asked last.
    #[track_caller]
    pub(super) fn says(&self, expected: &str) {
        let start = Instant::now();
        let from = self.read.load(Ordering::SeqCst);
        loop {
            self.read.store(from, Ordering::SeqCst);
            let said = self.said();
            if said == expected {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "`{said}` instead of `{expected}`");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// From now on, the starts of this worker go wrong, so often.
    pub(super) fn spoil(&self, name: &str, trouble: Trouble, times: u32) {
        // As a whole: a worker may look at any time.
        let new = self.path.join(format!("{name}.new"));
        fs::write(&new, format!("{times} {trouble:?}")).expect("a note");
        fs::rename(new, self.path.join(format!("{name}.trouble"))).expect("a note");
    }

    pub(super) fn mend(&self, name: &str) {
        let _ = fs::remove_file(self.path.join(format!("{name}.trouble")));
    }

    /// A file that is not there yet.
    pub(super) fn gate(&self, name: &str) -> Gate {
        Gate(self.path.join(format!("{name}.gate")))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What workers wait for.
pub(super) struct Gate(PathBuf);

impl Gate {
    pub(super) fn path(&self) -> PathBuf {
        self.0.clone()
    }

    pub(super) fn open(&self) {
        fs::write(&self.0, "").expect("the gate opens");
    }
}

pub(super) fn reserved(worker: ActorBuilder<Worker>) -> (Reserved<ActorRef<Worker>>, ActorRef<Worker>) {
    let worker = worker.reserve().expect("a mailbox");
    let its_ref = worker.actor_ref();
    (worker, its_ref)
}

/// What a row means by a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crash {
    Panic,
    Sigkill,
}

pub(super) const CRASHES: [Crash; 2] = [Crash::Panic, Crash::Sigkill];

impl Crash {
    /// Crashes a process of the worker, and waits until that is known.
    #[track_caller]
    pub(super) fn hit(self, worker: &ActorRef<Worker>) {
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
        let down = monitor.recv_timeout(PATIENCE).expect("a crash is told");
        assert!(way.is(&down.reason), "{down}");
    }
}

/// Ends a process of the worker in this way, and waits until that is known.
#[track_caller]
pub(super) fn end(worker: &ActorRef<Worker>, way: Way) {
    let mut monitor = worker.monitor();
    worker.end(way).wait().expect_err("it has ended");
    let down = monitor.recv_timeout(PATIENCE).expect("an end is told");
    assert!(way.is(&down.reason), "{down}");
}

/// The processes behind refs: which incarnation, and pid.
pub(super) fn processes_of<const N: usize>(workers: &[ActorRef<Worker>; N]) -> [(u64, u32); N] {
    workers.each_ref().map(|worker| (worker.incarnation(), worker.pid().expect("it runs")))
}

/// Waits until so many children are up, and the others down for good.
#[track_caller]
pub(super) fn settled(supervisor: &SupervisorRef, up: usize) {
    let mut children = Vec::new();
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        children = supervisor.which_children().expect("it answers");
        let is = |child: &ChildInfo, state| child.state == state;
        let rests = children.iter().all(|child| is(child, ChildState::Up) || is(child, ChildState::Down));
        if rests && children.iter().filter(|child| is(child, ChildState::Up)).count() == up {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("not {up} are up: {children:#?}");
}

/// The counts as the rows write them: specs, active, supervisors, workers.
#[track_caller]
pub(super) fn counts(supervisor: &SupervisorRef) -> [usize; 4] {
    let ChildCounts { specs, active, supervisors, workers } =
        supervisor.count_children().expect("it answers");
    [specs, active, supervisors, workers]
}

/// The child of this id, as its supervisor lists it.
#[track_caller]
pub(super) fn child(supervisor: &SupervisorRef, id: &str) -> ChildInfo {
    let children = supervisor.which_children().expect("it answers");
    children.into_iter().find(|child| child.id == id).expect("it is listed")
}

#[track_caller]
pub(super) fn state(supervisor: &SupervisorRef, id: &str) -> ChildState {
    child(supervisor, id).state
}

pub(super) fn stopped_by_supervisor() -> ExitReason {
    ExitReason::Stopped(StoppedBy::Supervisor)
}

/// Stops it, and checks that it went in order.
#[track_caller]
pub(super) fn stop(supervisor: &SupervisorRef) {
    assert_eq!(supervisor.stop(PATIENCE), Ok(ExitReason::Stopped(StoppedBy::Ref)));
}

/// Fails if more than `limit` has passed, unless the machine has no time for us.
#[track_caller]
pub(super) fn within(start: Instant, limit: Duration) {
    let passed = start.elapsed();
    assert!(
        passed <= limit || (machine_is_busy() && passed <= limit + PATIENCE),
        "{passed:?} instead of {limit:?}"
    );
}
