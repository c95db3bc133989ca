//! Which code a new process runs: a constant in the executable, found by its offset.
//!
//! Every actor and task type has its own, made by the compiler when the type is spawned somewhere, so
//! generics work and nothing is registered. Before anything is called, the offset is checked against the
//! constant's own marks, the type's name and the build.

use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use crate::control::fd_store::FdStore;
use crate::ipc::envelope::Body;
use crate::ipc::user_code::framed;
use crate::policy::Drain;
use crate::status::StatusPage;
use crate::sys::executable::{self, Findable, Located};
use crate::types::method::{Method, method_name};
use crate::types::options::Recycle;

/// What a process of one type needs from its code.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) run: fn(Start) -> i32,
    pub(crate) type_name: fn() -> &'static str,
    pub(crate) methods: &'static [Method],
}

/// What user code starts with.
pub(crate) struct Start {
    pub(crate) init: Body,
    pub(crate) fds: Vec<OwnedFd>,
    pub(crate) receiver: OwnedFd,
    /// Mapped for good: signal handlers and the panic hook write to it.
    pub(crate) status_page: &'static StatusPage,
    pub(crate) fd_store: Option<FdStore>,
    pub(crate) recycle: Option<Recycle>,
    pub(crate) drain: Drain,
    pub(crate) buffer: Vec<u8>,
}

impl Findable for Entry {
    const MAGIC: u64 = 0x7068_616c_616e_7831;
}

/// A function that a new process calls before any other user code.
#[derive(Clone, Copy)]
pub(crate) struct Hook {
    pub(crate) run: fn(),
    pub(crate) type_name: fn() -> &'static str,
}

impl Findable for Hook {
    const MAGIC: u64 = 0x7068_616c_616e_7833;
}

/// The entry of a [`Hook`].
pub(crate) struct OfHook<F>(PhantomData<F>);

impl<F: FnOnce() + Copy + 'static> OfHook<F> {
    pub(crate) const ENTRY: &'static Located<Hook> = &Located::new(Hook {
        run: || {
            if let Some(function) = executable::from_zero_sized::<F>() {
                framed(|()| function(), ());
            }
        },
        type_name: std::any::type_name::<F>,
    });
}

/// Calls the function at this offset, if it is the one named. Returns whether it was.
pub(crate) fn run_hook(offset: u64, type_name: &str) -> bool {
    let found = Located::<Hook>::at(offset).filter(|found| (found.value.type_name)() == type_name);
    found.map(|found| (found.value.run)()).is_some()
}

/// The name of a method of the entry at this offset.
pub(crate) fn method_at(offset: u64, index: u32) -> Option<&'static str> {
    let methods = Located::<Entry>::at(offset)?.value.methods;
    (index < methods.len() as u32).then(|| method_name(methods, index))
}

/// The entry at this offset, if it is the one of the named type.
pub(crate) fn find(offset: u64, type_name: &str) -> Option<&'static Entry> {
    let found = &Located::<Entry>::at(offset)?.value;
    ((found.type_name)() == type_name).then_some(found)
}
