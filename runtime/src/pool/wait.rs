//! Several tasks together: in the order in which they are done, and waiting for one, for all, or for the
//! first error.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::task::TaskHandle;
use super::watch::Watch;
use crate::reactor::select::later;

/// How many of several tasks to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Until {
    /// One that is done.
    Any,
    /// All of them.
    All,
    /// One that has an error, or all of them.
    FirstError,
}

/// Which of several tasks are done, by their places in the input. Each task counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Waited {
    /// Those that are done.
    pub done: Vec<usize>,
    /// Those that are not done.
    pub pending: Vec<usize>,
}

/// Blocks until one, all, or the first with an error of these tasks is done, or `limit` is over. Returns
/// which are done and which are not (Python's `concurrent.futures.wait`). A task that is given twice counts
/// once. Takes no result.
///
/// ```
/// use phalanx::Pool;
/// use phalanx::pool::{Until, wait};
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let tasks = [3, 4].map(|n| pool.submit(|n: u64| n * n, n));
/// assert_eq!(wait(&tasks, Until::All, None).done, [0, 1]);
/// # Ok(())
/// # }
/// ```
pub fn wait<'a, T: 'a, E: 'a>(
    tasks: impl IntoIterator<Item = &'a TaskHandle<T, E>>,
    until: Until,
    limit: Option<Duration>,
) -> Waited {
    let deadline = limit.map(|limit| later(Instant::now(), limit));
    let mut cells = Vec::new();
    for (place, task) in tasks.into_iter().enumerate() {
        if !cells.iter().any(|(_, cell)| Arc::ptr_eq(cell, &task.cell)) {
            cells.push((place, Arc::clone(&task.cell)));
        }
    }
    let watch = Arc::new(Watch::default());
    let watched: Vec<_> = cells.iter().filter(|(_, cell)| !cell.watch(&watch)).collect();
    loop {
        let seen = watch.count();
        let done = cells.iter().filter(|(_, cell)| !is_pending(cell)).count();
        let enough = match until {
            Until::Any => done > 0,
            Until::All => false,
            Until::FirstError => cells.iter().any(|(_, cell)| cell.is_error()),
        };
        if enough || done == cells.len() || !watch.wait(seen, deadline) {
            break;
        }
    }
    watched.iter().for_each(|(_, cell)| cell.unwatch(&watch));
    let mut waited = Waited::default();
    for (place, cell) in &cells {
        if is_pending(cell) { waited.pending.push(*place) } else { waited.done.push(*place) }
    }
    waited
}

fn is_pending(cell: &super::task_cell::Cell) -> bool {
    !cell.is_done()
}

/// Returns these tasks in the order in which they are done, each once (Python's `as_completed`). The iterator
/// blocks until the next one is done.
///
/// ```
/// use phalanx::Pool;
/// use phalanx::pool::as_completed;
/// use std::time::Duration;
///
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let pool = Pool::builder().workers(2).build()?;
/// let nap = |millis: u64| {
///     std::thread::sleep(Duration::from_millis(millis));
///     millis
/// };
/// let tasks = [300, 1].map(|millis| pool.submit(nap, millis));
/// let order: Result<Vec<u64>, _> = as_completed(tasks).map(|task| task.wait()).collect();
/// assert_eq!(order?, [1, 300]);
/// # Ok(())
/// # }
/// ```
pub fn as_completed<T, E>(tasks: impl IntoIterator<Item = TaskHandle<T, E>>) -> AsCompleted<T, E> {
    AsCompleted { tasks: tasks.into_iter().collect(), watch: Arc::default(), watching: false, deadline: None }
}

/// See [`as_completed`].
#[must_use = "an iterator is lazy: it waits for no task until it is advanced"]
#[derive(Debug)]
pub struct AsCompleted<T, E> {
    tasks: Vec<TaskHandle<T, E>>,
    watch: Arc<Watch>,
    watching: bool,
    deadline: Option<Instant>,
}

impl<T, E> AsCompleted<T, E> {
    /// Ends the iterator when this much time has passed from now on; [`into_rest`](Self::into_rest) returns
    /// the tasks that are not done by then.
    pub fn within(mut self, limit: Duration) -> Self {
        self.deadline = Some(later(Instant::now(), limit));
        self
    }

    /// The tasks that the iterator has not returned.
    pub fn into_rest(self) -> Vec<TaskHandle<T, E>> {
        self.tasks
    }
}

impl<T, E> Iterator for AsCompleted<T, E> {
    type Item = TaskHandle<T, E>;

    fn next(&mut self) -> Option<TaskHandle<T, E>> {
        if !std::mem::replace(&mut self.watching, true) {
            for task in &self.tasks {
                task.cell.watch(&self.watch);
            }
        }
        while !self.tasks.is_empty() {
            let seen = self.watch.count();
            if let Some(place) = self.tasks.iter().position(TaskHandle::is_done) {
                return Some(self.tasks.remove(place));
            }
            if !self.watch.wait(seen, self.deadline) {
                return None;
            }
        }
        None
    }
}
