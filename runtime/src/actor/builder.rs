//! Starting a process: options, then `spawn`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::actor_ref::ActorRef;
use crate::actor::server::OfActor;
use crate::actor::spawning::Spawning;
use crate::actor::traits::{Actor, ActorStruct};
use crate::control::request::Kind;
use crate::ipc::bounds;
use crate::reactor::endpoint::Endpoint;
use crate::spawn::claim;
use crate::spawn::plan::Plan;
use crate::types::error::SpawnError;
use crate::types::options::Recycle;

/// The setters that actors and tasks share. Each overrides the option of the same name in the attribute.
macro_rules! options {
    () => {
        /// The name of the process, in `ps` and `top` too (where its first 15 bytes count). Default: the name
        /// of the type; for a task, that of the function (`Process` for a closure) with a number, counted by
        /// the process that spawns it: `square-1`.
        pub fn name(mut self, name: impl Into<String>) -> Self {
            self.plan.name = Some(name.into());
            self
        }

        /// A daemon does not keep the program alive, and is terminated first when the program ends. Default:
        /// no. It cannot be changed once the process runs.
        pub fn daemon(mut self, daemon: bool) -> Self {
            self.plan.options.daemon = daemon;
            self
        }

        /// How long the process may take until it is ready, before it is killed. Default: 10 s.
        pub fn start_timeout(mut self, limit: Duration) -> Self {
            self.plan.options.start_timeout = Some(limit);
            self
        }

        /// How long a handler (or the task) may run, before the process is aborted and, 50 ms later, killed.
        /// Default: for ever.
        pub fn deadline(mut self, deadline: Duration) -> Self {
            self.plan.options.deadline = Some(deadline);
            self
        }

        /// When it is started again after it has ended. Default: [`Temporary`](crate::Restart::Temporary),
        /// never, for what is spawned; [`Permanent`](crate::Restart::Permanent), always, for the child of a
        /// supervisor.
        ///
        /// With anything but `Temporary`, its mailbox outlives its process: refs stay valid, what is queued
        /// is served by the next process, and only the message in progress is lost.
        pub fn restart(mut self, restart: $crate::policy::Restart) -> Self {
            self.plan.options.restart = Some(restart);
            self
        }

        /// Whether the program starts it again after a death of the program's root supervisor, which ends the
        /// whole tree. Default: yes, if the program spawned it with a [restart type](Self::restart) other
        /// than [`Temporary`](crate::Restart::Temporary); see
        /// [`SupervisorBuilder::outlives_root`](crate::SupervisorBuilder::outlives_root).
        pub fn outlives_root(mut self, outlives: bool) -> Self {
            self.plan.outlives_root = outlives;
            self
        }

        /// How many restarts are allowed within a window of time. A spawned process that exceeds it stays
        /// dead. The child of a supervisor ends its supervisor too; without this option, the supervisor
        /// counts the restarts of all its children together. Default: 1 in 10 s for what is spawned; that of
        /// the supervisor for its children.
        pub fn intensity(mut self, restarts: u32, window: Duration) -> Self {
            self.plan.options.intensity = Some($crate::policy::Intensity::new(restarts, window));
            self
        }

        /// How long to wait before a restart: `min` the first time, then longer and longer, up to `max`.
        /// Default: no wait, or what the supervisor says.
        pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
            self.plan.options.backoff = Some($crate::policy::Backoff::new(min, max));
            self
        }

        /// How it is stopped: a [`Duration`] is how long its stop may take before it is killed. Default: 5 s.
        pub fn shutdown(mut self, shutdown: impl Into<$crate::policy::Shutdown>) -> Self {
            self.plan.options.shutdown = Some(shutdown.into());
            self
        }

        /// Whether its end by itself may end its supervisor (OTP's `significant`, see
        /// [`AutoShutdown`](crate::AutoShutdown)). Default: no.
        pub fn significant(mut self, significant: bool) -> Self {
            self.plan.options.significant = significant;
            self
        }

        /// Sets a variable of its environment, which otherwise is that of the program when it started its
        /// first process.
        ///
        /// This and the other spawn attributes ([`current_dir`](Self::current_dir), [`nice`](Self::nice),
        /// [`affinity`](Self::affinity), [`limit`](Self::limit)) are in force in the new process before any
        /// user code runs, and after each restart. Commands that it starts inherit them. Actors and tasks
        /// that it spawns do not: each has its own attributes. One that cannot be set fails the spawn with
        /// [`SpawnError::Option`](crate::SpawnError::Option), which names it.
        ///
        /// ```
        /// # use phalanx::prelude::*;
        /// # #[phalanx::main]
        /// # fn main() -> phalanx::Result<()> {
        /// let attributes = |(): ()| (std::env::var("LEVEL").ok(), std::env::current_dir().ok());
        /// let builder = Process::builder(attributes, ()).env("LEVEL", "3").current_dir("/");
        /// assert_eq!(builder.spawn()?.join()?, (Some("3".into()), Some("/".into())));
        /// # Ok(())
        /// # }
        /// ```
        pub fn env(mut self, name: impl AsRef<std::ffi::OsStr>, value: impl AsRef<std::ffi::OsStr>) -> Self {
            self.plan.attributes.set_env(name.as_ref(), Some(value.as_ref()));
            self
        }

        /// Removes a variable from its environment.
        pub fn env_remove(mut self, name: impl AsRef<std::ffi::OsStr>) -> Self {
            self.plan.attributes.set_env(name.as_ref(), None);
            self
        }

        /// Empties its environment, except for what is set after this and for the mark of the tree
        /// (`PHALANX_TREE`), which every process has.
        pub fn env_clear(mut self) -> Self {
            self.plan.attributes.clear_env();
            self
        }

        /// Its working directory; a relative path begins in that of the spawning process. Default: that of
        /// the program when it started its first process.
        pub fn current_dir(mut self, directory: impl AsRef<std::path::Path>) -> Self {
            self.plan.attributes.set_directory(directory.as_ref());
            self
        }

        /// Its niceness, from −20 (first) to 19 (last), see nice(2). A lower one than the program's needs the
        /// privilege. Default: that of the program.
        ///
        /// ```
        /// # use phalanx::prelude::*;
        /// #[task(nice = 10)]
        /// fn background() -> Option<String> {
        ///     let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        ///     stat.split(' ').nth(18).map(str::to_owned)
        /// }
        ///
        /// # #[phalanx::main]
        /// # fn main() -> phalanx::Result<()> {
        /// assert_eq!(background::spawn()?.join()?.as_deref(), Some("10"));
        /// assert_eq!(background::builder().nice(15).spawn()?.join()?.as_deref(), Some("15"));
        /// # Ok(())
        /// # }
        /// ```
        pub fn nice(mut self, niceness: i32) -> Self {
            self.plan.options.nice = Some(niceness);
            self
        }

        /// How deeply its init value, its arguments and what it returns may be nested: each struct, tuple,
        /// enum, sequence and map in another one is a level; so is the tuple of a call's arguments. Default:
        /// 128; at most 100,000.
        ///
        /// A deeper value is a `Codec` error of that call, at the sender. Above 128, the process runs on a
        /// stack that its own code can drop such values on (one KiB for each level). Other holders of such a
        /// value need a large stack, too: a caller drops an answer on its own.
        ///
        /// ```
        /// # use phalanx::prelude::*;
        /// # use serde::{Deserialize, Serialize};
        /// #[derive(Serialize, Deserialize)]
        /// struct Nest(Vec<Nest>);
        ///
        /// # #[phalanx::main]
        /// # fn main() -> phalanx::Result<()> {
        /// let nest = |levels: u32| (1..levels).fold(Nest(vec![]), |inner, _| Nest(vec![inner]));
        /// let levels = |nest: Nest| {
        ///     let mut next = nest.0.first();
        ///     let mut levels = 1;
        ///     while let Some(inner) = next {
        ///         (next, levels) = (inner.0.first(), levels + 1);
        ///     }
        ///     levels
        /// };
        /// assert!(matches!(Process::spawn(levels, nest(1000)), Err(SpawnError::Codec { .. })));
        /// assert_eq!(Process::builder(levels, nest(1000)).depth(1000).spawn()?.join()?, 1000);
        /// # Ok(())
        /// # }
        /// ```
        pub fn depth(mut self, levels: u32) -> Self {
            self.plan.options.depth = Some(levels);
            self
        }

        /// The cores on which it may run, by their numbers; at least one of them must exist and be allowed,
        /// see sched_setaffinity(2). Default: those of the program.
        ///
        /// ```
        /// # use phalanx::prelude::*;
        /// # #[phalanx::main]
        /// # fn main() -> phalanx::Result<()> {
        /// let pinned = Process::builder(|(): ()| phalanx::parallelism(), ()).affinity([0]).spawn()?;
        /// assert_eq!(pinned.join()?, 1);
        /// # Ok(())
        /// # }
        /// ```
        pub fn affinity(mut self, cores: impl IntoIterator<Item = usize>) -> Self {
            self.plan.attributes.set_affinity(cores);
            self
        }

        /// A limit of the operating system, see setrlimit(2). The process cannot raise it again. Default:
        /// those of the program; for memory, see [`memory`](Self::memory).
        ///
        /// ```
        /// # use phalanx::prelude::*;
        /// use phalanx::Limit;
        ///
        /// # #[phalanx::main]
        /// # fn main() -> phalanx::Result<()> {
        /// let spin = |(): ()| -> () { loop { std::hint::spin_loop() } };
        /// let spinning = Process::builder(spin, ()).limit(Limit::CpuSeconds, 1).spawn()?;
        /// let _ = spinning.join();
        /// assert_eq!(spinning.exit_reason().and_then(|reason| reason.signal()), Some(24)); // SIGXCPU
        /// # Ok(())
        /// # }
        /// ```
        pub fn limit(mut self, limit: $crate::sys::rlimit::Limit, value: u64) -> Self {
            self.plan.attributes.set_limit(limit, value);
            self
        }

        /// Where its standard output goes, and that of the commands it starts: to the
        /// [log](crate::command::Output::Log) line by line, to a [file](crate::command::Output::File), nowhere, or to the
        /// program's standard output, which is the default ([`Output::Inherit`](crate::command::Output::Inherit)).
        ///
        /// A stream that goes to the log is a pipe, which the supervisor reads. A write blocks while that is
        /// full (64 KiB), so while the program's subscriber takes no events: 5 s at most, then lines are
        /// dropped and counted. What the process has written when it dies arrives before the event of its
        /// end.
        ///
        /// A file or null device that cannot be opened fails the start, as does a
        /// [pipe](crate::command::Output::Pipe), which only commands have:
        /// [`SpawnError::Option`](crate::SpawnError::Option).
        ///
        /// ```
        /// # use phalanx::prelude::*;
        /// use phalanx::command::Output;
        ///
        /// # #[phalanx::main]
        /// # fn main() -> phalanx::Result<()> {
        /// let file = std::env::temp_dir().join(format!("written-{}", std::process::id()));
        /// let builder = Process::builder(|(): ()| println!("hello"), ()).stdout(Output::file(&file));
        /// builder.spawn()?.join()?;
        /// assert_eq!(std::fs::read_to_string(&file)?, "hello\n");
        /// # std::fs::remove_file(&file)?;
        /// let piped = Process::builder(|(): ()| (), ()).stdout(Output::Pipe).spawn();
        /// assert!(matches!(piped, Err(SpawnError::Option { .. })));
        /// # Ok(())
        /// # }
        /// ```
        pub fn stdout(mut self, output: $crate::types::output::Output) -> Self {
            self.plan.attributes.set_output($crate::types::output::Channel::Stdout, output);
            self
        }

        /// Where its standard error goes: see [`stdout`](Self::stdout). Default:
        /// [`Output::Inherit`](crate::command::Output::Inherit). A panic message goes there, too.
        pub fn stderr(mut self, output: $crate::types::output::Output) -> Self {
            self.plan.attributes.set_output($crate::types::output::Channel::Stderr, output);
            self
        }

        /// Where both its standard output and its standard error go: see [`stdout`](Self::stdout). Default:
        /// [`Output::Inherit`](crate::command::Output::Inherit).
        pub fn output(self, output: $crate::types::output::Output) -> Self {
            self.stdout(output.clone()).stderr(output)
        }

        /// Calls a function, or a closure that captures nothing, in each of its processes: after the spawn
        /// attributes are set, and before the arguments are decoded and the `#[init]` (of a task: its
        /// function) runs. Several are called in order. For what must be done early and once: a seed, a
        /// handler, a library.
        ///
        /// A panic in it fails the start: [`SpawnError::Died`](crate::SpawnError::Died).
        ///
        /// ```
        /// # use phalanx::prelude::*;
        /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        ///
        /// static SEED: AtomicU32 = AtomicU32::new(0);
        ///
        /// # #[phalanx::main]
        /// # fn main() -> phalanx::Result<()> {
        /// let builder = Process::builder(|(): ()| SEED.load(Relaxed), ());
        /// let seeded = builder.before_start(|| SEED.store(7, Relaxed)).spawn()?;
        /// assert_eq!((seeded.join()?, SEED.load(Relaxed)), (7, 0)); // there, not here
        /// # Ok(())
        /// # }
        /// ```
        pub fn before_start<F: FnOnce() + $crate::types::captureless::Captureless>(mut self, _: F) -> Self {
            const { F::CHECK };
            self.plan.hooks.push($crate::control::entry::OfHook::<F>::ENTRY);
            self
        }

        /// How many bytes of private memory (heap and private mappings, `RLIMIT_DATA`) the process may have;
        /// an allocation beyond ends it with [`ExitReason::OutOfMemory`](crate::ExitReason::OutOfMemory).
        /// Default: no limit.
        pub fn memory(mut self, bytes: u64) -> Self {
            self.plan.options.memory = Some(bytes);
            self
        }
    };
}
pub(crate) use options;

/// The options of an actor, then [`spawn`](Self::spawn).
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
    pub(crate) plan: Plan,
    /// The name by which other processes find it.
    pub(crate) registered: Option<String>,
    kind: PhantomData<fn() -> A>,
}

impl<A> fmt::Debug for ActorBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ActorBuilder").field(&self.plan).finish()
    }
}

impl<A: Actor> ActorBuilder<A> {
    pub(crate) fn new(init: &A::Init) -> ActorBuilder<A> {
        let options = <A as ActorStruct>::OPTIONS;
        let name = name_of::<A>();
        let (init, entry) = ((A::CODEC.encode)(init, bounds::SOUNDED).0, OfActor::<A>::ENTRY);
        ActorBuilder {
            plan: Plan { name: Some(name.to_owned()), ..Plan::new(Kind::Actor, Some(entry), init, options) },
            registered: None,
            kind: PhantomData,
        }
    }

    /// This actor, made from another value.
    pub(crate) fn with_init(mut self, init: &A::Init) -> ActorBuilder<A> {
        self.plan.init = (A::CODEC.encode)(init, bounds::SOUNDED).0;
        self
    }

    options!();

    /// The name by which every process of the tree can find the actor; see [`names`](mod@crate::names).
    /// Default: none.
    ///
    /// Not to be confused with the [`name`](Self::name) of the process. A name that is taken fails the spawn
    /// before a process is started ([`SpawnError::AlreadyStarted`]). While another process starts an actor
    /// for this name, [`spawn`](Self::spawn) waits for the outcome, 60 s at most. After a failed spawn, the
    /// name is free by the time `spawn` returns. This is OTP's `start_link` with a name, except that the
    /// actor is not found before it is ready.
    ///
    /// ```
    /// # use phalanx::prelude::*;
    /// # #[actor] struct Db;
    /// # #[actor] impl Db {}
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let db = Db.builder().registered("db").spawn()?;
    /// let error = Db.builder().registered("db").spawn().unwrap_err();
    /// assert_eq!(error, SpawnError::AlreadyStarted { actor: "db".into(), pid: db.pid()? });
    /// # Ok(())
    /// # }
    /// ```
    pub fn registered(mut self, name: impl Into<String>) -> Self {
        self.registered = Some(name.into());
        self
    }

    /// How many messages the mailbox takes, 1 to 65535. Default: 256.
    ///
    /// The kernel's socket buffer is a second bound: where the limit `net.core.wmem_max` is small, a mailbox
    /// may be full of large messages earlier.
    pub fn mailbox(mut self, messages: u32) -> Self {
        self.plan.options.mailbox = Some(messages);
        self
    }

    /// How long a call waits, unless it is made with [`within`](ActorRef::within). Default: 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.plan.options.timeout = Some(timeout);
        self
    }

    /// What happens to queued messages when it is stopped. Default: [`AtEnd`](crate::Drain::AtEnd).
    pub fn drain(mut self, drain: crate::policy::Drain) -> Self {
        self.plan.options.drain = Some(drain);
        self
    }

    /// Whether its next process is always kept ready: forked ahead and waiting, without having run any user
    /// code. Then it is back sooner even after its first crash (`docs/benchmarks.md`), for one more idle
    /// process, `phx-spare: NAME`. Default: no; an actor has one for a second after each crash.
    ///
    /// No effect on an actor that is not restarted; refused beside
    /// [`Restart::Temporary`](crate::Restart::Temporary), unless it is recycled. (Databases call it a hot
    /// standby.)
    pub fn spare(mut self, spare: bool) -> Self {
        self.plan.options.spare = spare;
        self
    }

    fn recycle(mut self, change: impl FnOnce(&mut Recycle)) -> Self {
        change(self.plan.options.recycle.get_or_insert_with(Recycle::default));
        self
    }

    /// Replaces its process by a fresh one after so many messages, when the current one has been handled. The
    /// mailbox stays, nothing is lost, and it is no crash
    /// ([`ExitReason::Recycled`](crate::ExitReason::Recycled)). Default: never. (Python's
    /// `maxtasksperchild`.)
    pub fn recycle_after(self, messages: u64) -> Self {
        self.recycle(|recycle| recycle.messages = Some(messages))
    }

    /// Replaces its process when more than so many bytes of it are resident after a message. Default: never.
    pub fn recycle_above(self, bytes: u64) -> Self {
        self.recycle(|recycle| recycle.memory = Some(bytes))
    }

    /// Replaces its process at this age, counted from the moment at which it is ready. A process that has
    /// handled no message yet is not replaced, so an age shorter than a start costs one process for each
    /// message, and no more. Default: never.
    pub fn recycle_at_age(self, age: Duration) -> Self {
        self.recycle(|recycle| recycle.age = Some(age))
    }

    /// Recycles each process by up to so many percent earlier, at random, so that processes started together
    /// do not all pause together. Applies to messages and age. Default: 0.
    pub fn recycle_jitter(self, percent: u8) -> Self {
        self.recycle(|recycle| recycle.jitter = percent)
    }

    /// Starts the actor in a new process, and waits until it is ready (its `#[init]` has returned), dead or
    /// over its start limit.
    ///
    /// The first spawn of a program also starts its root supervisor.
    ///
    /// # Errors
    /// See [`SpawnError`]. Nothing of a failed start is left running.
    pub fn spawn(self) -> Result<ActorRef<A>, SpawnError> {
        self.spawn_endpoint().map(ActorRef::of)
    }

    /// Like [`spawn`](Self::spawn), as a future: see [`Spawning`].
    ///
    /// # Errors
    /// See [`SpawnError`]. Nothing of a failed start is left running.
    pub fn spawn_async(self) -> Spawning<ActorRef<A>> {
        let name = self.plan.name.clone().unwrap_or_default();
        Spawning::of_endpoint(name, || self.spawn_endpoint(), ActorRef::of)
    }

    pub(crate) fn spawn_endpoint(self) -> Result<Arc<Endpoint>, SpawnError> {
        match self.registered {
            None => self.plan.spawn(),
            Some(name) => claim::start_registered(&name, std::any::type_name::<A>(), || self.plan.spawn()),
        }
    }
}

impl<A> ActorBuilder<A> {
    /// What a supervisor needs of it.
    pub(crate) fn into_plan(self) -> Plan {
        let registered = self.registered.map(|name| (name, std::any::type_name::<A>()));
        Plan { registered, ..self.plan }
    }
}

/// The name of the actor's processes, unless its builder sets another.
pub(crate) fn name_of<A: ActorStruct>() -> &'static str {
    A::OPTIONS.name.unwrap_or_else(|| short_name(std::any::type_name::<A>()))
}

/// `Cache` of `shop::store::Cache<u32>`.
pub(crate) fn short_name(path: &'static str) -> &'static str {
    let plain = path.find('<').unwrap_or(path.len());
    let start = path[..plain].rfind("::").map_or(0, |at| at + 2);
    &path[start..plain]
}

#[cfg(test)]
mod tests {
    use super::short_name;

    macro_rules! keys {
        ([$($field:ident: $type:ty {
            $($key:literal [$($place:ident)+] $(.$part:ident)? = $read:ident($($words:expr)?);)+
        })+]) => {
            &[$($(($key, &[$(stringify!($place)),+]),)+)+]
        };
    }

    /// Each option of an attribute, and the places that take it.
    const KEYS: &[(&str, &[&str])] = crate::policy::spawn_options!(keys);

    /// An actor has those of its builder and those that tasks have too.
    #[test]
    fn every_option_has_a_setter() {
        let (shared, of_actors) = include_str!("builder.rs").split_once("pub(crate) use options;").unwrap();
        for (key, places) in KEYS {
            let part = if places.contains(&"Task") { shared } else { of_actors };
            assert!(part.contains(&format!("pub fn {key}(")), "no setter for `{key}`");
        }
    }

    #[test]
    fn actors_are_named_after_the_last_part_of_their_type() {
        assert_eq!(short_name("shop::store::Cache<alloc::string::String>"), "Cache");
        assert_eq!(short_name("Db"), "Db");
    }
}
