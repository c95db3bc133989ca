//! What the workers of a pool find in their processes: environment, directory, niceness, cores, limits,
//! output, and functions to call first.

use std::ffi::OsStr;
use std::path::Path;

use super::builder::PoolBuilder;
use crate::actor::builder::ActorBuilder;
use crate::control::attributes::SpawnAttributes;
use crate::control::entry::{Hook, OfHook};
use crate::sys::executable::Located;
use crate::sys::rlimit::Limit;
use crate::types::output::{Channel, Output};

/// The spawn attributes of each worker.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    attributes: SpawnAttributes,
    hooks: Vec<&'static Located<Hook>>,
}

impl Surroundings {
    /// Finds what is wrong before anything is started.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.attributes.nice.is_some_and(|nice| !(-20..=19).contains(&nice)) {
            return Err("the option `nice` is between -20 and 19".to_owned());
        }
        self.attributes.check()
    }

    /// Sets them for a worker.
    pub(super) fn give_to<A>(&self, mut builder: ActorBuilder<A>) -> ActorBuilder<A> {
        // An actor's niceness is among the options that an attribute can set.
        builder.plan.options.nice = self.attributes.nice;
        builder.plan.attributes = self.attributes.clone();
        builder.plan.hooks.clone_from(&self.hooks);
        builder
    }
}

/// What each worker finds in its process.
impl PoolBuilder {
    fn attribute(self, change: impl FnOnce(&mut SpawnAttributes)) -> Self {
        self.with(|options| change(&mut options.surroundings.attributes))
    }

    /// Sets a variable of the environment of each worker, which otherwise is that of the program when it
    /// started its first process.
    ///
    /// This and the options like it ([`current_dir`](Self::current_dir), [`nice`](Self::nice),
    /// [`affinity`](Self::affinity), [`limit`](Self::limit)) are in force before any user code runs in a
    /// worker, [`init`](Self::init) included, and in each process that takes the place of another. Commands
    /// that a task starts inherit them. One that cannot be set fails the start with
    /// [`SpawnError::Option`](crate::SpawnError::Option), which names it.
    ///
    /// ```
    /// use phalanx::Pool;
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let pool = Pool::builder().workers(1).env("OMP_NUM_THREADS", "1").current_dir("/").nice(10).build()?;
    /// let found = |(): ()| (std::env::var("OMP_NUM_THREADS").ok(), std::env::current_dir().ok());
    /// assert_eq!(pool.run(found, ())?, (Some("1".into()), Some("/".into())));
    /// # Ok(())
    /// # }
    /// ```
    pub fn env(self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.attribute(|attributes| attributes.set_env(name.as_ref(), Some(value.as_ref())))
    }

    /// Removes a variable from the environment of each worker.
    pub fn env_remove(self, name: impl AsRef<OsStr>) -> Self {
        self.attribute(|attributes| attributes.set_env(name.as_ref(), None))
    }

    /// Empties the environment of each worker, except for what is set after this and for the mark of the
    /// tree (`PHALANX_TREE`), which every process has.
    pub fn env_clear(self) -> Self {
        self.attribute(SpawnAttributes::clear_env)
    }

    /// The working directory of each worker; a relative path begins in that of the process that makes the
    /// pool. Default: that of the program when it started its first process.
    pub fn current_dir(self, directory: impl AsRef<Path>) -> Self {
        self.attribute(|attributes| attributes.set_directory(directory.as_ref()))
    }

    /// The niceness of each worker, from -20 (first) to 19 (last), see nice(2). A lower one than the
    /// program's needs the privilege. Default: that of the program.
    pub fn nice(self, niceness: i32) -> Self {
        self.attribute(|attributes| attributes.nice = Some(niceness))
    }

    /// The cores on which the workers may run, by their numbers: all workers on all of them. At least one of
    /// them must exist and be allowed, see sched_setaffinity(2). Default: those of the program.
    pub fn affinity(self, cores: impl IntoIterator<Item = usize>) -> Self {
        self.attribute(|attributes| attributes.set_affinity(cores))
    }

    /// A limit of the operating system on each worker, see setrlimit(2). It cannot raise it again. Default:
    /// those of the program; for memory, see [`memory`](Self::memory).
    pub fn limit(self, limit: Limit, value: u64) -> Self {
        self.attribute(|attributes| attributes.set_limit(limit, value))
    }

    /// Where the standard output of each worker goes: to the [log](Output::Log) line by line, to a
    /// [file](Output::File), nowhere, or to the program's standard output, which is the default
    /// ([`Output::Inherit`]). It blocks and fails as for an [actor](crate::ActorBuilder::stdout).
    ///
    /// ```
    /// use phalanx::{Pool, command::Output};
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let file = std::env::temp_dir().join(format!("worked-{}", std::process::id()));
    /// let pool = Pool::builder().workers(1).stdout(Output::file(&file)).build()?;
    /// pool.run(|word: String| println!("{word}"), "done".to_owned())?;
    /// assert_eq!(std::fs::read_to_string(&file)?, "done\n");
    /// # std::fs::remove_file(&file)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stdout(self, output: Output) -> Self {
        self.attribute(|attributes| attributes.set_output(Channel::Stdout, output))
    }

    /// Where the standard error of each worker goes: see [`stdout`](Self::stdout). Default:
    /// [`Output::Inherit`].
    pub fn stderr(self, output: Output) -> Self {
        self.attribute(|attributes| attributes.set_output(Channel::Stderr, output))
    }

    /// Where both the standard output and the standard error of each worker go: see
    /// [`stdout`](Self::stdout). Default: [`Output::Inherit`].
    pub fn output(self, output: Output) -> Self {
        self.stdout(output.clone()).stderr(output)
    }

    /// Calls a function, or a closure that captures nothing, in each worker: after the options above are in
    /// force, and before the argument of [`init`](Self::init) is decoded. Several are called in order. A
    /// panic in it is a failed start, see [`intensity`](Self::intensity).
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    ///
    /// use phalanx::Pool;
    ///
    /// static SEED: AtomicU32 = AtomicU32::new(0);
    ///
    /// # #[phalanx::main]
    /// # fn main() -> phalanx::Result<()> {
    /// let pool = Pool::builder().workers(1).before_start(|| SEED.store(7, Relaxed)).build()?;
    /// assert_eq!((pool.run(|| SEED.load(Relaxed), ())?, SEED.load(Relaxed)), (7, 0)); // there, not here
    /// # Ok(())
    /// # }
    /// ```
    pub fn before_start<F: FnOnce() + Copy + 'static>(self, _: F) -> Self {
        const { assert!(size_of::<F>() == 0, "the function runs in another process: it cannot capture data") };
        self.with(|options| options.surroundings.hooks.push(OfHook::<F>::ENTRY))
    }
}
