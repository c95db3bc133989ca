//! Workers that are threads of this process, for debugging. The API is that of processes: arguments and
//! results are encoded all the same.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::link::Failed;
use super::worker::{Answered, Batch, Setup, WorkerLoop};
use crate::ipc::bounds::with_stack_for;
use crate::ipc::user_code::{self, Thrown};
use crate::reactor::select::Select;
use crate::types::exit::{ExitReason, StoppedBy};

/// A worker that is a thread.
pub(crate) struct ThreadWorker {
    sender: Mutex<Option<Sender<(Batch, Promise)>>>,
    thread: Option<JoinHandle<Option<ExitReason>>>,
    select: Arc<Select>,
}

/// The answer to a batch, filled in by the thread.
#[derive(Clone)]
pub(crate) struct Promise {
    answer: Arc<Mutex<Option<Result<Answered, Failed>>>>,
    select: Arc<Select>,
}

impl ThreadWorker {
    /// Starts a thread, and waits until it has made its state.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn start(setup: Setup, select: &Arc<Select>) -> Result<ThreadWorker, String> {
        let (sender, receiver) = mpsc::channel::<(Batch, Promise)>();
        let (ready, is_ready) = mpsc::channel();
        let name = format!("{}-{}", setup.pool, setup.index);
        let on_end = Ring(Arc::clone(select));
        let depth = setup.depth;
        let run = move || {
            let _on_end = on_end;
            let made = user_code::caught(|| WorkerLoop::new(setup));
            let mut worker_loop = match made.unwrap_or_else(|_| Err("it panicked".to_owned())) {
                Ok(worker_loop) => worker_loop,
                Err(error) => {
                    let _ = ready.send(Err(error));
                    return None;
                }
            };
            let _ = ready.send(Ok(()));
            for (batch, promise) in receiver {
                match user_code::caught(|| worker_loop.work(&batch)) {
                    Ok(answered) => promise.keep(Ok(answered)),
                    Err(payload) => {
                        let reason = panicked(&*payload);
                        promise.keep(Err(Failed::Died(reason.clone())));
                        return Some(reason);
                    }
                }
            }
            worker_loop.leave();
            None
        };
        let thread = thread::Builder::new().name(name).spawn(move || with_stack_for(depth, run));
        let thread = thread.map_err(|error| error.to_string())?;
        is_ready.recv().unwrap_or_else(|_| Err("the thread has ended".to_owned()))?;
        Ok(ThreadWorker {
            sender: Mutex::new(Some(sender)),
            thread: Some(thread),
            select: Arc::clone(select),
        })
    }

    pub(crate) fn send(&self, batch: Batch) -> Promise {
        let promise = Promise { answer: Arc::default(), select: Arc::clone(&self.select) };
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = sender.as_ref().is_some_and(|sender| sender.send((batch, promise.clone())).is_ok());
        if !sent {
            promise.keep(Err(Failed::Died(ExitReason::Stopped(StoppedBy::Ref))));
        }
        promise
    }

    /// Lets the thread end when it has done what it has.
    pub(crate) fn terminate(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) fn ended(&mut self) -> Option<ExitReason> {
        if !self.thread.as_ref()?.is_finished() {
            return None;
        }
        let panicked =
            self.thread.take().and_then(|thread| thread.join().map_err(Thrown::new).ok().flatten());
        Some(panicked.unwrap_or(ExitReason::Stopped(StoppedBy::Ref)))
    }
}

impl Promise {
    fn keep(&self, answer: Result<Answered, Failed>) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.select.ring();
    }

    pub(crate) fn is_done(&self) -> bool {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn take(&self) -> Option<Result<Answered, Failed>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Rings when the thread ends, also by a panic.
struct Ring(Arc<Select>);

impl Drop for Ring {
    fn drop(&mut self) {
        self.0.ring();
    }
}

fn panicked(payload: &(dyn std::any::Any + Send)) -> ExitReason {
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let message = text.unwrap_or_else(|| "a payload that is no text".to_owned());
    ExitReason::Panicked { message, location: String::new(), method: None }
}
