//! The functions that other processes can be told to call: what implements [`TaskFn`].

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use crate::control::function::{Function, Ran, Runner};
use crate::ipc::codec::{self, Portable};
use crate::ipc::user_code::framed;
use crate::sys::executable::{self, Located};
use crate::types::captureless::Captureless;
use crate::types::error::Never;

/// A function of this program: what [`Pool`](crate::Pool) is given to run.
///
/// Functions and closures that capture nothing, of up to eight arguments (which travel as a tuple; a single
/// one as it is); and `name::task()` of a [`#[task]`](macro@crate::task), which carries the error of a
/// function that returns a `Result`. Implemented by the crate, not by hand; `M` tells the compiler which of
/// these it is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of `{A}` that a pool can run",
    note = "it is a function, or a closure that captures nothing; several arguments are given as a tuple; arguments and result are serde and owned"
)]
pub trait TaskFn<A, M>: Copy + 'static {
    /// What it returns.
    type Value: Portable;
    /// Its own error; [`Never`] for what returns a plain value.
    type Error: Portable;

    #[doc(hidden)]
    fn function(self) -> Function;
}

fn value<T: Portable>(value: T, depth: u32) -> Ran {
    // The encoding of a `Result` begins with its variant: 0 for `Ok`, 1 for `Err`.
    let is_result = || std::any::type_name::<T>().starts_with("core::result::Result<");
    match codec::encode_away(value, depth) {
        Ok(encoded) => Ran::Value { is_err: encoded.bytes.first() == Some(&1) && is_result(), encoded },
        Err(error) => Ran::Result(error),
    }
}

fn no_state(_: &[u8], _: Vec<OwnedFd>, _: u32) -> Result<Box<dyn Any>, String> {
    Err("this function is a task".to_owned())
}

fn no_task(_: &[u8], _: Vec<OwnedFd>, _: u32, _: &mut dyn FnMut()) -> Ran {
    Ran::Arguments("this function makes a state".to_owned())
}

const CAPTURES: &str = "the function captures data";

struct Of<F, M>(PhantomData<(F, M)>);

macro_rules! functions {
    ($(($($arg:ident $ty:ident),*) $args:ty, ($($pattern:tt)*);)*) => {$(
        impl<F, T, $($ty),*> Of<F, fn($($ty),*) -> T>
        where
            F: Fn($($ty),*) -> T + Captureless,
            T: Portable,
            $($ty: Portable,)*
        {
            const ENTRY: &'static Located<Runner> = &Located::new(Runner {
                type_name: std::any::type_name::<F>,
                run: |args, fds, depth, begins| {
                    let Some(function) = executable::from_zero_sized::<F>() else {
                        return Ran::Arguments(CAPTURES.to_owned());
                    };
                    match codec::decode_within::<$args>(args, fds, depth) {
                        Ok($($pattern)*) => {
                            begins();
                            let call = |($($arg,)*)| function($($arg),*);
                            value(framed(call, ($($arg,)*)), depth)
                        }
                        Err(error) => Ran::Arguments(error),
                    }
                },
                keep: no_state,
            });
        }

        impl<F, T, $($ty),*> TaskFn<$args, fn($($ty),*) -> T> for F
        where
            F: Fn($($ty),*) -> T + Captureless,
            T: Portable,
            $($ty: Portable,)*
        {
            type Value = T;
            type Error = Never;

            fn function(self) -> Function {
                const { F::CHECK };
                Function { entry: Of::<F, fn($($ty),*) -> T>::ENTRY, label: None }
            }
        }
    )*};
}

functions! {
    () (), (());
    (a A) A, (a);
    (a A, b B) (A, B), ((a, b));
    (a A, b B, c C) (A, B, C), ((a, b, c));
    (a A, b B, c C, d D) (A, B, C, D), ((a, b, c, d));
    (a A, b B, c C, d D, e E) (A, B, C, D, E), ((a, b, c, d, e));
    (a A, b B, c C, d D, e E, f G) (A, B, C, D, E, G), ((a, b, c, d, e, f));
    (a A, b B, c C, d D, e E, f G, g H) (A, B, C, D, E, G, H), ((a, b, c, d, e, f, g));
    (a A, b B, c C, d D, e E, f G, g H, h I) (A, B, C, D, E, G, H, I), ((a, b, c, d, e, f, g, h));
}

/// A `#[task]` by name, as `name::task()` returns it: its value and its error are told apart.
pub struct TaskDef<A, T, E = Never> {
    function: Function,
    kind: PhantomData<fn(A) -> Result<T, E>>,
}

impl<A, T, E> TaskDef<A, T, E> {
    pub(super) fn of(function: Function) -> TaskDef<A, T, E> {
        TaskDef { function, kind: PhantomData }
    }
}

impl<A, T, E> fmt::Debug for TaskDef<A, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskDef").field(&self.function).finish()
    }
}

impl<A, T, E> Clone for TaskDef<A, T, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, T, E> Copy for TaskDef<A, T, E> {}

/// Tells the compiler that a task is meant by its name.
#[derive(Debug)]
#[doc(hidden)]
pub enum ByName {}

impl<A: Portable, T: Portable, E: Portable> TaskFn<A, ByName> for TaskDef<A, T, E> {
    type Value = T;
    type Error = E;

    fn function(self) -> Function {
        self.function
    }
}

/// The entry of a task that a pool runs by its name: a function `F` from `A` to `T`, or to a `Result<T, E>`.
pub(super) struct Named<F, A, T, E>(PhantomData<(F, A, T, E)>);

impl<F: Fn(A) -> T + Captureless, A: Portable, T: Portable> Named<F, A, T, ()> {
    pub(super) const ENTRY: &'static Located<Runner> = &Located::new(Runner {
        type_name: std::any::type_name::<F>,
        run: |args, fds, depth, begins| match (
            executable::from_zero_sized::<F>(),
            codec::decode_within::<A>(args, fds, depth),
        ) {
            (Some(function), Ok(args)) => {
                begins();
                value(framed(function, args), depth)
            }
            (None, _) => Ran::Arguments(CAPTURES.to_owned()),
            (_, Err(error)) => Ran::Arguments(error),
        },
        keep: no_state,
    });
}

impl<F, A, T, E> Named<F, A, T, (E,)>
where
    F: Fn(A) -> Result<T, E> + Captureless,
    A: Portable,
    T: Portable,
    E: Portable,
{
    pub(super) const ENTRY: &'static Located<Runner> = &Located::new(Runner {
        type_name: std::any::type_name::<F>,
        run: |args, fds, depth, begins| match (
            executable::from_zero_sized::<F>(),
            codec::decode_within::<A>(args, fds, depth),
        ) {
            (Some(function), Ok(args)) => {
                begins();
                match framed(function, args) {
                    Ok(answer) => value(answer, depth),
                    Err(error) => codec::encode_away(error, depth).map_or_else(Ran::Result, Ran::App),
                }
            }
            (None, _) => Ran::Arguments(CAPTURES.to_owned()),
            (_, Err(error)) => Ran::Arguments(error),
        },
        keep: no_state,
    });
}

struct Maker<F, A, S>(PhantomData<(F, A, S)>);

impl<F: Fn(A) -> S + Captureless, A: Portable, S: 'static> Maker<F, A, S> {
    const ENTRY: &'static Located<Runner> = &Located::new(Runner {
        type_name: std::any::type_name::<F>,
        run: no_task,
        keep: |args, fds, depth| {
            let function = executable::from_zero_sized::<F>().ok_or(CAPTURES)?;
            Ok(kept(framed(function, codec::decode_within::<A>(args, fds, depth)?)))
        },
    });
}

fn kept<S: 'static>(state: S) -> Box<dyn Any> {
    Box::new(state)
}

/// The function that makes a state of `args`.
pub(crate) fn state_maker<F: Fn(A) -> S + Captureless, A: Portable, S: 'static>(_: F) -> Function {
    const { F::CHECK };
    Function { entry: Maker::<F, A, S>::ENTRY, label: None }
}

struct TryMaker<F, A, S, E>(PhantomData<(F, A, S, E)>);

impl<F, A, S, E> TryMaker<F, A, S, E>
where
    F: Fn(A) -> Result<S, E> + Captureless,
    A: Portable,
    S: 'static,
    E: std::fmt::Display + 'static,
{
    const ENTRY: &'static Located<Runner> = &Located::new(Runner {
        type_name: std::any::type_name::<F>,
        run: no_task,
        keep: |args, fds, depth| {
            let function = executable::from_zero_sized::<F>().ok_or(CAPTURES)?;
            let state = framed(function, codec::decode_within::<A>(args, fds, depth)?)
                .map_err(|error| error.to_string())?;
            Ok(kept(state))
        },
    });
}

/// The function that makes a state of `args`, or fails.
pub(crate) fn try_state_maker<F, A, S, E>(_: F) -> Function
where
    F: Fn(A) -> Result<S, E> + Captureless,
    A: Portable,
    S: 'static,
    E: std::fmt::Display + 'static,
{
    const { F::CHECK };
    Function { entry: TryMaker::<F, A, S, E>::ENTRY, label: None }
}

/// A function that loads something for all processes that are forked later.
pub(crate) fn preloader<F: Fn(A) + Captureless, A: Portable>(function: F) -> Function {
    state_maker(function)
}
