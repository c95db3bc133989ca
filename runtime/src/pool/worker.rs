//! The loop of a worker: runs batches, one item at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::shared_slots::{Halt, Phase, SharedSlots, Slot, Status};
use super::worker_context::{DECLARED, Declared, HERE, HERE_ON_THREAD, Here, STATE, TASK};
use crate::actor;
use crate::control::function::{FunctionName, Ran, Runner};
use crate::ipc::codec::{Encoded, RawValue};
use crate::reactor::context;
use crate::reactor::select::clock;

/// How often a worker measures its memory, at most.
const LOOK: Duration = Duration::from_millis(10);

/// The argument of a worker's start.
#[derive(Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) pool: String,
    pub(crate) index: usize,
    pub(crate) incarnation: u64,
    pub(crate) shared_slots: SharedSlots,
    /// The function that makes its state, and its argument.
    pub(crate) init: Option<(FunctionName, RawValue)>,
    /// The function that it runs last.
    pub(crate) exit: Option<FunctionName>,
    pub(crate) limits: Limits,
    /// How long a task may take before it is asked to end.
    pub(crate) soft: Option<Duration>,
    /// How deep arguments and results may be.
    pub(crate) depth: u32,
}

/// When a worker asks to be replaced.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) tasks: Option<u64>,
    pub(crate) rss: Option<u64>,
    pub(crate) growth: Option<u64>,
    pub(crate) age: Option<Duration>,
}

/// Items for a worker.
#[derive(Serialize, Deserialize)]
pub(crate) struct Batch {
    pub(crate) serial: u16,
    pub(crate) slot: usize,
    pub(crate) functions: Vec<FunctionName>,
    /// For each item, its function (by its place in `functions`) and the length of its arguments.
    pub(crate) items: Vec<(u16, u32)>,
    /// The arguments of all items, one after the other. Descriptors beside them belong to the only item.
    pub(crate) args: RawValue,
}

/// The answer to a batch, beside the results in its slot.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answered {
    /// How many items have been finished.
    pub(crate) place: u32,
    /// The result of the next item, if its slot had no room for it.
    pub(crate) handed: Option<(Status, RawValue)>,
    /// Why the worker wants to be replaced, if it does.
    pub(crate) retire: Option<String>,
}

/// The actor in a worker's process.
#[actor(crate = crate, no_derive, name = "worker")]
pub(crate) struct Worker {
    worker_loop: WorkerLoop,
}

#[actor(crate = crate)]
impl Worker {
    #[init]
    fn new(setup: Setup) -> Result<Self, String> {
        let worker_loop = WorkerLoop::new(setup)?;
        let _ = HERE.set(Arc::clone(&worker_loop.here));
        Ok(Worker { worker_loop })
    }

    pub(crate) fn work(&mut self, batch: Batch) -> Answered {
        self.worker_loop.work(&batch)
    }

    #[on_stop]
    fn stop(&mut self) {
        self.worker_loop.leave();
    }
}

/// The state of a worker, in a process or on a thread.
pub(crate) struct WorkerLoop {
    here: Arc<Here>,
    shared_slots: SharedSlots,
    exit: Option<FunctionName>,
    limits: Limits,
    depth: u32,
    since: Instant,
    tasks: u64,
    reference: u64,
    look_at: Instant,
    retire: Option<String>,
    known: Vec<Known>,
}

/// A function that this worker has been asked to run.
struct Known {
    name: FunctionName,
    runner: &'static Runner,
    /// What the function declares, known after its first run. From then on the worker writes it before the
    /// function begins, so that a kill never finds a task that runs and has not declared yet that it may be
    /// repeated.
    declared: Option<Declared>,
}

/// How a begun item ended.
enum Worked {
    Finished,
    /// The slot has no room for the result.
    TooLarge(Status, Encoded),
}

impl WorkerLoop {
    /// # Errors
    /// The error of the function that makes the state.
    pub(crate) fn new(setup: Setup) -> Result<WorkerLoop, String> {
        let Setup { pool, index, incarnation, shared_slots, init, exit, limits, soft, depth } = setup;
        if !shared_slots.is_whole() {
            return Err("the memory that this worker shares with its pool has another size".to_owned());
        }
        let item = AtomicU64::new(0);
        let here =
            Arc::new(Here { pool, index, incarnation, shared_slots: shared_slots.clone(), soft, item });
        HERE_ON_THREAD.set(Some(Arc::clone(&here)));
        if let Some((function, args)) = init {
            let runner = function.find().ok_or("the function is not in this program")?;
            let state = runner.keep(&args.bytes, args.descriptors()?, depth)?;
            context::leave_if_copy();
            STATE.set(Some(state));
        }
        let reference = if limits.growth.is_some() { resident() } else { 0 };
        let now = Instant::now();
        Ok(WorkerLoop {
            here,
            shared_slots,
            exit,
            limits,
            depth,
            since: now,
            tasks: 0,
            reference,
            look_at: now,
            retire: None,
            known: Vec::new(),
        })
    }

    /// The last step of a worker that ends in order.
    pub(crate) fn leave(&mut self) {
        let exit = self.exit.take();
        if let Some(runner) = exit.and_then(|function| function.find())
            && let Err(error) = runner.keep(&[], Vec::new(), self.depth)
        {
            tracing::error!(error, "the exit of a worker");
        }
    }

    /// Returns its place in `known`.
    fn find(&mut self, name: &FunctionName) -> Option<usize> {
        if let Some(place) = self.known.iter().position(|known| known.name == *name) {
            return Some(place);
        }
        let runner = name.find()?;
        self.known.push(Known { name: name.clone(), runner, declared: None });
        Some(self.known.len() - 1)
    }

    pub(crate) fn work(&mut self, batch: &Batch) -> Answered {
        let functions: Vec<Option<usize>> = batch.functions.iter().map(|name| self.find(name)).collect();
        let shared_slots = self.shared_slots.clone();
        let slot = shared_slots.slot(batch.slot);
        let (mut from, mut at, mut handed, mut place) = (0, 0, None, 0);
        let mut began = clock();
        for &(function, len) in &batch.items {
            // Stamped before the item begins: from then on the pool checks how long it takes.
            shared_slots.stamp(began);
            // A worker that is to be replaced begins nothing; the rest goes to others.
            if self.retire.is_some() || slot.begin(batch.serial, place).is_err() {
                break;
            }
            let to = (from + len as usize).min(batch.args.bytes.len());
            let args = &batch.args.bytes[from.min(to)..to];
            from = to;
            self.here.item.store(item(batch.serial, place), Ordering::Relaxed);
            let known = functions.get(usize::from(function)).copied().flatten();
            let known = known.and_then(|place| self.known.get_mut(place));
            let which = (batch.serial, place);
            let worked =
                run_one(&shared_slots, &slot, which, &mut at, known, (args, &batch.args), self.depth);
            self.here.item.store(0, Ordering::Relaxed);
            let ended = clock();
            shared_slots.count(ended.saturating_sub(began));
            began = ended;
            self.count_one();
            match worked {
                Worked::Finished => place += 1,
                Worked::TooLarge(status, encoded) => {
                    handed = Some((status, RawValue::from(encoded)));
                    break;
                }
            }
        }
        Answered { place, handed, retire: self.retire.clone() }
    }

    /// Counts a task, and checks whether the worker is to be replaced.
    fn count_one(&mut self) {
        self.tasks += 1;
        let Limits { tasks, rss, growth, age } = self.limits;
        if let Some(most) = tasks.filter(|&most| self.tasks >= most) {
            self.retire = Some(format!("after {most} tasks"));
        }
        if rss.is_none() && growth.is_none() && age.is_none() {
            return;
        }
        let now = Instant::now();
        if let Some(age) = age.filter(|&age| now - self.since >= age) {
            self.retire = Some(format!("at the age of {age:?}"));
        }
        if (rss.is_some() || growth.is_some()) && now >= self.look_at {
            self.look_at = now + LOOK;
            let resident = resident();
            if let Some(most) = rss.filter(|&most| resident > most) {
                self.retire = Some(format!("with {resident} bytes resident, more than {most}"));
            }
            let grown = resident.saturating_sub(self.reference);
            if let Some(most) = growth.filter(|&most| grown > most) {
                self.retire = Some(format!("grown by {grown} bytes, more than {most}"));
            }
        }
    }
}

/// A number for an item that is unique in the shared memory; never 0.
pub(crate) fn item(serial: u16, place: u32) -> u64 {
    (u64::from(serial) << 32) | (u64::from(place) + 1)
}

fn run_one(
    shared_slots: &SharedSlots,
    slot: &Slot<'_>,
    which: (u16, u32),
    at: &mut usize,
    known: Option<&mut Known>,
    (args, raw_value): (&[u8], &RawValue),
    depth: u32,
) -> Worked {
    let ran = match (known, raw_value.descriptors()) {
        (Some(Known { runner, declared, .. }), Ok(fds)) => {
            // Reading its arguments is a part of the task.
            if let Some(declared) = declared {
                shared_slots.declare(declared.attempts, declared.deadline);
            }
            let mut begins = || {
                slot.enter(which, Phase::Running).unwrap_or_else(|halt| give_up(halt));
                TASK.set((runner.type_name)());
                DECLARED.set(None);
            };
            let ran = runner.run(args, fds, depth, &mut begins);
            // A task may have forked: only the original process may write the answer.
            context::leave_if_copy();
            *declared = DECLARED.take().or(*declared);
            ran
        }
        (None, _) => Ran::Arguments("the function is not in this program".to_owned()),
        (_, Err(error)) => Ran::Arguments(error),
    };
    TASK.set("");
    let text = |text: String| Encoded::of_bytes(text.into_bytes());
    let (status, encoded) = match ran {
        Ran::Value { encoded, is_err: false } => (Status::Value, encoded),
        Ran::Value { encoded, is_err: true } => (Status::ValueErr, encoded),
        Ran::App(encoded) => (Status::App, encoded),
        Ran::Arguments(error) => (Status::Arguments, text(error)),
        Ran::Result(error) => (Status::Result, text(error)),
    };
    let written = if encoded.aside.is_empty() { slot.write(*at, status, &encoded.bytes) } else { None };
    let done = match written {
        Some(next) => {
            *at = next;
            slot.finish(which).map(|()| Worked::Finished)
        }
        None => slot.enter(which, Phase::Handing).map(|()| Worked::TooLarge(status, encoded)),
    };
    done.unwrap_or_else(|halt| give_up(halt))
}

/// Begins nothing more. A condemned worker waits until it is killed; a worker whose slot has been written
/// over is not going to be killed, so it panics.
fn give_up(halt: Halt) -> ! {
    assert!(halt == Halt::Condemned, "{OVERWRITTEN}");
    loop {
        std::thread::park_timeout(Duration::from_secs(1));
    }
}

/// Why a worker ended whose shared memory makes no sense.
pub(crate) const OVERWRITTEN: &str =
    "code in this worker has written over the memory that it shares with its pool";

/// How many bytes of this process are resident.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::bounds::DEPTH;
    use crate::pool::worker_context::{declare, here};
    use crate::task::function::TaskFn;

    /// May be run seven times; returns how often the shared memory said so before it ran.
    fn hesitant(_: u8) -> u32 {
        let before = here().unwrap().shared_slots.attempts();
        declare(Some(std::any::type_name_of_val(&hesitant)), 7, 0);
        before
    }

    fn plain(_: u8) -> u32 {
        here().unwrap().shared_slots.attempts()
    }

    #[test]
    fn what_a_function_says_of_itself_is_known_before_its_second_run() {
        let shared_slots = SharedSlots::new().unwrap();
        let setup = Setup {
            pool: "pool".to_owned(),
            index: 0,
            incarnation: 1,
            shared_slots: shared_slots.clone(),
            init: None,
            exit: None,
            limits: Limits::default(),
            soft: None,
            depth: DEPTH,
        };
        let mut worker_loop = WorkerLoop::new(setup).unwrap();
        let functions = [hesitant.function(), plain.function()].map(|function| function.name().unwrap());
        let items = vec![(0, 1), (0, 1), (1, 1), (0, 1)];
        let args = RawValue::of_bytes(vec![0; items.len()]);
        shared_slots.slot(0).open(1, items.len() as u32);
        let answered =
            worker_loop.work(&Batch { serial: 1, slot: 0, functions: functions.into(), items, args });
        assert_eq!(answered.place, 4);
        let (mut at, mut results) = (0, Vec::new());
        for _ in 0..4 {
            at = shared_slots.slot(0).read(at, &mut results).unwrap().1;
        }
        assert_eq!(results, [0, 7, 0, 7]);
    }
}
