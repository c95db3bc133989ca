//! What code in a worker can know of the worker and say to it: its place, its state, and whether its task is
//! still wanted.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::shared_slots::SharedSlots;
use crate::reactor::select::clock;
use crate::types::escape::escaped;

pub(super) static HERE: OnceLock<Arc<Here>> = OnceLock::new();

thread_local! {
    /// That of a worker that is a thread.
    pub(super) static HERE_ON_THREAD: RefCell<Option<Arc<Here>>> = const { RefCell::new(None) };
    pub(super) static STATE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
    /// The path of the function whose call has just begun.
    pub(super) static TASK: Cell<&'static str> = const { Cell::new("") };
    /// What that function has declared.
    pub(super) static DECLARED: Cell<Option<Declared>> = const { Cell::new(None) };
}

/// What a function declares when it begins: how often it may be run, and how many nanoseconds it may take (0:
/// no limit). It declares the same each time.
#[derive(Clone, Copy)]
pub(super) struct Declared {
    pub(super) attempts: u32,
    pub(super) deadline: u64,
}

pub(super) struct Here {
    pub(super) pool: String,
    pub(super) index: usize,
    pub(super) incarnation: u64,
    pub(super) shared_slots: SharedSlots,
    pub(super) soft: Option<Duration>,
    pub(super) item: AtomicU64,
}

pub(super) fn here() -> Option<Arc<Here>> {
    let on_thread = HERE_ON_THREAD.try_with(|here| here.borrow().clone()).ok().flatten();
    on_thread.or_else(|| HERE.get().cloned())
}

/// Returns the pool's worker in which this code runs; `None` elsewhere.
///
/// ```
/// # use phalanx::Pool;
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let index = pool.run(|| phalanx::pool::worker().map(|worker| worker.index()), ())?;
/// assert!(index.is_some_and(|index| index < 2));
/// assert!(phalanx::pool::worker().is_none()); // this is the program itself
/// # Ok(())
/// # }
/// ```
pub fn worker() -> Option<WorkerContext> {
    here().map(WorkerContext)
}

/// What a task can know of its worker: see [`worker`].
pub struct WorkerContext(Arc<Here>);

impl WorkerContext {
    /// The place of the worker in its pool, from 0. A process that replaces it has the same place, so it can
    /// stand for a device, a port, a core.
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// How many processes have had this place, this one included.
    pub fn incarnation(&self) -> u64 {
        self.0.incarnation
    }

    /// The name of the pool.
    pub fn pool(&self) -> &str {
        &self.0.pool
    }

    /// Whether the task in progress is no longer wanted: it is over its soft deadline, or its pool is being
    /// aborted. A task that checks this now and then can end by itself before it is killed.
    pub fn is_cancelled(&self) -> bool {
        let item = self.0.item.load(Ordering::Relaxed);
        let late =
            |soft: Duration| clock().saturating_sub(self.0.shared_slots.since()) >= soft.as_nanos() as u64;
        item != 0 && (self.0.shared_slots.cancelled() == item || self.0.soft.is_some_and(late))
    }
}

impl std::fmt::Debug for WorkerContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        escaped(f, |f| {
            let Here { pool, index, incarnation, .. } = &*self.0;
            write!(f, "WorkerContext({pool}, {index}, incarnation {incarnation})")
        })
    }
}

/// Lends the state that [`init`](crate::pool::PoolBuilder::init) has made in this worker to `use_it`.
///
/// ```
/// # use phalanx::{Pool, pool};
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
/// let pool = Pool::builder().workers(1).init(words, "zero one two".to_owned()).build()?;
/// let word = |n: usize| pool::state(|words: &mut Vec<String>| words[n].clone());
/// assert_eq!(pool.run(word, 2)?, "two");
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Outside of a worker's main thread, in a pool without `init`, and if the state has another type.
pub fn state<S: 'static, R>(use_it: impl FnOnce(&mut S) -> R) -> R {
    STATE.with_borrow_mut(|state| match state.as_mut().and_then(|state| state.downcast_mut()) {
        Some(state) => use_it(state),
        None => panic!("this worker has no state of the type {}", std::any::type_name::<S>()),
    })
}

/// The task in progress declares how often it may be run, and how many nanoseconds it may take (0: no limit),
/// if it is the function of this path. `None` is any function.
pub(crate) fn declare(path: Option<&str>, attempts: u32, deadline: u64) {
    let in_progress = TASK.get();
    if !in_progress.is_empty()
        && path.is_none_or(|path| path == in_progress)
        && let Some(here) = here()
    {
        TASK.set("");
        DECLARED.set(Some(Declared { attempts, deadline }));
        here.shared_slots.declare(attempts, deadline);
    }
}
