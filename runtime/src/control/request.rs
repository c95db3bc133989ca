//! What a program (or an actor) requests from its supervisor, and how it gets there.
//!
//! One packet per request, in the format of the mailboxes. A spawn gets no reply: its outcome is in the
//! status page that comes with it, and the mailbox's bell says when to look.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::control::attributes::SpawnAttributes;
use crate::control::fd_store::FdStore;
use crate::control::function::FunctionName;
use crate::ipc::codec::Encoded;
use crate::ipc::envelope::{Body, Outgoing, Sealed, packet, parse};
use crate::logging::Wish;
use crate::policy::{ChildRules, Restart, Rules, Shutdown, Status};
use crate::status::{StatusPage, StopMode};
use crate::sys::memfd::word_enum;
use crate::sys::{clock, credentials, fd, poll, seqpacket};
use crate::types::exit::ExitReason;
use crate::types::options::Options;

const START: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(5);
/// A supervisor starts when all its children have, each of which has its own limit.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request<P = ByteBuf> {
    /// Descriptors: mailbox (receiving end), mailbox (sending end), status page; those of the payload.
    Spawn(Box<Spec>, Payload<P>, BatchPart),
    /// An operation on the children of a supervisor. Descriptor: where the reply goes.
    Ask(Operation),
    /// The end of the program: everything ends, in order. Concerns the supervisor of this term only: see
    /// [`shut_down`]. The last number is the moment at which the grace ends; 0 for never.
    Shutdown(StopMode, u32, u64),
}

/// A supervisor is sent with its children, one packet each; this says which belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BatchPart {
    /// A random number that all packets of a tree have in common.
    pub(crate) batch: u64,
    /// The parent's position among the packets before it, from 0; meaningless in the first.
    pub(crate) under: u32,
    pub(crate) last: bool,
}

impl BatchPart {
    pub(crate) fn alone() -> BatchPart {
        BatchPart { batch: 0, under: 0, last: true }
    }
}

/// An operation on a supervisor's children, which are named by their ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    Terminate(String),
    Restart(String),
    Delete(String),
    Children,
    /// Whether a child with this mailbox id exists.
    Has(u64),
}

impl Operation {
    /// Whether it starts code, with the supervisor's credentials.
    fn starts_something(&self) -> bool {
        match self {
            Operation::Restart(_) => true,
            Operation::Terminate(_) | Operation::Delete(_) | Operation::Children | Operation::Has(_) => false,
        }
    }
}

/// The reply to an [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answered {
    Done,
    /// Its pid and incarnation.
    Running(u32, u64),
    Restarting,
    NotFound,
    ShuttingDown,
    /// It would be started with other credentials than those of the requesting process.
    Credentials,
    /// It was started and did not become ready.
    Failed(ExitReason),
    Children(Vec<ChildFacts>),
}

/// What a supervisor knows of a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildFacts {
    pub(crate) id: String,
    pub(crate) pid: Option<u32>,
    pub(crate) status: Status,
    pub(crate) kind: Kind,
    pub(crate) restart: Restart,
    pub(crate) shutdown: Shutdown,
    pub(crate) significant: bool,
    pub(crate) daemon: bool,
    pub(crate) incarnation: u64,
    pub(crate) restarts: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payload<P = ByteBuf> {
    large: bool,
    bytes: P,
}

word_enum! {
    /// The kind of a process.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub(crate) enum Kind {
        /// Handles messages until it is stopped.
        Actor = 0,
        /// Runs a function and ends.
        Task = 1,
        /// Supervises.
        Supervisor = 2,
    }
}

impl Kind {
    /// How long one with these options may take to be ready.
    pub(crate) fn start_limit(self, options: &Options) -> Duration {
        let usual = if self == Kind::Supervisor { FOR_EVER } else { START };
        options.start_timeout.unwrap_or(usual)
    }

    /// How one with these options is stopped.
    pub(crate) fn shutdown(self, options: &Options) -> Shutdown {
        let usual = if self == Kind::Supervisor { Shutdown::Infinity } else { Shutdown::Timeout(GRACE) };
        options.how_to_stop(usual)
    }
}

/// All that a supervisor has to know of a process to start it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The options of the process; a function here, or of the options, returns a value that has a default.
    pub(crate) options: Options,
    /// Where its code is; the type name and the build verify it.
    pub(crate) entry: u64,
    pub(crate) type_name: String,
    pub(crate) build: u64,
    /// The pid of the process that spawns it.
    pub(crate) parent: u32,
    /// Which of its events the program wants, if any.
    pub(crate) log: Option<Wish>,
    /// The printer in the program for its panic reports. `None`: it writes them to its standard error.
    pub(crate) printer: Option<u32>,
    /// Its id below a declared supervisor, if it is a child of one.
    pub(crate) child_id: Option<String>,
    /// For a supervisor: how it treats its children.
    pub(crate) policy: Option<Rules>,
    /// What differs between this process and its supervisor.
    pub(crate) attributes: Option<Box<SpawnAttributes>>,
    /// For a supervisor: what it runs before it forks.
    pub(crate) preload: Option<FunctionName>,
    /// The program restarts it when the root supervisor died. Then its callers' channels come with it, and
    /// its page says how often it was started.
    pub(crate) kept: bool,
}

impl Spec {
    /// How long it may take to be ready.
    pub(crate) fn start_limit(&self) -> Duration {
        self.kind.start_limit(&self.options)
    }

    /// How it is stopped.
    pub(crate) fn shutdown(&self) -> Shutdown {
        self.kind.shutdown(&self.options)
    }

    /// How its supervisor treats it.
    pub(crate) fn rules(&self) -> ChildRules {
        self.options.rules(self.child_id.is_some())
    }

    /// Whether another process may follow the first, for one mailbox.
    pub(crate) fn is_durable(&self) -> bool {
        let may_follow = || self.rules().restart != Restart::Temporary || self.options.recycle.is_some();
        self.kind != Kind::Supervisor && may_follow()
    }

    /// Whether the end of the program waits for it: a task that is not started again once it is done.
    pub(crate) fn ends_by_itself(&self) -> bool {
        self.kind == Kind::Task && !self.options.daemon && self.rules().restart != Restart::Permanent
    }

    /// The id, or the name where there is none.
    pub(crate) fn id(&self) -> &str {
        self.child_id.as_deref().unwrap_or(&self.name)
    }
}

/// The descriptors of a spawn, apart from those of the payload.
pub(crate) struct Ends<'a> {
    pub(crate) receiver: BorrowedFd<'a>,
    pub(crate) sender: BorrowedFd<'a>,
    pub(crate) status_page: BorrowedFd<'a>,
    /// Only for what the program restarts.
    pub(crate) fd_store: Option<[BorrowedFd<'a>; 2]>,
}

/// A received spawn request.
#[derive(Debug)]
pub(crate) struct Spawn {
    /// In a box of its own, so that a new process keeps it where it is instead of copying it.
    pub(crate) spec: Box<Spec>,
    pub(crate) receiver: OwnedFd,
    /// For its own signal handler, and for ringing; kept only where there may be a second start.
    pub(crate) sender: Option<OwnedFd>,
    pub(crate) status_page: StatusPage,
    pub(crate) init: Body,
    pub(crate) fds: Vec<OwnedFd>,
    /// The descriptors that its processes share beside the mailbox, if there may be several. Made by the
    /// first supervisor that gets this spawn, and held by all below it.
    pub(crate) fd_store: Option<FdStore>,
    /// For a supervisor.
    pub(crate) children: Vec<Spawn>,
    /// How often its mailbox was rung since the unread rings were last taken out.
    pub(crate) rung: Cell<u32>,
}

impl Spawn {
    /// All descriptors of this future process and of those below it.
    pub(crate) fn descriptors(&self) -> Vec<RawFd> {
        let own = [self.receiver.as_raw_fd(), self.status_page.file().as_raw_fd()];
        let own = own.into_iter().chain(self.sender.iter().chain(&self.fds).map(AsRawFd::as_raw_fd));
        let own = own.chain(self.fd_store.iter().flat_map(FdStore::descriptors));
        own.chain(self.children.iter().flat_map(Spawn::descriptors)).collect()
    }

    /// Makes what this future process and those below it need to have successors.
    ///
    /// # Errors
    /// At the limit on descriptors.
    pub(crate) fn prepare_for_successors(&mut self) -> io::Result<()> {
        if self.spec.is_durable() && self.fd_store.is_none() {
            self.fd_store = Some(FdStore::new()?);
        }
        self.children.iter_mut().try_for_each(|child| {
            // A child that is not restarted itself comes back with its supervisor.
            if child.spec.kind != Kind::Supervisor && child.fd_store.is_none() {
                child.fd_store = Some(FdStore::new()?);
            }
            child.prepare_for_successors()
        })
    }

    /// Moves its descriptors up, to leave low numbers to later ones. Returns the replaced ones.
    pub(crate) fn move_up(&mut self) -> Vec<OwnedFd> {
        let own = [&mut self.receiver, self.status_page.file_mut()].into_iter();
        let own = own.chain(&mut self.sender).chain(&mut self.fds);
        let own = own.chain(self.fd_store.iter_mut().flat_map(FdStore::ends_mut));
        let mut moved: Vec<OwnedFd> = own.filter_map(fd::move_up).collect();
        moved.extend(self.children.iter_mut().flat_map(Spawn::move_up));
        moved
    }

    /// In the new process, just forked: forgets the mappings of its status page and those below it, which
    /// stayed with the supervisor.
    pub(crate) fn reset_after_fork(&mut self) {
        self.status_page.reset_after_fork();
        self.children.iter_mut().for_each(Spawn::reset_after_fork);
    }
}

/// Why a spawn is refused if the requesting process has other credentials.
pub(crate) const FOREIGN: &str =
    "the requesting process runs with another real user or group than this supervisor";

/// What came in on a control channel.
pub(crate) enum Asked {
    Spawn(Box<Spawn>, BatchPart),
    /// A spawn requested with other credentials than this process has.
    Foreign(Box<Spawn>),
    Ask(Operation, OwnedFd),
    /// An operation that would start a process, requested with other credentials than this process has.
    ForeignAsk(OwnedFd),
    Shutdown(StopMode, u32, u64),
    /// Not a request, or one without its descriptors (no room for them), or with an invalid status page. Its
    /// descriptors are closed, which the requesting process sees at the mailbox.
    Nonsense,
    /// No request now.
    Nothing,
    /// The owner of this supervisor is gone.
    Closed,
}

/// Sends a spawn request.
///
/// # Errors
/// `TimedOut` if the supervisor takes no requests until `deadline`, `BrokenPipe` if it is gone.
pub(crate) fn spawn(
    control: BorrowedFd<'_>,
    spec: Spec,
    init: Encoded,
    ends: &Ends<'_>,
    place: BatchPart,
    deadline: u64,
) -> io::Result<()> {
    let mut first = vec![ends.receiver, ends.sender, ends.status_page];
    first.extend(ends.fd_store.into_iter().flatten());
    let outgoing = Outgoing::new(init, first.len())?;
    let payload = Payload { large: outgoing.is_large(), bytes: outgoing.bytes() };
    let bytes = packet(&Request::Spawn(Box::new(spec), payload, place))?;
    let mut sealed = Sealed::new(outgoing, bytes);
    until_sent(deadline, || sealed.send(control, &first))
}

/// Sends an operation to a supervisor and waits for its reply, however long it takes to stop a child.
///
/// # Errors
/// `BrokenPipe` if the supervisor is gone, or goes before it replies; `TimedOut` if it does not read.
pub(crate) fn ask(control: BorrowedFd<'_>, operation: Operation, deadline: u64) -> io::Result<Answered> {
    let (ours, theirs) = fd::seqpacket_pair()?;
    let mut bytes = packet(&Request::<ByteBuf>::Ask(operation))?;
    until_sent(deadline, || seqpacket::send(control, &mut bytes, &[theirs.as_fd()]))?;
    drop(theirs);
    let mut buffer = seqpacket::buffer();
    loop {
        match seqpacket::receive(ours.as_fd(), &mut buffer, true) {
            Ok(Some(packet)) => {
                let answer = parse::<LongAnswer>(&buffer[..packet.len]);
                let LongAnswer { large, bytes } = answer.ok_or(io::ErrorKind::InvalidData)?;
                let body = Body::open(bytes, large, &mut packet.fds.into_iter())?;
                return postcard::from_bytes(&body).map_err(io::Error::other);
            }
            Ok(None) => return Err(io::ErrorKind::BrokenPipe.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Replies to an [`ask`]. Does not block: the socket is new and empty, and a caller that does not read is not
/// waited for.
pub(crate) fn answer(to: &OwnedFd, answer: &Answered) {
    let sent = postcard::to_stdvec(answer).map_err(io::Error::other).and_then(|bytes| {
        let outgoing = Outgoing::new(Encoded::of_bytes(bytes), 0)?;
        let header = LongAnswer { large: outgoing.is_large(), bytes: outgoing.bytes() };
        let packet = packet(&header)?;
        Sealed::new(outgoing, packet).send(to.as_fd(), &[])
    });
    // If sending failed, the socket closes, which the caller sees too.
    drop(sent);
}

#[derive(Debug, Serialize, Deserialize)]
struct LongAnswer<P = ByteBuf> {
    large: bool,
    bytes: P,
}

/// Requests the end of the supervisor of this term: the number of supervisors that an actor had before it,
/// and always 0 for the program's. A later supervisor that finds the request ignores it.
pub(crate) fn shut_down(
    control: BorrowedFd<'_>,
    mode: StopMode,
    term: u32,
    by: u64,
    deadline: u64,
) -> io::Result<()> {
    let mut bytes = packet(&Request::<ByteBuf>::Shutdown(mode, term, by))?;
    until_sent(deadline, || seqpacket::send(control, &mut bytes, &[]))
}

/// A supervisor reads requests as they come, so a full channel empties soon. The wait is bounded all the
/// same.
fn until_sent(deadline: u64, mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if clock::now() >= deadline {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                poll::pause(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

/// Takes one request out of a control channel. Does not block.
pub(crate) fn receive(control: BorrowedFd<'_>, buffer: &mut [u8]) -> Asked {
    let packet = match seqpacket::receive(control, buffer, false) {
        Ok(Some(packet)) => packet,
        Ok(None) => return Asked::Closed,
        Err(_) => return Asked::Nothing,
    };
    if packet.truncated {
        return Asked::Nonsense;
    }
    match parse::<Request>(&buffer[..packet.len]) {
        Some(Request::Shutdown(mode, term, by)) => Asked::Shutdown(mode, term, by),
        Some(Request::Spawn(spec, payload, place)) => match open(spec, payload, packet.fds) {
            Some(spawn) if packet.sender != Some(credentials::own_ids()) => Asked::Foreign(Box::new(spawn)),
            Some(spawn) => Asked::Spawn(Box::new(spawn), place),
            None => Asked::Nonsense,
        },
        Some(Request::Ask(operation)) => match packet.fds.into_iter().next() {
            Some(answer) if operation.starts_something() && packet.sender != Some(credentials::own_ids()) => {
                Asked::ForeignAsk(answer)
            }
            Some(answer) => Asked::Ask(operation, answer),
            None => Asked::Nonsense,
        },
        None => Asked::Nonsense,
    }
}

/// How many requests are dropped at a time: more than a socket holds.
const DISCARDED: usize = 1024;

/// Drops requests that will not be served, without reading them: the requesting processes see the mailboxes
/// close.
pub(crate) fn discard(control: BorrowedFd<'_>, buffer: &mut [u8]) {
    for _ in 0..DISCARDED {
        let Ok(Some(_)) = seqpacket::receive(control, buffer, false) else { return };
    }
}

fn open(spec: Box<Spec>, payload: Payload, fds: Vec<OwnedFd>) -> Option<Spawn> {
    let mut fds = fds.into_iter();
    let (receiver, sender, status_page) = (fds.next()?, fds.next()?, fds.next()?);
    let fd_store = match spec.kept && spec.kind != Kind::Supervisor {
        true => Some(FdStore::of(fds.next()?, fds.next()?)),
        false => None,
    };
    let init = Body::open(payload.bytes, payload.large, &mut fds).ok()?;
    let status_page = StatusPage::accept(status_page).ok()?;
    Some(Spawn {
        fd_store,
        spec,
        receiver,
        sender: Some(sender),
        status_page,
        init,
        fds: fds.collect(),
        children: Vec::new(),
        rung: Cell::new(0),
    })
}
