//! Asking the registry, from any process of the tree.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use super::protocol::{Answer, Refusal, Request, Wanted, is_name};
use super::thread;
use crate::ipc::envelope::{packet, parse};
use crate::ipc::uplink;
use crate::reactor::driver::Reactor;
use crate::reactor::endpoint::{Card, Endpoint};
use crate::registry::protocol;
use crate::status::{StatusPage, cut};
use crate::sys::verdict::Verdict;
use crate::sys::{clock, fd, poll, seqpacket};
use crate::types::name_error::NameError;

/// How long the program may take to reply.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no reply, or not the one that was hoped for.
#[derive(Debug)]
pub(crate) enum Trouble {
    Refused(Refusal),
    BadName,
    /// Another process is starting an actor of this name, and was still at it when the time was up.
    Starting,
    Unreachable(String),
}

impl Trouble {
    /// The error for the caller that asked for `name`, of type `asked`.
    pub(crate) fn named(self, name: &str, asked: &str) -> NameError {
        let name = cut(name, protocol::NAME).to_owned();
        match self {
            Trouble::BadName => NameError::BadName { name },
            Trouble::Refused(Refusal::NotFound) => NameError::NotFound { name },
            Trouble::Refused(Refusal::Taken { pid }) => NameError::AlreadyRegistered { name, pid },
            Trouble::Refused(Refusal::WrongType { is }) => {
                NameError::WrongType { name, is, asked: asked.to_owned() }
            }
            Trouble::Refused(Refusal::Dead) => NameError::Dead { name },
            Trouble::Refused(Refusal::Full(limit)) => NameError::Full { name, limit: limit.text().into() },
            Trouble::Refused(Refusal::Nonsense) => {
                NameError::Unreachable { name, error: "the program has refused the request".to_owned() }
            }
            Trouble::Starting => NameError::Starting { name },
            Trouble::Unreachable(error) => NameError::Unreachable { name, error },
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Unreachable(error.to_string())
    }
}

/// A reply of the registry.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    fds: std::vec::IntoIter<OwnedFd>,
    /// The asker's end of the conversation.
    conversation: OwnedFd,
}

/// A name that is kept for the holder of this.
pub(crate) struct Reservation {
    name: String,
    ticket: u64,
    /// The name is kept for as long as this is open.
    _conversation: OwnedFd,
}

/// Asks once. `refs` are the descriptors that the request speaks of.
pub(crate) fn ask(name: &str, wanted: Wanted, refs: &[BorrowedFd<'_>]) -> Result<Answered, Trouble> {
    if !is_name(name) && !matches!(wanted, Wanted::List) {
        return Err(Trouble::BadName);
    }
    let Some(line) = uplink::names() else {
        // A program without a tree has no actors, and every process in a tree has the uplink.
        return Err(Trouble::Refused(Refusal::NotFound));
    };
    thread::start_registry()?;
    let deadline = clock::after(PATIENCE);
    let (ours, theirs) = fd::seqpacket_pair()?;
    let mut bytes = packet(&Request { name: name.to_owned(), wanted })?;
    if bytes.len() > seqpacket::HEADER + seqpacket::MAX_DATA {
        return Err(Trouble::Unreachable("the name of the type is too long".to_owned()));
    }
    let fds: Vec<BorrowedFd<'_>> = std::iter::once(theirs.as_fd()).chain(refs.iter().copied()).collect();
    send(line, &mut bytes, &fds, deadline)?;
    // From now on the only other end is in the uplink or in the program: if it is lost, we see it.
    drop(theirs);
    receive(ours, deadline)
}

/// Sends the request. The uplink may be full for a moment: every process writes there, and the program reads
/// as fast as it can.
fn send(
    line: BorrowedFd<'_>,
    bytes: &mut [u8],
    fds: &[BorrowedFd<'_>],
    deadline: u64,
) -> Result<(), Trouble> {
    loop {
        let error = match seqpacket::send(line, bytes, fds) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                return Err(Trouble::Unreachable("the name registry is gone".to_owned()));
            }
            // Full, or so many descriptors are under way that the system wants some to arrive first.
            _ if Verdict::of(&error) == Verdict::Passes => {
                if clock::now() >= deadline {
                    return Err(Trouble::Unreachable(format!("not sent within {PATIENCE:?}: {error}")));
                }
                poll::pause(Duration::from_millis(1));
            }
            _ => return Err(error.into()),
        }
    }
}

fn receive(conversation: OwnedFd, deadline: u64) -> Result<Answered, Trouble> {
    if !await_readable(conversation.as_fd(), deadline)? {
        return Err(Trouble::Unreachable(format!("no reply within {PATIENCE:?}")));
    }
    let mut buffer = seqpacket::buffer();
    match seqpacket::receive(conversation.as_fd(), &mut buffer, false)? {
        None => Err(Trouble::Unreachable("the program has dropped the request".to_owned())),
        Some(packet) if packet.truncated => {
            Err(Trouble::Unreachable("no descriptor is left in this process".to_owned()))
        }
        Some(packet) => match parse::<Answer>(&buffer[..packet.len]) {
            Some(Answer::Refused(refusal)) => Err(Trouble::Refused(refusal)),
            Some(answer) => Ok(Answered { answer, fds: packet.fds.into_iter(), conversation }),
            None => Err(garbled()),
        },
    }
}

/// Waits until `socket` can be read or hangs up; returns whether that came in time.
fn await_readable(socket: BorrowedFd<'_>, deadline: u64) -> io::Result<bool> {
    loop {
        match poll::readable(socket, Some(clock::until(deadline))) {
            Ok(true) => return Ok(true),
            Ok(false) if clock::now() >= deadline => return Ok(false),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Like [`ask`], but while another process starts an actor of this name, waits for the outcome and asks
/// again, until `deadline`.
fn ask_patiently(
    name: &str,
    mut wanted: impl FnMut() -> Wanted,
    refs: &[BorrowedFd<'_>],
    deadline: u64,
) -> Result<Answered, Trouble> {
    loop {
        let mut answered = ask(name, wanted(), refs)?;
        if answered.answer != Answer::Wait {
            return Ok(answered);
        }
        let other = answered.fds.next().ok_or_else(garbled)?;
        if !await_readable(other.as_fd(), deadline)? || clock::now() >= deadline {
            return Err(Trouble::Starting);
        }
    }
}

fn garbled() -> Trouble {
    Trouble::Unreachable("malformed reply of the program".to_owned())
}

impl Answered {
    /// Whether the request changed anything.
    pub(crate) fn has_changed(self) -> Result<bool, Trouble> {
        match self.answer {
            Answer::Done(changed) => Ok(changed),
            _ => Err(garbled()),
        }
    }

    /// The actors in the reply, and the place behind which there are more, or 0.
    pub(crate) fn actors(mut self) -> Result<(Vec<Arc<Endpoint>>, u64), Trouble> {
        let Answer::Actors { cards, more } = self.answer else { return Err(garbled()) };
        let fds = &mut self.fds;
        let endpoints: Result<Vec<_>, _> = cards.into_iter().map(|card| intern(card, fds)).collect();
        Ok((endpoints?, more))
    }
}

fn intern(card: Card, fds: &mut impl Iterator<Item = OwnedFd>) -> Result<Arc<Endpoint>, Trouble> {
    let (Some(mailbox), Some(status_page)) = (fds.next(), fds.next()) else { return Err(garbled()) };
    Ok(Reactor::get()?.intern(Endpoint::new(card, mailbox, StatusPage::open(status_page)?))?)
}

/// Enters an actor under a name.
pub(crate) fn register(name: &str, type_name: &str, endpoint: &Endpoint) -> Result<(), Trouble> {
    enter(name, type_name, endpoint, 0)
}

fn enter(name: &str, type_name: &str, endpoint: &Endpoint, ticket: u64) -> Result<(), Trouble> {
    let wanted = || Wanted::Register { type_name: type_name.to_owned(), card: endpoint.card.clone(), ticket };
    ask_patiently(name, wanted, &endpoint.descriptors(), clock::after(PATIENCE))?.has_changed().map(drop)
}

/// Reserves a name for an actor that is about to be started; waits until `deadline` while other processes do
/// that.
pub(crate) fn reserve(name: &str, deadline: u64) -> Result<Reservation, Trouble> {
    let answered = ask_patiently(name, || Wanted::Reserve, &[], deadline)?;
    match answered.answer {
        Answer::Reserved(ticket) => {
            Ok(Reservation { name: name.to_owned(), ticket, _conversation: answered.conversation })
        }
        _ => Err(garbled()),
    }
}

impl Reservation {
    /// Gives the name to the actor, which has started. If this is dropped instead, the name is free again.
    pub(crate) fn confirm(self, type_name: &str, endpoint: &Endpoint) -> Result<(), Trouble> {
        enter(&self.name, type_name, endpoint, self.ticket)
    }
}
