//! How a pool reaches a worker and ends it: an actor in a process, or a thread.

use std::task::Waker;
use std::time::Duration;

use super::in_process::{Promise, ThreadWorker};
use super::worker::{Answered, Batch, Worker};
use crate::actor::actor_ref::ActorRef;
use crate::actor::reply::Reply;
use crate::reactor::monitor::Monitor;
use crate::types::error::CallError;
use crate::types::exit::{ExitReason, StoppedBy};

/// A batch has no time limit: it ends with an answer or a death.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The connection to a worker.
pub(crate) enum Link {
    Process(Box<(ActorRef<Worker>, Monitor)>),
    Thread(ThreadWorker),
}

/// The pending answer to a batch.
pub(super) enum Pending {
    Process(Reply<Answered>),
    Thread(Promise),
}

/// Why a batch has no answer.
pub(crate) enum Failed {
    Died(ExitReason),
    /// The batch was not sent.
    Unsent(String),
}

impl Link {
    pub(super) fn send(&self, batch: Batch) -> Pending {
        match self {
            Link::Process(process) => Pending::Process(process.0.within(FOR_EVER).work(batch)),
            Link::Thread(thread_worker) => Pending::Thread(thread_worker.send(batch)),
        }
    }

    /// Has `waker` woken when the worker ends; returns whether it has ended already.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        match self {
            Link::Process(process) => process.1.watch(waker),
            Link::Thread(_) => false,
        }
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitReason> {
        match self {
            Link::Process(process) => process.1.handed_out().map(|down| down.reason),
            Link::Thread(thread_worker) => thread_worker.ended(),
        }
    }

    /// Asks the worker to end after the item in progress.
    pub(crate) fn terminate(&self) {
        match self {
            // A worker that is gone needs no asking.
            Link::Process(process) => drop(process.0.terminate()),
            Link::Thread(thread_worker) => thread_worker.terminate(),
        }
    }

    pub(crate) fn kill(&self) {
        match self {
            Link::Process(process) => drop(process.0.kill()),
            Link::Thread(thread_worker) => thread_worker.terminate(),
        }
    }
}

impl Pending {
    pub(super) fn watch(&self, waker: &Waker) -> bool {
        match self {
            Pending::Process(reply) => reply.watch(waker),
            Pending::Thread(promise) => promise.is_done(),
        }
    }

    pub(super) fn take(&mut self) -> Option<Result<Answered, Failed>> {
        let answer = match self {
            Pending::Process(reply) => reply.handed_out()?,
            Pending::Thread(promise) => return promise.take(),
        };
        Some(answer.map_err(|error| match error {
            CallError::Died(reason, _) => Failed::Died(reason),
            CallError::Stopped(_) => Failed::Died(ExitReason::Stopped(StoppedBy::Ref)),
            CallError::Gone(at) => Failed::Died(at.ended().cloned().unwrap_or(ExitReason::SupervisorDied)),
            error => Failed::Unsent(error.to_string()),
        }))
    }
}
