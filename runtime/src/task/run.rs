//! What runs in a task's process.

use std::io::Write;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::child::panic;
use crate::child::setup::announce_ready;
use crate::control::entry::{Entry, Start};
use crate::ipc::bounds;
use crate::ipc::codec::{self, Portable};
use crate::ipc::user_code::{self, framed};
use crate::reactor::context;
use crate::spawn::tree;
use crate::status::{ExitNotice, StatusPage, StopMode};
use crate::sys::executable::{self, Located};
use crate::types::exit::PANIC_CODE;
use crate::types::method::Method;

/// A task is one message to itself.
const TASK: &[Method] = &[Method::ask("task")];

/// The entry of a task type: a function `F` from `A` to `T`, or to a `Result<T, E>`.
pub(crate) struct OfTask<F, A, T, E>(PhantomData<(F, A, T, E)>);

impl<F: FnOnce(A) -> T + Copy + 'static, A: Portable, T: Portable> OfTask<F, A, T, ()> {
    pub(crate) const ENTRY: &'static Located<Entry> =
        &Located::new(Entry { run: value::<F, A, T>, type_name: std::any::type_name::<F>, methods: TASK });
}

impl<F: FnOnce(A) -> Result<T, E> + Copy + 'static, A: Portable, T: Portable, E: Portable>
    OfTask<F, A, T, (E,)>
{
    pub(crate) const FALLIBLE: &'static Located<Entry> = &Located::new(Entry {
        run: result::<F, A, T, E>,
        type_name: std::any::type_name::<F>,
        methods: TASK,
    });
}

/// What a task leaves behind: bytes behind its status page, where they outlive its process.
#[derive(Serialize, Deserialize)]
pub(crate) enum Left {
    Value(#[serde(with = "serde_bytes")] Vec<u8>),
    App(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The result could not be encoded.
    Codec(String),
}

/// Runs a function that returns a value.
pub(crate) fn value<F: FnOnce(A) -> T + Copy + 'static, A: Portable, T: Portable>(start: Start) -> i32 {
    run::<F, A>(start, |function, args| left(Left::Value, framed(function, args)))
}

/// Runs a function that returns a `Result`.
pub(crate) fn result<F, A, T, E>(start: Start) -> i32
where
    F: FnOnce(A) -> Result<T, E> + Copy + 'static,
    A: Portable,
    T: Portable,
    E: Portable,
{
    run::<F, A>(start, |function, args| match framed(function, args) {
        Ok(value) => left(Left::Value, value),
        Err(error) => left(Left::App, error),
    })
}

/// The result outlives this process, so no process would keep a descriptor in it open.
fn left<T: Portable>(kind: fn(Vec<u8>) -> Left, value: T) -> Left {
    codec::encode_plain_away(value, bounds::here()).map_or_else(Left::Codec, kind)
}

fn run<F: Copy + 'static, A: Portable>(start: Start, call: impl FnOnce(F, A) -> Left) -> i32 {
    let Start { init, fds, receiver, status_page, .. } = start;
    let (Some(function), args) =
        (executable::from_zero_sized::<F>(), codec::decode_within::<A>(&init, fds, bounds::here()))
    else {
        return fail(status_page, "the function captures data");
    };
    context::leave_if_copy();
    let args = match args {
        Ok(args) => args,
        Err(error) => return fail(status_page, &error),
    };
    announce_ready(status_page, &receiver);
    status_page.begin(0, 1, 0, 0);
    let handling = context::handling(0);
    let outcome = user_code::caught(|| call(function, args));
    drop(handling);
    context::leave_if_copy();
    let left = match outcome {
        Ok(left) => left,
        Err(payload) => {
            panic::correct(status_page, &*payload);
            status_page.note_exit(ExitNotice::Panicked);
            return PANIC_CODE;
        }
    };
    status_page.finish();
    // A task ends as a program does: its own children first.
    tree::shut_down(StopMode::Drain);
    let _ = std::io::stdout().flush();
    let keep = |left: &Left| {
        let bytes = postcard::to_stdvec(left).map_err(std::io::Error::other)?;
        status_page.leave_result(&bytes)
    };
    // A result that there is no room for is an error that says so.
    let kept = keep(&left).or_else(|error| keep(&Left::Codec(format!("cannot keep the result: {error}"))));
    match kept {
        Ok(()) => {
            status_page.note_exit(ExitNotice::Returned);
            0
        }
        Err(error) => fail(status_page, &error.to_string()),
    }
}

fn fail(status_page: &StatusPage, error: &str) -> i32 {
    status_page.last_words(error, "", None);
    status_page.note_exit(ExitNotice::Undecodable);
    1
}
