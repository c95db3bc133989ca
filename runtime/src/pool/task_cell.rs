//! The shared state of a task: its outcome, the callers that wait for it, and its callbacks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use super::dispatcher::Dispatcher;
use super::error::{Border, TaskAt, TaskError, WorkerAt};
use super::job::{Outcome, Sink, failed};
use super::shared_slots::Status;
use super::watch::Watch;
use crate::ipc::codec::Portable;
use crate::ipc::user_code;
use crate::sys::per_process::{COPY, Home, Own};
use crate::types::error::Never;

/// Receives the outcome of one task.
pub(crate) struct Cell {
    inner: Mutex<Inner>,
    home: Home,
    /// The state in a forked copy of the process that waits for it.
    copied: Own<Copied>,
    pub(super) changed: Condvar,
    pub(super) dispatcher: Weak<Dispatcher>,
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    /// How deep its result may be.
    depth: u32,
}

struct Copied(Mutex<Inner>);

impl Default for Copied {
    fn default() -> Self {
        let state = State::Done(Arc::new(Outcome::Unreachable(COPY.to_owned())));
        Copied(Mutex::new(Inner { state, ..Inner::default() }))
    }
}

pub(super) type Callback = Box<dyn FnOnce(&Cell, &Outcome) + Send>;

#[derive(Default)]
pub(super) struct Inner {
    pub(super) state: State,
    pub(super) waiting: usize,
    pub(super) waker: Option<Waker>,
    /// Callers that wait for the first of several tasks.
    watchers: Vec<Arc<Watch>>,
    pub(super) callbacks: Vec<Callback>,
    /// The [`TaskHandle`](super::TaskHandle) was dropped: no caller can ask for the result any more.
    pub(super) dropped: bool,
    /// Its error has been counted as unread.
    pub(super) noted: bool,
}

#[derive(Default)]
pub(super) enum State {
    #[default]
    Queued,
    /// A worker has it, or will get it.
    Sent,
    Done(Arc<Outcome>),
    Taken,
}

impl Cell {
    pub(crate) fn new(dispatcher: &Arc<Dispatcher>, number: u64, name: &'static str) -> Arc<Cell> {
        let (inner, changed) = (Mutex::default(), Condvar::new());
        let (home, copied) = (Home::here(), Own::new());
        let depth = dispatcher.options.depth;
        Arc::new(Cell {
            inner,
            home,
            copied,
            changed,
            dispatcher: Arc::downgrade(dispatcher),
            number,
            name,
            depth,
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        let inner = if self.home.is_here() { &self.inner } else { &self.copied.here().0 };
        inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn at(&self, worker: Option<&Arc<WorkerAt>>) -> TaskAt {
        TaskAt::new(self.name, self.number, None, worker)
    }

    /// Stores the outcome; returns whether there was none before.
    pub(crate) fn complete(self: &Arc<Cell>, outcome: Outcome) -> bool {
        let mut inner = self.lock();
        if matches!(inner.state, State::Done(_) | State::Taken) {
            return false;
        }
        let outcome = Arc::new(outcome);
        inner.state = State::Done(Arc::clone(&outcome));
        let callbacks = std::mem::take(&mut inner.callbacks);
        let ordered = matches!(*outcome, Outcome::Cancelled(_) | Outcome::Closed);
        let mut unread = false;
        if outcome.is_error() && !ordered && callbacks.is_empty() {
            if let Some(dispatcher) = self.dispatcher.upgrade() {
                dispatcher.tally.note_error(self.number, || self.describe(&outcome));
                inner.noted = true;
            }
            unread = inner.dropped;
        }
        let (waiting, waker) = (inner.waiting, inner.waker.take());
        let watchers = std::mem::take(&mut inner.watchers);
        drop(inner);
        if waiting > 0 {
            self.changed.notify_all();
        }
        watchers.iter().for_each(|watch| watch.bump());
        callbacks.into_iter().for_each(|callback| self.run_soon(callback, Arc::clone(&outcome)));
        if let Some(waker) = waker {
            user_code::call("a waker", || waker.wake());
        }
        if unread {
            self.log_unread(&outcome);
        }
        true
    }

    pub(super) fn log_unread(&self, outcome: &Outcome) {
        user_code::call("a subscriber", || {
            tracing::error!(error = self.describe(outcome), "unread task error");
        });
    }

    fn describe(&self, outcome: &Outcome) -> String {
        match failure::<Never>(self, outcome) {
            Some(error) => error.to_string(),
            None => format!("{}: it returned an error of its own", self.at(None)),
        }
    }

    pub(super) fn run_soon(self: &Arc<Cell>, callback: Callback, outcome: Arc<Outcome>) {
        let cell = Arc::clone(self);
        let call = move || callback(&cell, &outcome);
        match self.dispatcher.upgrade() {
            Some(dispatcher) => dispatcher.callbacks.call(Box::new(call)),
            None => call(),
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.lock().state, State::Done(_) | State::Taken)
    }

    pub(crate) fn unwatch(&self, watch: &Arc<Watch>) {
        self.lock().watchers.retain(|other| !Arc::ptr_eq(other, watch));
    }

    /// Has `watch` count this task when it is done; returns whether it is done already.
    pub(crate) fn watch(&self, watch: &Arc<Watch>) -> bool {
        let mut inner = self.lock();
        let done = matches!(inner.state, State::Done(_) | State::Taken);
        if !done {
            inner.watchers.push(Arc::clone(watch));
        }
        done
    }

    pub(crate) fn is_error(&self) -> bool {
        matches!(&self.lock().state, State::Done(outcome) if outcome.is_error())
    }

    pub(super) fn sink(self: &Arc<Cell>) -> Arc<dyn Sink> {
        Arc::clone(self) as Arc<dyn Sink>
    }

    pub(super) fn note_read(&self, inner: &mut Inner) {
        if std::mem::take(&mut inner.noted)
            && let Some(dispatcher) = self.dispatcher.upgrade()
        {
            dispatcher.tally.note_read(self.number);
        }
    }
}

impl Sink for Cell {
    fn claim(&self, _: u64) -> bool {
        let mut inner = self.lock();
        let wanted = matches!(inner.state, State::Queued);
        if wanted {
            inner.state = State::Sent;
        }
        wanted
    }

    fn unclaim(&self, _: u64) {
        let mut inner = self.lock();
        if matches!(inner.state, State::Sent) {
            inner.state = State::Queued;
        }
    }

    fn deliver(self: Arc<Self>, _: u64, outcome: Outcome) -> bool {
        self.complete(outcome)
    }
}

/// Decodes an outcome for the caller.
pub(super) fn read<T: Portable, E: Portable>(cell: &Cell, outcome: &Outcome) -> Result<T, TaskError<E>> {
    if let Some(error) = failure(cell, outcome) {
        return Err(error);
    }
    let Outcome::Answer(status, raw_value, worker) = outcome else {
        return Err(TaskError::Timeout(cell.at(None)));
    };
    let codec = |error| TaskError::Codec(Border::DecodeResult, error, cell.at(Some(worker)));
    match status {
        Status::App => {
            let app = |error| TaskError::App(error, cell.at(Some(worker)));
            Err(raw_value.open::<E>(cell.depth).map_or_else(codec, app))
        }
        _ => raw_value.open::<T>(cell.depth).map_err(codec),
    }
}

/// The error of an outcome that is neither a value nor the task's own error.
fn failure<E>(cell: &Cell, outcome: &Outcome) -> Option<TaskError<E>> {
    failed(outcome, |worker| cell.at(worker))
}
