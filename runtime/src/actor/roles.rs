//! The parts that a type can have in an actor: argument, reply, error, state. Each is [`Portable`] under
//! another name, so that the compiler's error has the remedy for that part.
//!
//! An error is about the type itself, not about the tuple or the struct that it travels in: the traits of
//! single types have their blanket implementation left out of errors, those of compound ones have not.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ipc::codec::Portable;

/// One argument of a message, of an `#[init]` or of a task.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes, and is an argument",
    label = "has to be serde's `Serialize` and `Deserialize`, and own its data",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it; if it is of another crate, that may have a feature `serde`",
    note = "a resource (a file, a thread, a connection) is made in the process that uses it, of arguments such as its path: see `#[init]`; an open descriptor travels as a `phalanx::Fd`"
)]
pub trait Argument: Portable {}

#[diagnostic::do_not_recommend]
impl<T: Portable> Argument for T {}

/// What a message replies, or a task returns.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes, and is returned to the caller",
    label = "has to be serde's `Serialize` and `Deserialize`, and own its data",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on it; if it is of another crate, that may have a feature `serde`",
    note = "a resource (a file, a thread, a connection) stays in its process: return what was read from it; an open descriptor travels as a `phalanx::Fd`"
)]
pub trait Returned: Portable {}

#[diagnostic::do_not_recommend]
impl<T: Portable> Returned for T {}

/// The error of a message or of a task.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes, and is the error that the caller gets",
    label = "has to be serde's `Serialize` and `Deserialize`, and own its data",
    note = "map it to a type of yours or to text: `.map_err(|error| error.to_string())`, with `String` as the error of the `Result`",
    note = "if it is a type of yours, put `#[derive(serde::Serialize, serde::Deserialize)]` on it"
)]
pub trait AppError: Portable {}

#[diagnostic::do_not_recommend]
impl<T: Portable> AppError for T {}

/// One field of an actor that has no `#[init]`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between processes, and is a field of an actor: derive serde's traits for it, or make it in an `#[init]`",
    label = "an actor without `#[init]` is sent to its process, with all its fields",
    note = "put `#[derive(serde::Serialize, serde::Deserialize)]` on `{Self}`; if it is of another crate, that may have a feature `serde`",
    note = "or make it in the actor's process, by a function `#[init] fn new(..) -> Self` in the impl block: then no field has to travel"
)]
pub trait Field: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Field for T {}

/// The state of an actor that has no `#[init]`.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel to its process: derive serde's traits for it, or make it in an `#[init]`",
    label = "an actor without `#[init]` is sent to its process"
)]
pub trait State: Serialize + DeserializeOwned + 'static {}

impl<T: Serialize + DeserializeOwned + 'static> State for T {}

/// The arguments of a function, as a tuple.
#[doc(hidden)]
pub trait Arguments: Portable {
    /// The arguments as a pool takes them: a single one by itself.
    type Taken: Portable;
}

impl<A: Argument> Arguments for (A,) {
    type Taken = A;
}

macro_rules! arguments {
    ($($ty:ident)*) => {
        impl<$($ty: Argument),*> Arguments for ($($ty,)*) {
            type Taken = ($($ty,)*);
        }
    };
}

arguments!();
arguments!(A B);
arguments!(A B C);
arguments!(A B C D);
arguments!(A B C D E);
arguments!(A B C D E F);
arguments!(A B C D E F G);
arguments!(A B C D E F G H);
arguments!(A B C D E F G H I);
arguments!(A B C D E F G H I J);
arguments!(A B C D E F G H I J K);
arguments!(A B C D E F G H I J K L);
arguments!(A B C D E F G H I J K L M);
arguments!(A B C D E F G H I J K L M N);
arguments!(A B C D E F G H I J K L M N O);
arguments!(A B C D E F G H I J K L M N O P);
