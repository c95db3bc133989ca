//! What a program (or an actor) asks of its supervisor, and how it gets there.
//!
//! One packet per request, in the format of the mailboxes. There is no answer: what becomes of a spawn is read in the
//! ledger that comes with it, and the mailbox's bell says when to look.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::codec::Encoded;
use crate::mailbox::envelope::{Body, Outgoing, Sealed, packet, parse};
use crate::mailbox::ledger::{Ledger, StopMode};
use crate::sys::{frame, poll, time};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request<P = ByteBuf> {
    /// Descriptors: mailbox (receiving end), mailbox (sending end), ledger; those of the payload.
    Spawn(Box<Spec>, Payload<P>),
    /// The end of the program: everything is to end, in order. Means the supervisor of this term only: see [`shut_down`].
    Shutdown(StopMode, u32),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payload<P = ByteBuf> {
    large: bool,
    bytes: P,
}

/// What kind of process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Handles messages until it is stopped.
    Actor,
    /// Runs a function and ends.
    Task,
}

/// Everything a supervisor has to know of a process to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) daemon: bool,
    /// Where its code is, and how to know it again.
    pub(crate) entry: u64,
    pub(crate) type_name: String,
    pub(crate) build: u64,
    /// The pid of whoever spawns it.
    pub(crate) parent: u32,
    /// How long it may take to be ready.
    pub(crate) start: Duration,
    /// How long a handler may run, if there is a limit.
    pub(crate) deadline: Option<Duration>,
    /// How long it may take to stop once it is asked to.
    pub(crate) grace: Duration,
    /// The limit on its private memory, in bytes.
    pub(crate) memory: Option<u64>,
    /// The filter of the log, if the program has one.
    pub(crate) log: Option<String>,
}

/// The descriptors of a spawn, apart from those of the payload.
pub(crate) struct Ends<'a> {
    pub(crate) receiver: BorrowedFd<'a>,
    pub(crate) sender: BorrowedFd<'a>,
    pub(crate) ledger: BorrowedFd<'a>,
}

/// A spawn as it comes in.
pub(crate) struct Spawn {
    pub(crate) spec: Spec,
    pub(crate) receiver: OwnedFd,
    pub(crate) sender: OwnedFd,
    pub(crate) ledger: Ledger,
    pub(crate) init: Body,
    pub(crate) fds: Vec<OwnedFd>,
}

/// What came in on a control channel.
pub(crate) enum Asked {
    Spawn(Box<Spawn>),
    Shutdown(StopMode, u32),
    /// Not a request, or without its descriptors (there was no room for them), or with a ledger that cannot be mapped: those that
    /// came are closed, which the one who asks sees at the mailbox.
    Nonsense,
    /// Nothing now.
    Nothing,
    /// Whoever owns this supervisor is gone.
    Closed,
}

/// Asks for a process.
///
/// # Errors
/// `TimedOut` if the supervisor takes no requests until `deadline`, `BrokenPipe` if it is gone.
pub(crate) fn spawn(
    control: BorrowedFd<'_>,
    spec: Spec,
    init: Encoded,
    ends: &Ends<'_>,
    deadline: u64,
) -> io::Result<()> {
    let first = [ends.receiver, ends.sender, ends.ledger];
    let outgoing = Outgoing::new(init, first.len())?;
    let payload = Payload { large: outgoing.is_large(), bytes: outgoing.bytes() };
    let bytes = packet(&Request::Spawn(Box::new(spec), payload))?;
    let mut sealed = Sealed::new(outgoing, bytes);
    until_sent(deadline, || sealed.send(control, &first))
}

/// Asks for the end of the supervisor of this term (how many an actor had before it; always 0 for the program's), and of
/// no later one that finds the request still lying there.
pub(crate) fn shut_down(control: BorrowedFd<'_>, mode: StopMode, term: u32, deadline: u64) -> io::Result<()> {
    let mut bytes = packet(&Request::<ByteBuf>::Shutdown(mode, term))?;
    until_sent(deadline, || frame::send(control, &mut bytes, &[]))
}

/// A supervisor reads requests as they come, so a full channel empties soon; still there is a limit to waiting.
fn until_sent(deadline: u64, mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if time::now() >= deadline {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                poll::pause(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

/// Takes one request out of a control channel, without waiting.
pub(crate) fn receive(control: BorrowedFd<'_>, buffer: &mut [u8]) -> Asked {
    let packet = match frame::receive(control, buffer, false) {
        Ok(Some(packet)) => packet,
        Ok(None) => return Asked::Closed,
        Err(_) => return Asked::Nothing,
    };
    if packet.truncated {
        return Asked::Nonsense;
    }
    match parse::<Request>(&buffer[..packet.len]) {
        Some(Request::Shutdown(mode, term)) => Asked::Shutdown(mode, term),
        Some(Request::Spawn(spec, payload)) => match open(*spec, payload, packet.fds) {
            Some(spawn) => Asked::Spawn(Box::new(spawn)),
            None => Asked::Nonsense,
        },
        None => Asked::Nonsense,
    }
}

/// How many requests are dropped at a time: more than a socket holds, and still a bound.
const DISCARDED: usize = 1024;

/// Drops the requests that nobody will serve, without looking at them: whoever asked sees the mailboxes close.
pub(crate) fn discard(control: BorrowedFd<'_>, buffer: &mut [u8]) {
    for _ in 0..DISCARDED {
        let Ok(Some(_)) = frame::receive(control, buffer, false) else { return };
    }
}

fn open(spec: Spec, payload: Payload, fds: Vec<OwnedFd>) -> Option<Spawn> {
    let mut fds = fds.into_iter();
    let (receiver, sender, ledger) = (fds.next()?, fds.next()?, fds.next()?);
    let init = Body::open(payload.bytes, payload.large, &mut fds).ok()?;
    let ledger = Ledger::open(ledger).ok()?;
    Some(Spawn { spec, receiver, sender, ledger, init, fds: fds.collect() })
}

impl<'a> Ends<'a> {
    pub(crate) fn new(receiver: &'a OwnedFd, sender: BorrowedFd<'a>, ledger: BorrowedFd<'a>) -> Ends<'a> {
        Ends { receiver: receiver.as_fd(), sender, ledger }
    }
}
