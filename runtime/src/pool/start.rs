//! How a pool and its workers start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::builder::{Init, Options};
use super::dispatcher::Dispatcher;
use super::error::{PoolError, WorkerAt};
use super::in_process::ThreadWorker;
use super::link::Link;
use super::schedule::Schedule;
use super::shared_slots::SharedSlots;
use super::worker::{Setup, Worker};
use super::worker_handle::WorkerHandle;
use crate::actor::actor_ref::ActorRef;
use crate::actor::builder::ActorBuilder;
use crate::ipc::user_code::Thrown;
use crate::policy::Restart;
use crate::supervision::{Preload, Supervisor};
use crate::types::error::SpawnError;
use crate::types::exit::ExitReason;

/// How many messages a worker's mailbox takes: two batches, and messages of the runtime.
const MAILBOX: u32 = 8;

impl Dispatcher {
    /// Starts a pool with its first workers, all at the same time.
    ///
    /// # Errors
    /// If one of them could not be started; then no worker is left.
    pub(super) fn open(options: Options, preload: Option<Preload>) -> Result<Arc<Dispatcher>, SpawnError> {
        let supervisor = if options.in_process {
            None
        } else {
            // It restarts no worker: the pool starts and ends them, because it knows what they died of.
            let supervisor = Supervisor::dynamic().name(options.name.clone()).daemon(options.daemon);
            let mut supervisor =
                supervisor.restart(Restart::Permanent).own_intensity(5, Duration::from_secs(10));
            preload.into_iter().for_each(|preload| supervisor.set_preload(preload));
            Some(supervisor.start()?)
        };
        let dispatcher = Arc::new(Dispatcher::new(options, supervisor));
        let started = dispatcher.start_first();
        let name = dispatcher.options.name.clone();
        let thread = started.and_then(|()| {
            let running = Arc::clone(&dispatcher);
            let thread = std::thread::Builder::new().name("phalanx-pool".to_owned());
            let io = |error: std::io::Error| SpawnError::Io { actor: name, error: error.to_string() };
            thread.spawn(move || running.run()).map_err(io)
        });
        match thread {
            Ok(_) => {
                super::register(&dispatcher);
                Ok(dispatcher)
            }
            Err(error) => {
                dispatcher.give_up();
                Err(error)
            }
        }
    }

    fn start_first(self: &Arc<Dispatcher>) -> Result<(), SpawnError> {
        let indices = 0..self.options.min;
        let started: Vec<Result<WorkerHandle, SpawnError>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                indices.map(|index| scope.spawn(move || self.start_worker(index, 1))).collect();
            let gone = || SpawnError::Io { actor: self.options.name.clone(), error: "no thread".to_owned() };
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(Thrown::new).unwrap_or_else(|_| Err(gone())))
                .collect()
        });
        let handles: Vec<WorkerHandle> = started.into_iter().collect::<Result<_, _>>()?;
        for (index, handle) in handles.into_iter().enumerate() {
            self.lock().count_start(index);
            self.finish_start(index, Ok(handle));
        }
        Ok(())
    }

    /// Starts workers: as many as are missing, or as would have something to do.
    pub(super) fn start_missing(self: &Arc<Dispatcher>, schedule: &mut Schedule, now: Instant) {
        for _ in 0..schedule.due_starts(now) {
            let Some((index, incarnation)) = schedule.begin_start() else { return };
            let dispatcher = Arc::clone(self);
            let starter = std::thread::Builder::new().name("phalanx-start".to_owned());
            let spawned = starter.spawn(move || {
                let started = dispatcher.start_worker(index, incarnation);
                dispatcher.finish_start(index, started);
            });
            if let Err(error) = spawned {
                schedule.end_start(index);
                let actor = self.options.worker_name(index);
                self.note_failure(schedule, SpawnError::Io { actor, error: error.to_string() });
                return;
            }
        }
    }

    /// A start has ended, with a worker or an error.
    fn finish_start(&self, index: usize, started: Result<WorkerHandle, SpawnError>) {
        let mut schedule = self.lock();
        schedule.end_start(index);
        match started {
            Ok(handle) if schedule.is_shutting_down() => handle.link.kill(),
            Ok(handle) => {
                let waker = self.select.waker();
                handle.link.watch(&waker);
                schedule.seat(index, handle);
                self.dispatch(&mut schedule);
            }
            Err(error) => self.note_failure(&mut schedule, error),
        }
        drop(schedule);
        self.select.ring();
    }

    fn note_failure(&self, schedule: &mut Schedule, error: SpawnError) {
        if schedule.is_cut_off() || schedule.is_shutting_down() {
            return;
        }
        let (pool, why) = (self.options.name.clone(), error.to_string());
        schedule.log(move || tracing::error!(pool, error = %why, "worker not started"));
        if let Some(failures) = schedule.note_failure(Instant::now()) {
            let pool = self.options.name.clone();
            self.break_down(schedule, PoolError::CannotStart { pool, failures, cause: Box::new(error) });
        }
    }

    /// Starts one worker, and waits until it is ready.
    fn start_worker(&self, index: usize, incarnation: u64) -> Result<WorkerHandle, SpawnError> {
        let begun = Instant::now();
        let name = self.options.worker_name(index);
        let io = |error: String| SpawnError::Io { actor: name.clone(), error };
        let shared_slots = SharedSlots::new().map_err(|error| io(error.to_string()))?;
        let missing = || SpawnError::NotInExecutable { actor: name.clone() };
        let init = match &self.options.init {
            Some(Init { function, args: Ok((args, _)) }) => {
                Some((function.name().ok_or_else(missing)?, args.clone()))
            }
            _ => None,
        };
        let exit = self.options.exit.map(|function| function.name().ok_or_else(missing)).transpose()?;
        let setup = Setup {
            pool: self.options.name.clone(),
            index,
            incarnation,
            shared_slots: shared_slots.clone(),
            init,
            exit,
            limits: self.options.limits,
            soft: self.options.soft,
            depth: self.options.depth,
        };
        let (link, pid) = match &self.supervisor {
            None => {
                let failed = |error| SpawnError::InitFailed { actor: name.clone(), error };
                let thread_worker = ThreadWorker::start(setup, &self.select).map_err(failed)?;
                (Link::Thread(thread_worker), std::process::id())
            }
            Some(supervisor) => {
                let mut builder = ActorBuilder::<Worker>::new(&(setup,))
                    .name(name.clone())
                    .mailbox(MAILBOX)
                    .depth(self.options.depth)
                    .restart(Restart::Temporary)
                    .shutdown(self.options.grace);
                if let Some(limit) = self.options.start_timeout {
                    builder = builder.start_timeout(limit);
                }
                if let Some(bytes) = self.options.memory {
                    builder = builder.memory(bytes);
                }
                builder = self.options.surroundings.give_to(builder);
                let worker: ActorRef<Worker> = supervisor
                    .start_child(format!("{name}#{incarnation}"), builder)
                    .map_err(|error| self.explain(error))?;
                let (pid, monitor) = (worker.pid().unwrap_or_default(), worker.monitor());
                (Link::Process(Box::new((worker, monitor))), pid)
            }
        };
        let at = WorkerAt { name: name.as_str().into(), index, pid, incarnation };
        Ok(WorkerHandle::new(at, link, shared_slots, begun.elapsed()))
    }

    /// If the supervisor has died, the reason for that.
    fn explain(&self, error: SpawnError) -> SpawnError {
        let SpawnError::SupervisorDied { .. } = &error else { return error };
        let ended = self.supervisor.as_ref().and_then(|supervisor| supervisor.join_timeout(Duration::ZERO));
        let actor = self.options.name.clone();
        match ended {
            Some(ExitReason::InitFailed(error)) => SpawnError::InitFailed { actor, error },
            None | Some(ExitReason::SupervisorDied) => error,
            Some(reason) => SpawnError::Died { actor, reason },
        }
    }

    /// The pool could not be started: leaves nothing of it.
    fn give_up(&self) {
        if let Some(supervisor) = &self.supervisor {
            // The supervisor itself may be what did not start.
            let _ = supervisor.stop(self.options.grace);
        }
    }
}
