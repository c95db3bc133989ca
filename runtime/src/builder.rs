//! Starting a process: options, then `spawn`.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::actor::{Actor, ActorStruct, Options};
use crate::actor_ref::ActorRef;
use crate::codec;
use crate::codec::Encoded;
use crate::error::SpawnError;
use crate::mailbox::channel;
use crate::mailbox::envelope::Envelope;
use crate::mailbox::ledger::{Epitaph, Ledger, Refusal};
use crate::mailbox::peer::{Card, Peer};
use crate::mailbox::router::Router;
use crate::mailbox::slot::{Outcome, Slot};
use crate::process::entry::{Entry, OfActor};
use crate::process::request::{self, Ends, Kind, Place, Spec};
use crate::process::root;
use crate::process::tree::{self, PATIENCE};
use crate::supervise::{Restart, Shutdown};
use crate::sys::image::{self, Located};
use crate::sys::{fd, process, time};

const MAILBOX: u32 = 256;
const MAX_MAILBOX: u32 = 65_535;
const START: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(60);
/// How much longer than the start limit we wait for the supervisor's word on it.
const START_SLACK: Duration = Duration::from_secs(5);

/// A process to be: everything but its type.
pub(crate) struct Plan {
    /// `None`: a task that is numbered when it is spawned.
    pub(crate) name: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) entry: &'static Located<Entry>,
    pub(crate) init: Result<Encoded, String>,
    pub(crate) options: Options,
}

impl Plan {
    /// Starts it, and waits until it is ready, dead or too late.
    pub(crate) fn spawn(self) -> Result<Arc<Peer>, SpawnError> {
        let name = self.name.clone().unwrap_or_else(next_name);
        self.check_options(&name)?;
        let started = self.start(&name).map_err(|failure| failure.named(&name));
        if started.is_err() {
            root::park_if_interrupted();
        }
        let peer = started?;
        tree::adopt(&peer);
        Ok(peer)
    }

    fn check_options(&self, name: &str) -> Result<(), SpawnError> {
        let wrong = |error: &str| Err(SpawnError::Option { actor: name.to_owned(), error: error.to_owned() });
        let zero = |option: Option<Duration>| option.is_some_and(|limit| limit.is_zero());
        let options = &self.options;
        if options.mailbox.is_some_and(|mailbox| !(1..=MAX_MAILBOX).contains(&mailbox)) {
            return wrong("the option `mailbox` is between 1 and 65535 messages");
        }
        if zero(options.deadline) || zero(options.start) || zero(options.timeout) {
            return wrong("the options `deadline`, `start` and `timeout` are longer than nothing");
        }
        if name.is_empty() || name.len() > 255 || name.contains('\0') {
            return wrong("the option `name` has 1 to 255 bytes, none of them 0");
        }
        Ok(())
    }

    fn start(self, name: &str) -> Result<Arc<Peer>, Failure> {
        let init = self.init.map_err(Failure::Codec)?;
        let offset = self.entry.offset().ok_or(Failure::NotInExecutable)?;
        let router = Router::get().map_err(Failure::Io)?;
        let tree = tree::get().map_err(Failure::Io)?;
        let term = tree.term();
        let options = self.options;
        let (sender, receiver) = channel::pair::<Envelope>().map_err(Failure::Io)?;
        let capacity = options.mailbox.unwrap_or(MAILBOX);
        fd::widen(&sender, capacity);
        let ledger = Ledger::create(capacity, self.kind == Kind::Task).map_err(Failure::Io)?;
        ledger.sign(name, self.kind as u32);
        let card = Card {
            id: process::random() | 2,
            name: name.into(),
            daemon: options.daemon,
            timeout: options.timeout.unwrap_or(TIMEOUT),
        };
        let start = options.start.unwrap_or(START);
        let spec = Spec {
            id: card.id,
            name: name.to_owned(),
            kind: self.kind,
            daemon: options.daemon,
            entry: offset,
            type_name: (self.entry.value.type_name)().to_owned(),
            build: image::build_hash(),
            parent: std::process::id(),
            start,
            deadline: options.deadline,
            shutdown: options.how_to_stop(Shutdown::Timeout(GRACE)),
            memory: options.memory,
            log: crate::logging::filter(),
            child_id: None,
            rules: options.rules(Restart::Temporary),
            recycle: options.recycle,
            policy: None,
        };
        let peer = router.meet(Peer::new(card, sender, ledger)).map_err(Failure::Io)?;
        let ends = Ends::new(&receiver, peer.mailbox(), peer.ledger.file());
        let sent = request::spawn(tree.control(), spec, init, &ends, Place::alone(), time::after(PATIENCE));
        tree.ring();
        // From now on the only receiving ends are the supervisor's and the child's: if both are gone, we see it.
        drop(receiver);
        sent.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Failure::SupervisorDied,
            _ => Failure::Io(error),
        })?;
        await_start(router, &peer, start, &|| tree.is_gone(term)).map(|()| peer)
    }
}

/// Tasks without a name are numbered from 1.
fn next_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    format!("Process-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn await_start(
    router: &'static Router,
    peer: &Arc<Peer>,
    start: Duration,
    supervisor_is_gone: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let slot = Arc::new(Slot::default());
    peer.on_ready(&slot);
    router.visit(peer);
    router.wait(&slot, Some(time::after(start.saturating_add(START_SLACK))));
    match slot.take() {
        Some(Outcome::Ready) => Ok(()),
        Some(Outcome::Dead(Some(epitaph))) => judge(&epitaph, start),
        // Nobody took the mailbox: the request's descriptors did not fit into the supervisor.
        Some(Outcome::Dead(None)) if peer.ledger.pid() == 0 && !supervisor_is_gone() => {
            Err(Failure::Descriptors)
        }
        Some(Outcome::Dead(None)) => Err(Failure::SupervisorDied),
        _ => Err(Failure::StartTimeout(start)),
    }
}

/// An actor that ended so quickly that its readiness went unseen was started all the same.
fn judge(epitaph: &Epitaph, start: Duration) -> Result<(), Failure> {
    Err(match &epitaph.refusal {
        Some(Refusal::ShuttingDown) => Failure::ShuttingDown,
        Some(Refusal::Mismatch) => Failure::Mismatch,
        Some(Refusal::Fork(error)) => Failure::Fork(error.clone()),
        Some(Refusal::StartTimeout) => Failure::StartTimeout(start),
        Some(Refusal::Codec(error)) => Failure::Codec(error.clone()),
        Some(Refusal::AlreadyStarted(pid)) => Failure::AlreadyStarted(*pid),
        Some(Refusal::AlreadyPresent) => Failure::AlreadyPresent,
        Some(Refusal::MaxChildren) => Failure::MaxChildren,
        Some(Refusal::Ignored) => Failure::Ignored,
        None if !epitaph.unready => return Ok(()),
        None => Failure::Died(epitaph.reason.clone()),
    })
}

/// A [`SpawnError`] before it knows whose it is.
enum Failure {
    Codec(String),
    NotInExecutable,
    Mismatch,
    Io(io::Error),
    Fork(String),
    Descriptors,
    SupervisorDied,
    ShuttingDown,
    AlreadyStarted(u32),
    AlreadyPresent,
    MaxChildren,
    Ignored,
    StartTimeout(Duration),
    Died(crate::ExitReason),
}

impl Failure {
    fn named(self, name: &str) -> SpawnError {
        let actor = name.to_owned();
        match self {
            Failure::Codec(error) => SpawnError::Codec { actor, error },
            Failure::NotInExecutable => SpawnError::NotInExecutable { actor },
            Failure::Mismatch => SpawnError::Mismatch { actor },
            Failure::Descriptors => {
                let error = "the supervisor has no descriptor left".to_owned();
                SpawnError::Limit { actor, limit: "RLIMIT_NOFILE", error }
            }
            Failure::SupervisorDied => SpawnError::SupervisorDied { actor },
            Failure::AlreadyStarted(pid) => SpawnError::AlreadyStarted { actor, pid },
            Failure::AlreadyPresent => SpawnError::AlreadyPresent { actor },
            Failure::MaxChildren => SpawnError::MaxChildren { actor },
            Failure::Ignored => SpawnError::Ignored { actor },
            Failure::ShuttingDown => SpawnError::ShuttingDown { actor },
            Failure::StartTimeout(after) => SpawnError::StartTimeout { actor, after },
            Failure::Died(crate::ExitReason::InitFailed(error)) => SpawnError::InitFailed { actor, error },
            Failure::Died(reason) => SpawnError::Died { actor, reason },
            Failure::Fork(error) => match process::limit_in(&error) {
                Some(limit) => SpawnError::Limit { actor, limit, error },
                None => SpawnError::Io { actor, error },
            },
            Failure::Io(error) => match process::limit_of(&error) {
                Some(limit) => SpawnError::Limit { actor, limit, error: error.to_string() },
                None => SpawnError::Io { actor, error: error.to_string() },
            },
        }
    }
}

/// The setters that actors and tasks share. Each overrides the option of the same name in the attribute.
macro_rules! options {
    () => {
        /// The name of the process, in `ps` and `top` too (where its first 15 bytes count). Default: that of the type; for tasks `Process-N`.
        pub fn name(mut self, name: impl Into<String>) -> Self {
            self.plan.name = Some(name.into());
            self
        }

        /// A daemon does not keep the program alive and is terminated first when it ends. Default: no. It cannot be changed once the process runs.
        pub fn daemon(mut self, daemon: bool) -> Self {
            self.plan.options.daemon = daemon;
            self
        }

        /// How long the process may take until it is ready, before it is killed. Default: 10 s.
        pub fn start(mut self, limit: Duration) -> Self {
            self.plan.options.start = Some(limit);
            self
        }

        /// How long a stop may take at the end of the program, before the process is killed. Default: 5 s.
        pub fn grace(mut self, grace: Duration) -> Self {
            self.plan.options.shutdown = None;
            self.plan.options.grace = Some(grace);
            self
        }

        /// How long a handler (or the task) may run, before the process is aborted and, 50 ms later, killed. Default: for ever.
        pub fn deadline(mut self, deadline: Duration) -> Self {
            self.plan.options.deadline = Some(deadline);
            self
        }

        /// How many bytes of private memory (heap and private mappings, `RLIMIT_DATA`) the process may have; an allocation beyond ends it with
        /// [`ExitReason::OutOfMemory`](crate::ExitReason::OutOfMemory). Default: no limit.
        pub fn memory(mut self, bytes: u64) -> Self {
            self.plan.options.memory = Some(bytes);
            self
        }
    };
}
pub(crate) use options;

/// An actor to be: options, then [`spawn`](Self::spawn).
///
/// ```
/// # use phalanx::prelude::*;
/// # use std::time::Duration;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let echo = Echo.builder().name("echo-1").mailbox(16).deadline(Duration::from_secs(2)).spawn()?;
/// assert_eq!((echo.name(), echo.capacity()), ("echo-1", 16));
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `spawn`"]
pub struct ActorBuilder<A> {
    plan: Plan,
    kind: PhantomData<fn() -> A>,
}

impl<A: Actor> ActorBuilder<A> {
    pub(crate) fn new(init: &A::Init) -> ActorBuilder<A> {
        let options = <A as ActorStruct>::OPTIONS;
        let name = options.name.unwrap_or_else(|| short_name(std::any::type_name::<A>()));
        let (init, entry) = (codec::encode(init), OfActor::<A>::ENTRY);
        ActorBuilder {
            plan: Plan { name: Some(name.to_owned()), kind: Kind::Actor, entry, init, options },
            kind: PhantomData,
        }
    }

    options!();

    /// How many messages the mailbox takes, 1 to 65535. Default: 256.
    ///
    /// The kernel's socket buffer is a second bound: where the limit `net.core.wmem_max` is small, a mailbox may be full of large messages earlier.
    pub fn mailbox(mut self, messages: u32) -> Self {
        self.plan.options.mailbox = Some(messages);
        self
    }

    /// How long a call waits by default. Default: 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.options.timeout = Some(timeout);
        self
    }

    /// Starts the actor in a new process, and waits until it is ready (its `#[init]` has answered), dead or over its start limit.
    ///
    /// The first spawn of a program also starts its root supervisor.
    ///
    /// # Errors
    /// See [`SpawnError`]. Nothing of a failed start is left running.
    pub fn spawn(self) -> Result<ActorRef<A>, SpawnError> {
        self.plan.spawn().map(ActorRef::of)
    }
}

/// `Cache<u32>` of `shop::store::Cache<u32>`.
fn short_name(path: &'static str) -> &'static str {
    let plain = path.find('<').unwrap_or(path.len());
    let start = path[..plain].rfind("::").map_or(0, |at| at + 2);
    &path[start..plain]
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn actors_are_named_after_the_last_part_of_their_type() {
        assert_eq!(short_name("shop::store::Cache<alloc::string::String>"), "Cache");
        assert_eq!(short_name("Db"), "Db");
    }
}
