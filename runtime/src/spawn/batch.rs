//! Processes that are requested from a supervisor together: one, or a supervisor with all below it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::control::fd_store::FdStore;
use crate::control::link::PATIENCE;
use crate::control::request::{self, BatchPart, Ends, Spec};
use crate::ipc::codec::Encoded;
use crate::reactor::endpoint::Endpoint;
use crate::sys::{clock, process};

/// A process of a batch.
pub(crate) struct Node {
    /// The parent's position among the nodes before it; meaningless in the first.
    pub(crate) under: u32,
    pub(crate) spec: Spec,
    pub(crate) init: Encoded,
    pub(crate) receiver: OwnedFd,
    /// For an actor or a task that the program keeps.
    pub(crate) fd_store: Option<FdStore>,
    pub(crate) endpoint: Arc<Endpoint>,
}

/// The processes in the order in which they are sent: a child after its parent and its elder siblings.
pub(crate) struct Batch(Vec<Node>);

impl Batch {
    /// Makes a batch of at least one process.
    pub(crate) fn new(nodes: Vec<Node>) -> Batch {
        Batch(nodes)
    }

    /// The process above all others.
    pub(crate) fn top(&self) -> &Node {
        &self.0[0]
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.0
    }

    /// Sends the requests, one packet each.
    ///
    /// # Errors
    /// `TimedOut` if the supervisor takes no requests, `BrokenPipe` if it is gone, and at limits.
    pub(crate) fn send(&self, control: BorrowedFd<'_>) -> io::Result<()> {
        let places = places(self.0.len());
        self.0.iter().zip(places).try_for_each(|(node, place)| {
            let init = node.init.clone();
            node.send(control, init, place(node.under))
        })
    }

    /// Sends the requests for the last time: closes the receiving ends, which only the supervisor and the
    /// processes keep. When those are gone, every holder of a sending end sees it.
    ///
    /// # Errors
    /// As [`Batch::send`].
    pub(crate) fn send_once(self, control: BorrowedFd<'_>) -> io::Result<()> {
        let places = places(self.0.len());
        self.0.into_iter().zip(places).try_for_each(|(mut node, place)| {
            let init = std::mem::take(&mut node.init);
            node.send(control, init, place(node.under))
        })
    }
}

/// For each of `count` processes, makes its place from the position of its parent.
fn places(count: usize) -> impl Iterator<Item = impl Fn(u32) -> BatchPart> {
    let batch = process::random();
    (1..=count).map(move |number| {
        move |under| match count {
            1 => BatchPart::alone(),
            _ => BatchPart { batch, under, last: number == count },
        }
    })
}

impl Node {
    fn send(&self, control: BorrowedFd<'_>, init: Encoded, place: BatchPart) -> io::Result<()> {
        let ends = Ends {
            receiver: self.receiver.as_fd(),
            sender: self.endpoint.mailbox(),
            status_page: self.endpoint.status_page.file(),
            fd_store: self.fd_store.as_ref().map(FdStore::ends),
        };
        request::spawn(control, self.spec.clone(), init, &ends, place, clock::after(PATIENCE))
    }
}
