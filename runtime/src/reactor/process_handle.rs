//! The handle of a process, shared by refs to actors and by tasks.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{fmt, io};

use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::Endpoint;
use crate::reactor::monitor::Monitor;
use crate::reactor::waiter::{Outcome, Waiter};
use crate::reactor::{context, interrupt};
use crate::status::register::{self, Known};
use crate::status::{ExitRecord, State, StopMode, root_supervisor};
use crate::sys::{clock, fd, poll, process, procfs, rlimit, signal};
use crate::types::error::{At, SendError};
use crate::types::escape::escaped;
use crate::types::exit::{ExitReason, StoppedBy};

/// How long a supervisor may need to record a death that the kernel knows of.
const UNNOTED: Duration = Duration::from_secs(1);

/// How often a stop checks whether the actor has been restarted meanwhile.
pub(super) const LOOK: Duration = Duration::from_millis(50);

pub(crate) struct Handle<'a>(pub(crate) &'a Arc<Endpoint>);

impl Handle<'_> {
    pub(super) fn at(&self, what: &'static str) -> At {
        At::new(&self.0.card.name, self.0.process(), what, self.0.ended())
    }

    pub(crate) fn pid(&self) -> Result<u32, SendError> {
        if self.0.has_process() { Ok(self.0.status_page.pid()) } else { Err(self.no_process("pid")) }
    }

    /// The error of an actor that has no process.
    fn no_process(&self, what: &'static str) -> SendError {
        // Reserved, or being restarted.
        let will_be =
            matches!(self.0.status_page.state(), State::New | State::Restarting) && !self.0.is_dead();
        if will_be { SendError::Unavailable(self.at(what)) } else { SendError::Gone(self.at(what)) }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.has_process()
    }

    pub(super) fn is_self(&self) -> bool {
        context::is_handling(self.0.card.id)
    }

    pub(crate) fn join(&self) -> ExitReason {
        assert!(!self.is_self(), "actor `{}` waits for its own end, for ever", self.0.card.name);
        self.join_until(None).unwrap_or(ExitReason::SupervisorDied)
    }

    pub(crate) fn join_until(&self, deadline: Option<u64>) -> Option<ExitReason> {
        self.record_until(deadline).map(|exit_record| exit_record.end_reason())
    }

    /// Waits for the death; returns its exit record.
    ///
    /// The supervisor reaps before it rings, so once this returns there is no zombie either. In an
    /// interrupted program, a wait that this death ends never returns, because the program is about to end.
    pub(crate) fn record_until(&self, deadline: Option<u64>) -> Option<Arc<ExitRecord>> {
        let reactor = Reactor::get().ok()?;
        reactor.know(self.0).ok()?;
        let waiter = Arc::new(Waiter::default());
        self.0.on_death(&waiter);
        reactor.visit(self.0);
        let done = reactor.wait(&waiter, deadline);
        self.0.forget(&waiter);
        if !done {
            return None;
        }
        match waiter.take() {
            Some(Outcome::Dead(exit_record)) => {
                interrupt::park_if_interrupted();
                Some(exit_record.unwrap_or_else(|| Arc::new(ExitRecord::orphaned())))
            }
            _ => None,
        }
    }

    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.0.exit_record().map(|exit_record| exit_record.code)
    }

    pub(crate) fn exit_reason(&self) -> Option<ExitReason> {
        self.0.ended()
    }

    pub(crate) fn terminate(&self) -> Result<(), SendError> {
        self.end_by(process::SIGTERM, "terminate", None).map(drop)
    }

    pub(crate) fn kill(&self) -> Result<(), SendError> {
        self.end_by(process::SIGKILL, "kill", None).map(drop)
    }

    pub(crate) fn interrupt(&self) -> Result<(), SendError> {
        let patience = clock::after(UNNOTED);
        loop {
            match self.known("interrupt")? {
                Some(known) => return self.signal(&known, process::SIGINT, "interrupt"),
                None if self.0.has_process() && clock::now() < patience => {
                    poll::pause(Duration::from_millis(1));
                }
                None => return Err(self.no_process("interrupt")),
            }
        }
    }

    /// Ends the actor's process by a signal, or calls off the start of the next one if the actor waits for
    /// that. Returns which incarnation is told to end. `grace`: this process kills it after that.
    pub(super) fn end_by(
        &self,
        signal: i32,
        what: &'static str,
        grace: Option<Duration>,
    ) -> Result<u64, SendError> {
        let status_page = &self.0.status_page;
        let patience = clock::after(UNNOTED);
        let mut ordered = None;
        loop {
            let last = status_page.incarnation();
            if let Some(known) = self.known(what)? {
                let incarnation = known.incarnation;
                // A death that was ordered restarts nothing; nor does one that came before the order.
                status_page.call_off_after(incarnation);
                ordered = Some(incarnation);
                if let Some(grace) = grace {
                    status_page.note_grace(incarnation, grace);
                }
                status_page.request_stop(incarnation, StopMode::Stop, StoppedBy::Ref);
                if signal == process::SIGKILL {
                    status_page.note_kill(incarnation, None);
                }
                match self.signal(&known, signal, what) {
                    Ok(()) => return Ok(incarnation),
                    // It has ended, and its supervisor is about to say what comes next.
                    Err(SendError::Gone(_) | SendError::Unavailable(_)) if clock::now() < patience => {
                        poll::pause(Duration::from_millis(1));
                    }
                    Err(error) => return Err(error),
                }
            } else if self.0.has_process() && clock::now() < patience {
                // It has just begun, or just ended, and the supervisor is about to note so.
                poll::pause(Duration::from_millis(1));
            } else if status_page.state() == State::Restarting && !self.0.is_dead() {
                status_page.call_off_after(last);
                ordered = Some(last.saturating_add(1));
                // Its supervisor looks once more when the next process is ready: either the supervisor sees
                // this, or that process is seen here.
                if status_page.state() == State::Restarting && status_page.incarnation() == last {
                    return Ok(last.saturating_add(1));
                }
            } else {
                // The order may have been carried out between two looks; then it is why there is no process.
                return ordered.ok_or_else(|| self.no_process(what));
            }
        }
    }

    pub(crate) fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
        self.check_stop()?;
        let deadline = clock::after(grace);
        let incarnation = self.end_by(process::SIGTERM, "stop", Some(grace))?;
        if let Some(reason) = self.end_of(incarnation, Some(deadline)) {
            return Ok(reason);
        }
        self.kill_left(incarnation, grace)?;
        Ok(self.end_of(incarnation, None).unwrap_or(ExitReason::SupervisorDied))
    }

    pub(super) fn check_stop(&self) -> Result<(), SendError> {
        if self.is_self() { Err(SendError::CallingSelf(self.at("stop"))) } else { Ok(()) }
    }

    /// Kills an incarnation that has not ended in time.
    pub(super) fn kill_left(&self, incarnation: u64, grace: Duration) -> Result<(), SendError> {
        // Its supervisor kills what is left of its group once it is gone. A later process has not been told
        // to stop.
        let known = self.known("stop")?.filter(|known| known.incarnation == incarnation);
        let Some(known) = known else { return Ok(()) };
        self.0.status_page.request_stop(incarnation, StopMode::Stop, StoppedBy::Ref);
        self.0.status_page.note_kill(incarnation, Some(grace));
        match self.signal(&known, process::SIGKILL, "stop") {
            Ok(()) | Err(SendError::Gone(_) | SendError::Unavailable(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until the actor ends, or has a process after this incarnation because of another order; returns
    /// why this incarnation ended.
    fn end_of(&self, incarnation: u64, deadline: Option<u64>) -> Option<ExitReason> {
        Reactor::get().ok()?;
        loop {
            let look = clock::after(LOOK).min(deadline.unwrap_or(u64::MAX));
            if let Some(reason) = self.join_until(Some(look)) {
                return Some(reason);
            }
            if let Some(reason) = self.end_before_another(incarnation) {
                return Some(reason);
            }
            if deadline.is_some_and(|deadline| deadline <= clock::now()) {
                return None;
            }
        }
    }

    /// Why this incarnation ended, if there has been another one since.
    pub(super) fn end_before_another(&self, incarnation: u64) -> Option<ExitReason> {
        let status_page = &self.0.status_page;
        (status_page.incarnation() > incarnation).then(|| {
            let exit_record = status_page.death_of(incarnation);
            exit_record.map_or(ExitReason::SupervisorDied, |exit_record| exit_record.reason)
        })
    }

    /// The actor's process as its supervisor knows it, because the page may name any other. `None`: no
    /// process, or not yet.
    fn known(&self, what: &'static str) -> Result<Option<Known>, SendError> {
        let (id, place) = (self.0.card.id, self.0.status_page.voucher());
        // It takes three descriptors for a moment, and an order must not fail for want of them.
        let found = rlimit::with_raised_descriptors_if_needed(|| match register::find(id, place) {
            Ok(Some(known)) => Ok(Ok(Some(known))),
            other => Err(other),
        });
        let known = match found {
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && root_supervisor::has_below(place.0) =>
            {
                self.named(place.0)
            }
            // The supervisor is gone, or the page does not name it (any more).
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                Ok(if fd::hung_up(self.0.mailbox()) { None } else { register::search(id) })
            }
            known => known,
        };
        known.map_err(|error| SendError::Unreachable(error.to_string(), self.at(what)))
    }

    /// The process that the page names. For callers with fewer rights than the supervisor, which may not read
    /// its list: they believe the page, but only about a process of this tree.
    fn named(&self, supervisor: i32) -> io::Result<Option<Known>> {
        let status_page = &self.0.status_page;
        let (pid, incarnation) = self.0.process();
        let Ok(pid @ 1..) = i32::try_from(pid) else { return Ok(None) };
        let handle = match process::pidfd(pid) {
            Err(error) if error.raw_os_error() == Some(process::NO_SUCH_PROCESS) => return Ok(None),
            handle => handle?,
        };
        // The handle first: the supervisor records a death before it reaps.
        let is_child = procfs::parent_of(pid) == Some(supervisor);
        let is_it = is_child && self.0.has_process() && status_page.incarnation() == incarnation;
        Ok(is_it.then_some(Known { incarnation, handle }))
    }

    fn signal(&self, known: &Known, signal: i32, what: &'static str) -> Result<(), SendError> {
        let refused = |error: io::Error| match error.raw_os_error() {
            Some(code) if code == process::NO_SUCH_PROCESS => SendError::Gone(self.at(what)),
            _ => SendError::Unreachable(error.to_string(), self.at(what)),
        };
        process::signal(known.handle.as_fd(), signal).map_err(refused)?;
        // A stopped process heeds only SIGKILL until it is continued. It may have ended by now.
        let _ = process::signal(known.handle.as_fd(), process::SIGCONT);
        Ok(())
    }

    pub(crate) fn monitor(&self) -> Monitor {
        Monitor::new(self.0)
    }

    pub(crate) fn depth(&self) -> usize {
        self.0.status_page.depth().load(Ordering::SeqCst) as usize
    }
}

/// The methods that refs to actors and to tasks share, about the process behind them.
macro_rules! process_methods {
    () => {
        /// Whether it was started as a daemon, and so does not keep the program alive.
        pub fn daemon(&self) -> bool {
            self.handle().0.card.daemon
        }

        /// Whether the process exists: from its start until it is reaped, also while it is stopping. False
        /// after a join.
        pub fn is_alive(&self) -> bool {
            self.handle().is_alive()
        }

        /// Sends SIGTERM: an actor finishes the message in progress, runs `#[on_stop]` and exits; a task ends
        /// unless its function handles the signal. An actor that hangs in `#[on_stop]` is killed when the
        /// time of its `shutdown` is over (5 s by default). A process that is stopped (SIGSTOP) is continued. One that waits for its
        /// restart is not restarted. Does not wait.
        ///
        /// # Errors
        /// [`SendError::Gone`] if it has ended. No other process is ever signalled instead, whatever the
        /// actor has written into the memory that it shares.
        pub fn terminate(&self) -> Result<(), SendError> {
            self.handle().terminate()
        }

        /// Sends SIGKILL: the process ends at once, without `#[on_stop]`. One that waits for its restart is
        /// not restarted. Does not wait.
        ///
        /// # Errors
        /// [`SendError::Gone`] if it has ended.
        pub fn kill(&self) -> Result<(), SendError> {
            self.handle().kill()
        }

        /// Sends SIGINT, which ends the process at once unless it handles the signal. That is no ordered end:
        /// what may be restarted is. Does not wait.
        ///
        /// # Errors
        /// [`SendError::Gone`] if it has ended.
        pub fn interrupt(&self) -> Result<(), SendError> {
            self.handle().interrupt()
        }

        /// [`terminate`](Self::terminate), and after `grace` [`kill`](Self::kill) of that very process;
        /// blocks until it has ended, and returns why.
        ///
        /// # Errors
        /// [`SendError::Gone`] if it had ended before; [`SendError::CallingSelf`] in a handler of this very
        /// actor.
        pub fn stop(&self, grace: Duration) -> Result<ExitReason, SendError> {
            self.handle().stop(grace)
        }

        /// Like [`stop`](Self::stop), as a future: it blocks no thread of the caller, and works under any
        /// executor. The stop begins when the future is first polled. If it is dropped after that, the order
        /// stands, as that of [`terminate`](Self::terminate).
        ///
        /// # Errors
        /// As [`stop`](Self::stop).
        pub fn stop_async(&self, grace: Duration) -> $crate::reactor::stopping::Stopping {
            self.handle().stop_async(grace)
        }

        /// Python's exit code, as the operating system reports it (−N for signal N); `None` while it runs.
        pub fn exit_code(&self) -> Option<i32> {
            self.handle().exit_code()
        }

        /// Why it ended; `None` while it runs.
        pub fn exit_reason(&self) -> Option<ExitReason> {
            self.handle().exit_reason()
        }

        /// A descriptor that can be read once the death is known (Python's `sentinel`), for `poll` and its
        /// relatives and for [`wait_any`](crate::wait_any). Made when it is first asked for, and kept as long
        /// as the handle.
        ///
        /// It cannot be read before that, however many threads look at it, and looking takes nothing away:
        /// not after a start, nor while its supervisor will restart it unasked. An ended child of a
        /// supervisor that [`restart_child`](crate::SupervisorRef::restart_child) starts again lives again:
        /// until the next end, the descriptor cannot be read. For such a child, a background thread of
        /// phalanx (one per process) takes part.
        ///
        /// # Errors
        /// At the limit on descriptors (`RLIMIT_NOFILE`).
        pub fn sentinel(&self) -> std::io::Result<std::os::fd::BorrowedFd<'_>> {
            self.handle().0.sentinel()
        }

        /// Watches it: exactly one [`Down`](crate::Down) comes when it ends, or at once if it has ended
        /// (OTP's `monitor/2`).
        pub fn monitor(&self) -> Monitor {
            self.handle().monitor()
        }
    };
}
pub(crate) use process_methods;

impl fmt::Display for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| {
            let status_page = &self.0.status_page;
            write!(f, "`{}`, process {}, ", self.0.card.name, status_page.pid())?;
            if status_page.parent() != 0 {
                write!(f, "child of {}, ", status_page.parent())?;
            }
            let Some(exit_record) = self.0.exit_record() else {
                return f.write_str(match status_page.state() {
                    State::New => "not started yet",
                    State::Starting => "starting",
                    State::Restarting => "being restarted",
                    _ => "started",
                });
            };
            let reason = exit_record.end_reason();
            write!(f, "{reason}")?;
            match (&reason, exit_record.code) {
                // The reason says it already.
                (ExitReason::Exited(_) | ExitReason::Signaled { .. } | ExitReason::Killed { .. }, _) => {
                    Ok(())
                }
                (ExitReason::SupervisorDied | ExitReason::GaveUp { .. }, _) => Ok(()),
                (_, code) if code < 0 => write!(f, ", {}", signal::name(-code)),
                (_, code) => write!(f, ", exit code {code}"),
            }
        })
    }
}
