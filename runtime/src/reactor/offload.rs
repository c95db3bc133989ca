//! Work that blocks for a while, done for a future on a thread of the library.
//!
//! Most that is awaited ends with a packet or a death, for which the reactor wakes the future. A start and a
//! stop are a series of system calls and waits in between; they are made on one of a few threads, which start
//! on demand and end when they have been idle for a while. Nothing that may wait for ever is done there: it
//! would keep its thread from others.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::ipc::user_code::{self, Thrown};
use crate::sys::per_process::{COPY, Home, Own};

/// How many threads there are at most; further work waits in line.
const MOST: usize = 32;

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

static THREADS: Own<Threads> = Own::new();

#[derive(Default)]
struct Threads {
    inner: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    idle: usize,
    all: usize,
}

impl Threads {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `job` run soon.
    ///
    /// # Errors
    /// If there is no thread and none can be started; with the job.
    fn run(&'static self, job: Job) -> Result<(), (io::Error, Job)> {
        let mut line = self.lock();
        if line.jobs.len() < line.idle {
            self.changed.notify_one();
        } else if line.all < MOST {
            match thread::Builder::new().name("phalanx-async".into()).spawn(move || self.serve()) {
                Ok(_) => line.all += 1,
                Err(error) if line.all == 0 => return Err((error, job)),
                // One of the others does it.
                Err(_) => {}
            }
        }
        line.jobs.push_back(job);
        Ok(())
    }

    /// Takes jobs until none has come for a while.
    fn serve(&self) {
        let mut line = self.lock();
        loop {
            let Some(job) = line.jobs.pop_front() else {
                line.idle += 1;
                let (woken, waited) =
                    self.changed.wait_timeout(line, IDLE).unwrap_or_else(PoisonError::into_inner);
                line = woken;
                line.idle -= 1;
                if waited.timed_out() && line.jobs.is_empty() {
                    line.all -= 1;
                    return;
                }
                continue;
            };
            drop(line);
            user_code::call("work for a future", job);
            line = self.lock();
        }
    }
}

/// The future of work that one of the threads does. The work begins when the future is first polled.
///
/// If the future is dropped before a thread has begun the work, nothing is done. If it is dropped later, what the
/// work has made, or will have made, is undone.
pub(crate) struct Offloaded<T: Send + 'static> {
    state: State<T>,
    /// The process whose thread does the work.
    home: Home,
}

enum State<T> {
    New {
        work: Box<dyn FnOnce() -> T + Send>,
        /// `None`: an order, which stands once it is given.
        undo: Option<Undo<T>>,
    },
    Begun(Arc<Shared<T>>),
    Over,
}

type Undo<T> = Box<dyn FnOnce(T) + Send>;

struct Shared<T>(Mutex<Slot<T>>);

enum Slot<T> {
    Pending {
        waker: Waker,
        undo: Undo<T>,
    },
    Done {
        value: Result<T, Thrown>,
        undo: Undo<T>,
    },
    /// The future is gone.
    Unwanted(Undo<T>),
    Over,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Slot<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_wanted(&self) -> bool {
        !matches!(*self.lock(), Slot::Unwanted(_))
    }

    /// Hands the value over, or undoes what no future waits for any more.
    fn complete(&self, value: Result<T, Thrown>) {
        let mut slot = self.lock();
        match mem::replace(&mut *slot, Slot::Over) {
            Slot::Pending { waker, undo } => {
                *slot = Slot::Done { value, undo };
                drop(slot);
                user_code::call("a waker", || waker.wake());
            }
            Slot::Unwanted(undo) => {
                drop(slot);
                if let Ok(value) = value {
                    undo(value);
                }
            }
            Slot::Done { .. } | Slot::Over => {}
        }
    }
}

/// Has `work` done when the future is polled; `undo` is given what it made if the future is dropped.
pub(crate) fn offload<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    undo: impl FnOnce(T) + Send + 'static,
) -> Offloaded<T> {
    Offloaded { state: State::New { work: Box::new(work), undo: Some(Box::new(undo)) }, home: Home::here() }
}

/// Has `work` done when the future is polled, also if the future is dropped right after that.
pub(crate) fn offload_order<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Offloaded<T> {
    Offloaded { state: State::New { work: Box::new(work), undo: None }, home: Home::here() }
}

impl<T: Send + 'static> Offloaded<T> {
    fn begin(
        work: Box<dyn FnOnce() -> T + Send>,
        undo: Option<Undo<T>>,
        waker: &Waker,
    ) -> io::Result<Arc<Shared<T>>> {
        let is_order = undo.is_none();
        let undo = undo.unwrap_or_else(|| Box::new(drop));
        let shared = Arc::new(Shared(Mutex::new(Slot::Pending { waker: waker.clone(), undo })));
        let its = Arc::clone(&shared);
        let job = move || {
            if is_order || its.is_wanted() {
                its.complete(user_code::caught(work));
            }
        };
        THREADS.here().run(Box::new(job)).map_err(|(error, _)| error)?;
        Ok(shared)
    }
}

impl<T: Send + 'static> Unpin for Offloaded<T> {}

/// Fails if no thread can be started, and in a copy of the process in which the work was begun.
impl<T: Send + 'static> Future for Offloaded<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let shared = match mem::replace(&mut self.state, State::Over) {
            State::New { work, undo } => {
                self.home = Home::here();
                match Self::begin(work, undo, context.waker()) {
                    Ok(shared) => self.state = State::Begun(shared),
                    Err(error) => return Poll::Ready(Err(error)),
                }
                return Poll::Pending;
            }
            State::Begun(shared) if self.home.is_here() => shared,
            State::Begun(_) | State::Over => return Poll::Ready(Err(io::Error::other(COPY))),
        };
        // Cloned and dropped without the lock: both run code of the executor.
        let mut kept = context.waker().clone();
        let mut slot = shared.lock();
        if let Slot::Pending { waker, .. } = &mut *slot {
            mem::swap(waker, &mut kept);
            drop(slot);
            self.state = State::Begun(shared);
            return Poll::Pending;
        }
        let done = mem::replace(&mut *slot, Slot::Over);
        drop(slot);
        match done {
            Slot::Done { value: Ok(value), .. } => Poll::Ready(Ok(value)),
            Slot::Done { value: Err(thrown), .. } => thrown.again(),
            _ => Poll::Ready(Err(io::Error::other("the work was given up"))),
        }
    }
}

impl<T: Send + 'static> Drop for Offloaded<T> {
    fn drop(&mut self) {
        let State::Begun(shared) = &self.state else { return };
        if !self.home.is_here() {
            return;
        }
        let mut slot = shared.lock();
        match mem::replace(&mut *slot, Slot::Over) {
            Slot::Pending { waker, undo } => {
                *slot = Slot::Unwanted(undo);
                drop(slot);
                drop(waker);
            }
            Slot::Done { value: Ok(value), undo } => {
                drop(slot);
                soon(move || undo(value));
            }
            _ => {}
        }
    }
}

/// Has `job` done by one of the threads, for no future; here, if no thread can be started.
pub(crate) fn soon(job: impl FnOnce() + Send + 'static) {
    if let Err((_, job)) = THREADS.here().run(Box::new(job)) {
        job();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::task::Wake;

    use super::*;

    /// Longer than any of these waits takes on a busy machine.
    const LONG: Duration = Duration::from_secs(60);

    struct Told(mpsc::Sender<()>);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    fn poll<T: Send + 'static>(future: &mut Offloaded<T>, waker: &Waker) -> Poll<io::Result<T>> {
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn work_is_done_by_another_thread_and_wakes_the_future() {
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Told(sender)));
        let mut future = offload(|| thread::current().id(), |_| {});
        assert!(poll(&mut future, &waker).is_pending());
        woken.recv_timeout(LONG).unwrap();
        let Poll::Ready(Ok(id)) = poll(&mut future, &waker) else { panic!("it is done") };
        assert_ne!(id, thread::current().id());
    }

    #[test]
    fn what_no_future_waits_for_is_undone_and_what_was_never_polled_is_not_begun() {
        let (go_on, gate) = mpsc::channel::<()>();
        let (sender, undone) = mpsc::channel();
        let (begin, begun) = mpsc::channel();
        let work = move || {
            let _ = begin.send(());
            let _ = gate.recv_timeout(LONG);
            7
        };
        let mut future = offload(work, move |made| sender.send(made).unwrap_or_default());
        assert!(poll(&mut future, Waker::noop()).is_pending());
        begun.recv_timeout(LONG).unwrap();
        drop(future);
        go_on.send(()).unwrap();
        assert_eq!(undone.recv_timeout(LONG), Ok(7));
        drop(offload(|| unreachable!("it is not polled"), |_: u8| {}));
    }

    #[test]
    fn an_order_that_was_polled_is_carried_out_without_its_future() {
        let (sender, carried_out) = mpsc::channel();
        for number in 0..2 * MOST {
            let sender = sender.clone();
            let mut order = offload_order(move || sender.send(number));
            assert!(poll(&mut order, Waker::noop()).is_pending());
        }
        let mut seen: Vec<_> = (0..2 * MOST).map(|_| carried_out.recv_timeout(LONG).unwrap()).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..2 * MOST));
    }

    #[test]
    fn work_that_panics_panics_where_it_is_awaited() {
        let (sender, woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Told(sender)));
        let mut future = offload(|| panic!("on purpose"), |()| {});
        assert!(poll(&mut future, &waker).is_pending());
        woken.recv_timeout(LONG).unwrap();
        assert!(user_code::caught(|| poll(&mut future, &waker)).is_err());
    }
}
