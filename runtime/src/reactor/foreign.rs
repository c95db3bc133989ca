//! Endpoints for the two processes that have no status page of a supervisor: the program, and a process's own
//! parent.
//!
//! A socket pair tells their ends by hanging up. The program alone holds the inner end of its own pair. For a
//! parent, the child itself holds it, in a thread that waits for the parent's pidfd: a ref to each parent
//! would cost every child two more descriptors in its supervisor, and is rarely used, because children do not
//! outlive their parents for long.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::ipc::envelope::Envelope;
use crate::ipc::{bounds, channel};
use crate::reactor::context;
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Card, Endpoint};
use crate::status::StatusPage;
use crate::sys::per_process::Own;
use crate::sys::{fd, poll, process, procfs};

static PROGRAM: Own<OnceCell<(Arc<Endpoint>, OwnedFd)>> = Own::new();
static PARENT: Own<OnceCell<Arc<Endpoint>>> = Own::new();

/// In the program: the endpoint that other processes know it by.
pub(crate) fn program() -> io::Result<Arc<Endpoint>> {
    PROGRAM
        .here()
        .get_or_try_init(|| endpoint(context::PROGRAM, process::pid()))
        .map(|(endpoint, _)| Arc::clone(endpoint))
}

/// In a child: the endpoint of the process that spawned it.
pub(crate) fn parent(pid: u32) -> io::Result<Arc<Endpoint>> {
    let watch = || {
        let (parent, inner_end) = endpoint(&procfs::name_of(pid as i32).unwrap_or_default(), pid as i32)?;
        match pidfd_of(pid as i32) {
            Some(pidfd) => {
                std::thread::Builder::new()
                    .name("phalanx-parent".into())
                    .stack_size(128 * 1024)
                    .spawn(move || await_end(&pidfd, &inner_end))?;
            }
            // Gone already.
            None => fd::shut_down(inner_end.as_fd()),
        }
        Ok(parent)
    };
    PARENT.here().get_or_try_init(watch).cloned()
}

fn await_end(pidfd: &OwnedFd, inner_end: &OwnedFd) {
    while !poll::readable(pidfd.as_fd(), None).unwrap_or(false) {
        // Interrupted.
        poll::pause(Duration::from_millis(1));
    }
    fd::shut_down(inner_end.as_fd());
}

/// Opens the process unless it is younger than this one: then it only has the number of the one that was
/// there.
fn pidfd_of(pid: i32) -> Option<OwnedFd> {
    let pidfd = process::pidfd(pid).ok()?;
    let (theirs, ours) = (procfs::started(pid)?, procfs::started(process::pid())?);
    (theirs <= ours).then_some(pidfd)
}

/// Makes an endpoint for a living process; the returned end of the socket says that it lives for as long as
/// it is open.
fn endpoint(name: &str, pid: i32) -> io::Result<(Arc<Endpoint>, OwnedFd)> {
    let (sender, receiver) = channel::pair::<Envelope>()?;
    let status_page = StatusPage::create(1, false)?;
    status_page.started(pid, 1);
    status_page.ready();
    let (id, name, daemon, timeout) = (process::random() | 2, name.into(), false, Duration::ZERO);
    let card = Card { id, name, daemon, timeout, depth: bounds::DEPTH };
    Ok((Reactor::get()?.intern(Endpoint::new(card, sender, status_page))?, receiver))
}
