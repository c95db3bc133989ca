//! The link of a process to the supervisor of what it spawns.
//!
//! The program's link is made with the root supervisor. An actor has its end of a link from its start. Its
//! own supervisor is forked when the actor first needs one, and again if that one ended and the actor needs
//! another. The parent supervisor keeps the receiving end, so requests outlive the supervisor that they were
//! sent to.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::control::notification::{Signal, Slot};
use crate::control::request;
use crate::control::step::NoTree;
use crate::reactor::context;
use crate::status::{StatusPage, StopMode};
use crate::sys::credentials::Credentials;
use crate::sys::poll::{self, Epoll};
use crate::sys::{clock, fd};

/// How long a supervisor may leave a request unread.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The way to a supervisor.
pub(crate) struct Tree {
    control: OwnedFd,
    /// The supervisor's process, for the program's link: copies of its end of `control` may outlive it for a
    /// moment, in forks that have not run yet.
    supervisor: Option<OwnedFd>,
    /// For the program's link: the mailboxes whose receiving ends it keeps, until they have hung up.
    kept: Option<Epoll>,
    /// Rung with every request, so that a missing supervisor is forked.
    bell: Option<(Slot, &'static StatusPage)>,
    /// The credentials of this process when its supervisor was made, which the supervisor shares. `None`:
    /// those of the supervisor that forked this process.
    credentials: Option<Credentials>,
}

/// In a supervisor and its forks: the supervisor's credentials.
static CREDENTIALS: OnceCell<Credentials> = OnceCell::new();

/// The link that an actor has from its start.
static INHERITED: OnceCell<Arc<Tree>> = OnceCell::new();

impl Tree {
    /// # Errors
    /// `EMFILE` and the like.
    pub(crate) fn new(control: OwnedFd, supervisor: OwnedFd) -> io::Result<Tree> {
        let (supervisor, kept) = (Some(supervisor), Some(Epoll::new()?));
        Ok(Tree { control, supervisor, kept, bell: None, credentials: Some(Credentials::now()) })
    }

    pub(crate) fn control(&self) -> BorrowedFd<'_> {
        self.control.as_fd()
    }

    /// Whether this is the program's link, to the root supervisor.
    pub(crate) fn is_programs(&self) -> bool {
        self.supervisor.is_some()
    }

    pub(crate) fn kept(&self) -> Option<&Epoll> {
        self.kept.as_ref()
    }

    /// Identifies the supervisor at the other end: a number that changes when it ends.
    pub(crate) fn term(&self) -> u32 {
        self.bell.as_ref().map_or(0, |(_, status_page)| status_page.supervisors_ended())
    }

    /// Whether the supervisor of this term is gone.
    pub(crate) fn is_gone(&self, term: u32) -> bool {
        let ended =
            |process: &OwnedFd| poll::readable(process.as_fd(), Some(Duration::ZERO)).unwrap_or(false);
        self.term() != term || self.supervisor.as_ref().is_some_and(ended) || fd::hung_up(self.control())
    }

    /// Why the supervisor could not be forked, if the last fork failed.
    pub(crate) fn error(&self) -> Option<io::Error> {
        let number = self.bell.as_ref().map_or(0, |(_, status_page)| status_page.supervisor_error());
        (number != 0).then(|| io::Error::from_raw_os_error(number))
    }

    /// Makes sure that a supervisor exists to read the request.
    pub(crate) fn ring(&self) {
        if let Some((bell, status_page)) = &self.bell {
            status_page.want_supervisor();
            bell.say(Signal::Look);
        }
    }

    /// Asks the supervisor to end everything, and waits until it is gone.
    pub(crate) fn end(&self, mode: StopMode, by: u64) {
        let term = self.term();
        let asked = request::shut_down(self.control(), mode, term, by, clock::after(PATIENCE));
        self.ring();
        while asked.is_ok() && !self.is_gone(term) {
            // Both waits end when the supervisor does.
            match &self.bell {
                Some((_, status_page)) => status_page.await_supervisor_end(term),
                None => {
                    let process = self.supervisor.as_ref().map_or(self.control(), AsFd::as_fd);
                    drop(poll::readable(process, Some(Duration::from_secs(1))));
                }
            }
        }
    }

    /// The credentials of the supervisor that exists or would be forked.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref().or_else(|| CREDENTIALS.get())
    }

    /// In an actor or a task: the pid of its own supervisor, if it has one.
    pub(crate) fn supervisor_pid(&self) -> Option<i32> {
        self.bell.as_ref().map(|(_, status_page)| status_page.supervisor_pid()).filter(|&pid| pid != 0)
    }
}

/// In a supervisor, before it forks: notes the credentials with which its children start.
pub(crate) fn prepare() {
    CREDENTIALS.get_or_init(Credentials::now);
}

/// In a new actor or task: keeps the link to its own supervisor, which may not exist yet.
pub(crate) fn inherit(control: OwnedFd, slot: Slot, status_page: &'static StatusPage) {
    let bell = Some((slot, status_page));
    let _ = INHERITED.set(Arc::new(Tree { control, supervisor: None, kept: None, bell, credentials: None }));
}

/// In an actor: asks its supervisor to watch the limit of what has just begun, a message or its stop.
pub(crate) fn ask_to_watch() {
    say(Signal::Look);
}

/// In a new process: reports that it is ready.
pub(crate) fn say_ready() {
    say(Signal::Ready);
}

fn say(signal: Signal) {
    if let Some((slot, _)) = INHERITED.get().and_then(|tree| tree.bell.as_ref()) {
        slot.say(signal);
    }
}

/// The link that this process was started with. The program has none, and a forked copy must not use its
/// original's.
pub(crate) fn inherited() -> Result<Option<&'static Arc<Tree>>, NoTree> {
    match INHERITED.get() {
        Some(_) if context::is_copy() => Err(NoTree::Copy),
        inherited => Ok(inherited),
    }
}
