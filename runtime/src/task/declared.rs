//! What the expansion of a `#[task]` knows of its function: how a process runs it, and how a pool does.
//!
//! All that is asked of its types is asked where this is made, so that a type that cannot travel is one error
//! of the compiler.

use std::fmt;
use std::marker::PhantomData;

use crate::actor::roles::{AppError, Arguments, Returned};
use crate::control::entry::Entry;
use crate::control::function::Function;
use crate::control::request::Kind;
use crate::ipc::bounds;
use crate::ipc::codec::{self, Encoded};
use crate::spawn::plan::Plan;
use crate::sys::executable::Located;
use crate::task::function::{Named, TaskDef};
use crate::task::process::ProcessBuilder;
use crate::task::run::OfTask;
use crate::types::captureless::Captureless;
use crate::types::error::Never;
use crate::types::options::Options;

/// A task: a process takes its arguments as an `A`, and a pool as a `P`.
#[doc(hidden)]
pub struct DeclaredTask<A, P, T, E = Never> {
    name: &'static str,
    entry: &'static Located<Entry>,
    function: Function,
    encode: fn(A, u32) -> Result<Encoded, String>,
    kind: PhantomData<fn(P) -> Result<T, E>>,
}

impl<A, P, T, E> fmt::Debug for DeclaredTask<A, P, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeclaredTask").field(&self.name).finish()
    }
}

impl<A, P, T, E> DeclaredTask<A, P, T, E> {
    pub fn builder(&self, args: A, options: Options) -> ProcessBuilder<T, E> {
        let args = (self.encode)(args, bounds::SOUNDED);
        let plan = Plan::new(Kind::Task, Some(self.entry), args, Options::DEFAULT);
        ProcessBuilder::of(plan).with(self.name, options)
    }

    /// The task as what a pool is given to run.
    pub fn by_name(&self) -> TaskDef<P, T, E> {
        TaskDef::of(self.function)
    }
}

/// For a function that returns a value: as a process calls it, and as a pool does.
pub const fn task<F, G, A: Arguments, T: Returned>(
    _: F,
    _: G,
    name: &'static str,
) -> DeclaredTask<A, A::Taken, T>
where
    F: FnOnce(A) -> T + Captureless,
    G: Fn(A::Taken) -> T + Captureless,
{
    let function = Function { entry: Named::<G, A::Taken, T, ()>::ENTRY, label: Some(name) };
    let entry = OfTask::<F, A, T, ()>::ENTRY;
    DeclaredTask { name, entry, function, encode: codec::encode_away, kind: PhantomData }
}

/// For a function that returns a `Result`.
pub const fn task_result<F, G, A: Arguments, T: Returned, E: AppError>(
    _: F,
    _: G,
    name: &'static str,
) -> DeclaredTask<A, A::Taken, T, E>
where
    F: FnOnce(A) -> Result<T, E> + Captureless,
    G: Fn(A::Taken) -> Result<T, E> + Captureless,
{
    let function = Function { entry: Named::<G, A::Taken, T, (E,)>::ENTRY, label: Some(name) };
    let entry = OfTask::<F, A, T, (E,)>::FALLIBLE;
    DeclaredTask { name, entry, function, encode: codec::encode_away, kind: PhantomData }
}
