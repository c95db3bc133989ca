//! Waiting for descriptors: poll, ppoll, epoll, eventfd.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::epoll::{EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::{check, fd, retry, signal::Mask};

fn timespec(limit: Duration) -> libc::timespec {
    libc::timespec { tv_sec: limit.as_secs().min(i32::MAX as u64) as _, tv_nsec: limit.subsec_nanos() as _ }
}

/// Waits until `fd` can be read or has hung up, at most for `limit`; answers whether it can.
///
/// # Errors
/// `Interrupted` if a signal handler ran.
pub(crate) fn readable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    Ok(wait(&[(fd, false)], limit, None)?[0])
}

/// Waits until one of the descriptors can be read (or written, where `.1` is set) or has hung up.
///
/// With `mask`, that signal mask is in force during the wait and only then.
///
/// # Errors
/// `Interrupted` if a signal handler ran.
pub(crate) fn wait(
    fds: &[(BorrowedFd<'_>, bool)],
    limit: Option<Duration>,
    mask: Option<&Mask>,
) -> io::Result<Vec<bool>> {
    let events = |write: bool| if write { libc::POLLOUT } else { libc::POLLIN };
    let mut entries: Vec<libc::pollfd> = fds
        .iter()
        .map(|(fd, write)| libc::pollfd { fd: fd.as_raw_fd(), events: events(*write), revents: 0 })
        .collect();
    let limit = limit.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mask = mask.map_or(ptr::null(), |mask| mask.as_ptr());
    // SAFETY: `entries`, `limit` and `mask` are valid (or null, where null is allowed) for the whole call.
    check(unsafe { libc::ppoll(entries.as_mut_ptr(), entries.len() as _, limit, mask) })?;
    Ok(entries.iter().map(|entry| entry.revents != 0).collect())
}

/// Waits until `fd` can be written to or has hung up, at most for `limit`.
///
/// # Errors
/// `Interrupted` if a signal handler ran.
pub(crate) fn writable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    Ok(wait(&[(fd, true)], limit, None)?[0])
}

/// A counter in the kernel that wakes whoever polls it.
#[derive(Debug)]
pub(crate) struct Event(OwnedFd);

impl Event {
    pub(crate) fn new() -> io::Result<Event> {
        // SAFETY: eventfd takes integers only.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
            .map_err(|error| super::named("eventfd2", error))?;
        fd::own(fd).map(Event)
    }

    /// Wakes the poller; never blocks, is kept until [`Event::clear`].
    pub(crate) fn set(&self) {
        self.add(1);
    }

    /// The same, with a number that is added to the counter.
    pub(crate) fn add(&self, number: u64) {
        // SAFETY: eight bytes are read from a local variable; a full counter is as good as a set one.
        unsafe { libc::write(self.0.as_raw_fd(), ptr::from_ref(&number).cast(), 8) };
    }

    /// Answers what the counter was.
    pub(crate) fn clear(&self) -> u64 {
        let mut count = 0_u64;
        // SAFETY: eight bytes are written to a local variable.
        unsafe { libc::read(self.0.as_raw_fd(), ptr::from_mut(&mut count).cast(), 8) };
        count
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A set of descriptors that one thread waits for; members leave it when they are closed.
#[derive(Debug)]
pub(crate) struct Epoll(nix::sys::epoll::Epoll);

/// Room for what one wait reports.
pub(crate) type Events = [EpollEvent; 64];

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        let made = nix::sys::epoll::Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
        let made = made.map_err(|error| super::named("epoll_create1", error.into()))?;
        Ok(Epoll(nix::sys::epoll::Epoll(fd::raise(made.0)?)))
    }

    /// Adds a descriptor that is reported for as long as it can be read.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
    }

    /// Adds a descriptor that is reported once for each arrival, and once when it hangs up.
    pub(crate) fn add_edge(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        match self.0.add(fd, EpollEvent::new(flags, token)) {
            // The number was a member before, of the same socket: close alone does not end a membership.
            Err(nix::errno::Errno::EEXIST) => Ok(self.0.modify(fd, &mut EpollEvent::new(flags, token))?),
            other => Ok(other?),
        }
    }

    /// Adds a descriptor that is reported when it has hung up, as [`super::fd::hung_up`] sees it, and until it is removed.
    pub(crate) fn add_hang_up(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        // Hang-ups and errors are reported unasked.
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::empty(), token))?)
    }

    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) {
        // Not being a member (any more) is what we want.
        let _ = self.0.delete(fd);
    }

    /// The tokens of what is ready, at most after `limit` (rounded up to a millisecond); empty after a time-out or a signal.
    ///
    /// # Errors
    /// `EBADF` or `EINVAL` if the number of the set has come to mean something else, or nothing: every later wait says so, too, at once.
    pub(crate) fn wait<'a>(
        &self,
        events: &'a mut Events,
        limit: Option<Duration>,
    ) -> io::Result<impl Iterator<Item = u64> + use<'a>> {
        let limit = match limit {
            None => EpollTimeout::NONE,
            Some(limit) => {
                let millis = limit.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32;
                EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::MAX)
            }
        };
        // An interruption is a wait that ended early: the caller looks at its clock and comes back.
        let count = match self.0.wait(events, limit) {
            Err(nix::errno::Errno::EINTR) => 0,
            count => count?,
        };
        Ok(events[..count].iter().map(EpollEvent::data))
    }
}

/// A descriptor that can be read for as long as a socket has hung up, or this process says so. Who looks at it takes nothing away from others.
#[derive(Debug)]
pub(crate) struct Sentinel {
    set: Epoll,
    /// What this process says. Changed under a lock of its owner's.
    said: Option<(Event, AtomicBool)>,
}

impl Sentinel {
    /// If it `listens`, a word of this process counts too.
    pub(crate) fn of(socket: BorrowedFd<'_>, listens: bool) -> io::Result<Sentinel> {
        let set = Epoll::new()?;
        set.add_hang_up(socket, 0)?;
        let said = listens.then(Event::new).transpose()?;
        if let Some(event) = &said {
            set.add(event.as_fd(), 1)?;
        }
        Ok(Sentinel { set, said: said.map(|event| (event, AtomicBool::new(false))) })
    }

    pub(crate) fn say(&self, ended: bool) {
        let Some((event, before)) = &self.said else { return };
        match (before.swap(ended, Ordering::Relaxed), ended) {
            (false, true) => event.set(),
            (true, false) => drop(event.clear()),
            _ => {}
        }
    }
}

impl AsFd for Sentinel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.set.as_fd()
    }
}

/// Can be read when a wait would report something.
impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

/// Reads and forgets up to `most` one-byte packets of a socket; never blocks. Answers whether it is open.
pub(crate) fn drain_bell(fd: BorrowedFd<'_>, most: usize) -> bool {
    let mut scratch = [0_u8; 16];
    for _ in 0..most {
        let got = retry(|| {
            // SAFETY: at most 16 bytes are written to `scratch`.
            let got = unsafe {
                libc::recv(fd.as_raw_fd(), scratch.as_mut_ptr().cast(), scratch.len(), libc::MSG_DONTWAIT)
            };
            if got < 0 { Err(io::Error::last_os_error()) } else { Ok(got) }
        });
        match got {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    true
}

/// Empty room for [`Epoll::wait`].
pub(crate) fn no_events() -> Events {
    [EpollEvent::empty(); 64]
}

/// Lets others run for a moment. For the few waits that the kernel has no event for; each has a deadline around it.
pub(crate) fn pause(moment: Duration) {
    std::thread::sleep(moment);
}
