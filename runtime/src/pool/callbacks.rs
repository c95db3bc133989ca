//! The thread that runs callbacks of the user: `on_done`, `on_progress`. The dispatcher's thread runs none of
//! them.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::insights::Tally;
use super::progress::{OnProgress, Progress};
use crate::ipc::user_code::{self, Thrown};

/// How often progress is reported, at most.
const EVERY: Duration = Duration::from_millis(50);

type Call = Box<dyn FnOnce() + Send>;

/// See the [module](self). Its thread starts with the first call.
pub(crate) struct Callbacks {
    pool: String,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    thread: Option<(Sender<Call>, JoinHandle<()>)>,
    on_progress: Option<OnProgress>,
    reported: Option<Instant>,
    finished: bool,
}

impl Callbacks {
    pub(crate) fn new(pool: String) -> Callbacks {
        Callbacks { pool, inner: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report_to(&self, on_progress: OnProgress) {
        self.lock().on_progress = Some(on_progress);
    }

    /// Runs `call` soon, after those before it. A panic in it is logged.
    pub(crate) fn call(&self, call: Call) {
        let left = self.hand_over(&mut self.lock(), call);
        if let Some(call) = left {
            contained(&self.pool, call);
        }
    }

    /// Gives `call` to the thread. Returns it if there is none: the pool is over, or no thread could be
    /// started.
    fn hand_over(&self, inner: &mut Inner, call: Call) -> Option<Call> {
        if inner.thread.is_none() && !inner.finished {
            let (sender, receiver) = mpsc::channel::<Call>();
            let pool = self.pool.clone();
            let thread = std::thread::Builder::new().name("phalanx-done".to_owned());
            let thread = thread.spawn(move || receiver.into_iter().for_each(|call| contained(&pool, call)));
            inner.thread = thread.ok().map(|thread| (sender, thread));
        }
        match &inner.thread {
            Some((sender, _)) => sender.send(call).err().map(|error| error.0),
            None => Some(call),
        }
    }

    /// Some tasks are done.
    pub(crate) fn progress(&self, tally: &Tally) {
        let mut inner = self.lock();
        let Some(on_progress) = inner.on_progress.clone() else { return };
        let now = Instant::now();
        let done = tally.done();
        let is_all = done == tally.submitted.load(Ordering::Relaxed);
        if !is_all && inner.reported.is_some_and(|last| now - last < EVERY) {
            return;
        }
        inner.reported = Some(now);
        let progress = Progress::of(tally, false);
        drop(self.hand_over(&mut inner, Box::new(move || on_progress.tell(&progress))));
    }

    /// Waits until all calls have been run.
    pub(crate) fn finish(&self, tally: &Tally) {
        let mut inner = self.lock();
        if let Some(on_progress) = inner.on_progress.take() {
            let progress = Progress::of(tally, true);
            drop(self.hand_over(&mut inner, Box::new(move || on_progress.tell(&progress))));
        }
        inner.finished = true;
        let thread = inner.thread.take();
        drop(inner);
        if let Some((sender, thread)) = thread {
            drop(sender);
            let _ = thread.join().map_err(Thrown::new);
        }
    }
}

thread_local! {
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread runs a callback of some pool. Such a callback must not wait for the end of its pool,
/// which waits for it.
pub(crate) fn is_running_one() -> bool {
    HERE.get()
}

fn contained(pool: &str, call: Call) {
    let before = HERE.replace(true);
    let done = user_code::call("a callback", call);
    HERE.set(before);
    if done.is_none() {
        user_code::call("a subscriber", || tracing::error!(pool, "a callback of the pool panicked"));
    }
}
