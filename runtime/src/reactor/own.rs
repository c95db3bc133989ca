//! This process's own actor: its status page, and the sending end of its own mailbox.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use once_cell::sync::OnceCell;

use crate::reactor::context::{self, Identity};
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Card, Endpoint};
use crate::status::{Phase, StatusPage};
use crate::sys::per_process::COPY;
use crate::sys::seqpacket;

/// What a ref to the actor of this process is made of.
static OWN: OnceCell<Own> = OnceCell::new();

struct Own {
    status_page: &'static StatusPage,
    mailbox: &'static OwnedFd,
    endpoint: OnceCell<Arc<Endpoint>>,
}

/// In a new actor: keeps what it needs for a ref to itself.
pub(crate) fn set_own_endpoint(status_page: &'static StatusPage, mailbox: &'static OwnedFd) {
    let _ = OWN.set(Own { status_page, mailbox, endpoint: OnceCell::new() });
}

/// Whether this actor has been ordered to stop.
pub(crate) fn is_to_stop() -> bool {
    OWN.get().is_some_and(|own| own.status_page.stop_requested().is_some())
}

/// Whether this process has a mailbox: it is an actor or a task.
pub(crate) fn is_some() -> bool {
    OWN.get().is_some()
}

/// The endpoint of this process's own actor.
///
/// # Errors
/// At limits, and in a copy, which has no address. `NotFound` in the program.
pub(crate) fn endpoint() -> io::Result<Arc<Endpoint>> {
    match OWN.get() {
        Some(_) if context::is_copy() => Err(io::Error::other(COPY)),
        Some(own) => own.endpoint(),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// The endpoint of this process's own actor, if it is of that type.
pub(crate) fn own_endpoint(type_name: &str) -> Option<Arc<Endpoint>> {
    context::identity().filter(|own| own.type_name == type_name).and_then(|_| endpoint().ok())
}

/// The sending end of this process' own mailbox, if it has one.
pub(crate) fn own_mailbox() -> Option<BorrowedFd<'static>> {
    OWN.get().map(|own| own.mailbox.as_fd())
}

/// In an actor: wakes its main thread if it sleeps over an empty mailbox.
pub(crate) fn wake_main_thread() {
    if let Some(own) = OWN.get() {
        // If there is no room, there is a message to wake up for.
        let _ = seqpacket::send_raw(own.mailbox.as_fd(), b"w", &[]);
    }
}

/// Whether this actor has handled its last message.
pub(crate) fn is_stopping() -> bool {
    OWN.get().is_some_and(|own| own.status_page.phase() == Phase::Stopping)
}

impl Own {
    fn endpoint(&self) -> io::Result<Arc<Endpoint>> {
        let make = || {
            let status_page = StatusPage::open(self.status_page.file().try_clone_to_owned()?)?;
            let Identity { id, ref name, daemon, timeout, depth, .. } =
                *context::identity().ok_or(io::ErrorKind::NotFound)?;
            let name = name.as_str().into();
            let card = Card { id, name, daemon, timeout, depth };
            Reactor::get()?.intern(Endpoint::new(card, self.mailbox.try_clone()?, status_page))
        };
        self.endpoint.get_or_try_init(make).cloned()
    }
}
