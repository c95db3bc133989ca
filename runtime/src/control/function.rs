//! A function that can be named in a message: another process of the same program finds it and calls it.

use std::any::Any;
use std::fmt;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::ipc::codec::Encoded;
use crate::sys::executable::{Findable, Located};

/// The outcome of a call.
pub(crate) enum Ran {
    /// The function's value; `is_err` if it is an `Err`.
    Value { encoded: Encoded, is_err: bool },
    /// The `Err` of a function that was named by its `#[task]`.
    App(Encoded),
    /// The arguments could not be decoded: the function was not called.
    Arguments(String),
    /// Its value could not be encoded.
    Result(String),
}

pub(crate) type Run = fn(&[u8], Vec<OwnedFd>, u32, &mut dyn FnMut()) -> Ran;
pub(crate) type Keep = fn(&[u8], Vec<OwnedFd>, u32) -> Result<Box<dyn Any>, String>;

/// What a process needs to call one function.
#[derive(Clone, Copy)]
pub(crate) struct Runner {
    pub(crate) type_name: fn() -> &'static str,
    /// Decodes the arguments (the depth bounds them and the value), reports the start, and calls.
    pub(crate) run: Run,
    /// Calls a function whose value stays in the process.
    pub(crate) keep: Keep,
}

impl Findable for Runner {
    const MAGIC: u64 = 0x7068_616c_616e_7865;
}

/// Which function.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Function {
    pub(crate) entry: &'static Located<Runner>,
    /// Its name, if that is not the name of its type.
    pub(crate) label: Option<&'static str>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.short_name()).finish()
    }
}

/// A function as a message names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FunctionName {
    offset: u64,
    type_name: String,
}

impl Function {
    /// The path of the function.
    pub(crate) fn path(self) -> &'static str {
        (self.entry.value.type_name)()
    }

    /// Its name without the path.
    pub(crate) fn short_name(self) -> &'static str {
        if let Some(label) = self.label {
            return label;
        }
        let path = self.path().trim_end_matches("::{{closure}}");
        let plain = path.find('<').unwrap_or(path.len());
        path[..plain].rfind("::").map_or(path, |at| &path[at + 2..])
    }

    /// The name for a message; `None` if it lies in a shared library, where other processes would not find
    /// it.
    pub(crate) fn name(self) -> Option<FunctionName> {
        Some(FunctionName { offset: self.entry.offset()?, type_name: self.path().to_owned() })
    }

    /// Whether it lies in the program itself, where all its processes find it.
    pub(crate) fn is_here(self) -> bool {
        self.entry.offset().is_some()
    }

    pub(crate) fn is(self, other: Function) -> bool {
        std::ptr::eq(self.entry, other.entry)
    }
}

impl FunctionName {
    /// The function of this name, if this program has it.
    pub(crate) fn find(&self) -> Option<&'static Runner> {
        let found = &Located::<Runner>::at(self.offset)?.value;
        ((found.type_name)() == self.type_name).then_some(found)
    }
}

impl Runner {
    pub(crate) fn run(&self, args: &[u8], fds: Vec<OwnedFd>, depth: u32, begins: &mut dyn FnMut()) -> Ran {
        (self.run)(args, fds, depth, begins)
    }

    pub(crate) fn keep(&self, args: &[u8], fds: Vec<OwnedFd>, depth: u32) -> Result<Box<dyn Any>, String> {
        (self.keep)(args, fds, depth)
    }
}
