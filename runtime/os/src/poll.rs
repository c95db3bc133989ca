//! Waiting for descriptors: poll, ppoll, epoll, eventfd.

use std::ffi::{c_int, c_ulong};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, ptr};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use rustix::event::{EventfdFlags, eventfd};
use rustix::net::{RecvFlags, recv};

use super::signal::Mask;
use super::{check, fd, retry};

fn timespec(limit: Duration) -> TimeSpec {
    TimeSpec::new(limit.as_secs().min(i32::MAX as u64) as _, limit.subsec_nanos().into())
}

/// Waits until `fd` can be read or has hung up, at most for `limit`; returns whether it can.
///
/// # Errors
/// `Interrupted` if a signal handler ran.
pub fn readable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    Ok(wait(&[(fd, false)], limit, None)?[0])
}

/// Waits until one of the descriptors can be read (or written, where `.1` is set) or has hung up.
///
/// With `mask`, that signal mask is in force during the wait and only then.
///
/// # Errors
/// `Interrupted` if a signal handler ran.
pub fn wait(
    fds: &[(BorrowedFd<'_>, bool)],
    limit: Option<Duration>,
    mask: Option<&Mask>,
) -> io::Result<Vec<bool>> {
    let events = |write: bool| if write { PollFlags::POLLOUT } else { PollFlags::POLLIN };
    let mut entries: Vec<PollFd<'_>> =
        fds.iter().map(|&(fd, write)| PollFd::new(fd, events(write))).collect();
    match ppoll(&mut entries, limit.map(timespec), mask.map(Mask::set)) {
        Err(Errno::EINVAL) => select(fds, limit, mask),
        Err(error) => Err(error.into()),
        // An event that nix does not know counts as well.
        Ok(_) => Ok(entries.iter().map(|entry| entry.any().unwrap_or(true)).collect()),
    }
}

/// As [`wait`], for a process that may have fewer descriptors open (`RLIMIT_NOFILE`) than there are here:
/// another process has set that limit, or this one, so that it opens nothing more. The kernel polls no more
/// than so many, open or not; `select` has no such bound.
fn select(
    fds: &[(BorrowedFd<'_>, bool)],
    limit: Option<Duration>,
    mask: Option<&Mask>,
) -> io::Result<Vec<bool>> {
    const BITS: usize = c_ulong::BITS as usize;
    let place = |fd: &BorrowedFd<'_>| {
        let number = fd.as_raw_fd().unsigned_abs() as usize;
        let bit: c_ulong = 1 << (number % BITS);
        (number / BITS, bit)
    };
    let words = 1 + fds.iter().map(|(fd, _)| place(fd).0).max().unwrap_or_default();
    let mut sets: [Vec<c_ulong>; 2] = [vec![0; words], vec![0; words]];
    for (fd, write) in fds {
        let (word, bit) = place(fd);
        sets[usize::from(*write)][word] |= bit;
    }
    let mut time = limit.map(|limit| *timespec(limit).as_ref());
    let time = time.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    let mask = mask.map(Mask::set);
    #[repr(C)]
    struct Signals(*const libc::sigset_t, libc::size_t);
    // The size is that of the kernel's masks, not of the C library's.
    let signals = Signals(mask.as_ref().map_or(ptr::null(), |mask| ptr::from_ref(mask.as_ref())), 8);
    // With their types, because a variadic call takes arguments of any type.
    let [read, write]: [*mut c_ulong; 2] = sets.each_mut().map(|set| set.as_mut_ptr());
    // SAFETY: the sets are of the words that the call is defined on, and have room for `words * BITS`
    // descriptors; they, `time` and the mask, with the pair that leads to it, are valid (or null, where null
    // is allowed) for the whole call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_pselect6,
            (words * BITS) as c_int,
            read,
            write,
            ptr::null_mut::<c_ulong>(),
            time,
            ptr::from_ref(&signals),
        )
    };
    let is_ready = |(fd, write): &(BorrowedFd<'_>, bool)| {
        let (word, bit) = place(fd);
        sets[usize::from(*write)][word] & bit != 0
    };
    match check(done as c_int) {
        Ok(_) => Ok(fds.iter().map(is_ready).collect()),
        // One is closed: as with `poll`, the next call on it says which.
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(vec![true; fds.len()]),
        Err(error) => Err(error),
    }
}

/// Waits until `fd` can be written to or has hung up, at most for `limit`.
///
/// # Errors
/// `Interrupted` if a signal handler ran.
pub fn writable(fd: BorrowedFd<'_>, limit: Option<Duration>) -> io::Result<bool> {
    Ok(wait(&[(fd, true)], limit, None)?[0])
}

/// A counter in the kernel that wakes the thread polling it.
#[derive(Debug)]
pub struct Event(OwnedFd);

impl Event {
    /// A counter at zero.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` or `ENOMEM`.
    pub fn new() -> io::Result<Event> {
        let made = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        fd::raise(made.map_err(|error| super::named("eventfd2", error.into()))?).map(Event)
    }

    /// Wakes the poller. Never blocks; the event stays until [`Event::clear`].
    pub fn set(&self) {
        self.add(1);
    }

    /// Wakes the poller, and adds this number to the counter.
    pub fn add(&self, number: u64) {
        // A full counter is as good as a set one.
        let _ = rustix::io::write(&self.0, &number.to_ne_bytes());
    }

    /// Sets the counter to zero, and returns what it was.
    pub fn clear(&self) -> u64 {
        let mut count = [0; 8];
        // An error leaves the zeroes: nothing was counted.
        let _ = rustix::io::read(&self.0, &mut count);
        u64::from_ne_bytes(count)
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A set of descriptors that one thread waits for; members leave it when they are closed.
#[derive(Debug)]
pub struct Epoll(nix::sys::epoll::Epoll);

/// Room for what one wait reports.
pub type Events = [EpollEvent; 64];

impl Epoll {
    /// An empty set.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE` or `ENOMEM`.
    pub fn new() -> io::Result<Epoll> {
        let made = nix::sys::epoll::Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC);
        let made = made.map_err(|error| super::named("epoll_create1", error.into()))?;
        Ok(Epoll(nix::sys::epoll::Epoll(fd::raise(made.0)?)))
    }

    /// Adds a descriptor that is reported for as long as it can be read.
    ///
    /// # Errors
    /// `EEXIST` if it is a member already, `EPERM` if it cannot be polled, `ENOMEM` or `ENOSPC`.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
    }

    /// Adds a descriptor that is reported once for each arrival, and once when it hangs up.
    ///
    /// # Errors
    /// `EPERM` if it cannot be polled, `ENOMEM` or `ENOSPC`.
    pub fn add_edge(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        match self.0.add(fd, EpollEvent::new(flags, token)) {
            // The number was a member before, of the same socket: close alone does not end a membership.
            Err(nix::errno::Errno::EEXIST) => Ok(self.0.modify(fd, &mut EpollEvent::new(flags, token))?),
            other => Ok(other?),
        }
    }

    /// Adds a descriptor that is reported from its hang-up (see [`super::fd::hung_up`]) until it is removed.
    ///
    /// # Errors
    /// `EEXIST` if it is a member already, `EPERM` if it cannot be polled, `ENOMEM` or `ENOSPC`.
    pub fn add_hang_up(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        // Hang-ups and errors are reported unasked.
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::empty(), token))?)
    }

    /// Takes a descriptor out of the set, if it is in it.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        // Not being a member (any more) is what we want.
        let _ = self.0.delete(fd);
    }

    /// Waits at most for `limit` (rounded up to a millisecond), and returns the tokens of what is ready; none
    /// after a time-out or a signal.
    ///
    /// # Errors
    /// `EBADF` or `EINVAL` if the number of the set has come to mean something else, or nothing: every later
    /// wait fails at once, too.
    pub fn wait<'a>(
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

/// A descriptor that can be read for as long as a socket has hung up, or this process says so. Polling it
/// takes nothing away from other pollers.
#[derive(Debug)]
pub struct Sentinel {
    set: Epoll,
    /// What this process says. Its owner changes it under a lock.
    said: Option<(Event, AtomicBool)>,
}

impl Sentinel {
    /// Watches this socket. If it `listens`, [`Sentinel::say`] counts too.
    ///
    /// # Errors
    /// Those of [`Epoll::new`], [`Epoll::add`] and [`Event::new`].
    pub fn of(socket: BorrowedFd<'_>, listens: bool) -> io::Result<Sentinel> {
        let set = Epoll::new()?;
        set.add_hang_up(socket, 0)?;
        let said = listens.then(Event::new).transpose()?;
        if let Some(event) = &said {
            set.add(event.as_fd(), 1)?;
        }
        Ok(Sentinel { set, said: said.map(|event| (event, AtomicBool::new(false))) })
    }

    /// Makes it readable, or not readable any more.
    pub fn say(&self, ended: bool) {
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

/// Reads and forgets up to `most` one-byte packets of a socket. Never blocks; returns whether it is open.
pub fn drain_bell(fd: BorrowedFd<'_>, most: usize) -> bool {
    let mut scratch = [0_u8; 16];
    for _ in 0..most {
        let got = retry(|| Ok(recv(fd, &mut scratch, RecvFlags::DONTWAIT)?.0));
        match got {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    true
}

/// Empty room for [`Epoll::wait`].
pub fn no_events() -> Events {
    [EpollEvent::empty(); 64]
}

/// Sleeps for a moment. For the few waits that the kernel has no event for; each has a deadline around it.
pub fn pause(moment: Duration) {
    std::thread::sleep(moment);
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::fcntl::FcntlArg;

    use super::*;

    #[test]
    fn what_is_ready_is_found_without_polling_too() {
        let now = Some(Duration::ZERO);
        let (reader, mut writer) = io::pipe().unwrap();
        let (silent, open) = io::pipe().unwrap();
        let mask = Mask::of(&[]);
        let ask = |mask| {
            let fds = [(silent.as_fd(), false), (reader.as_fd(), false), (open.as_fd(), true)];
            select(&fds, now, mask).unwrap()
        };
        assert_eq!(ask(None), [false, false, true]);
        writer.write_all(b"x").unwrap();
        assert_eq!(ask(Some(&mask)), [false, true, true]);
        assert_eq!(select(&[(reader.as_fd(), false)], None, None).unwrap(), [true]);
        drop(writer);
        assert_eq!(ask(None), [false, true, true], "a hang-up can be read");
        let wait = Some(Duration::from_millis(1));
        assert_eq!(select(&[(silent.as_fd(), false)], wait, Some(&mask)).unwrap(), [false]);
        assert_eq!(select(&[], now, None).unwrap(), [false; 0]);
    }

    #[test]
    fn descriptors_of_every_number_are_found_without_polling() {
        let now = Some(Duration::ZERO);
        let (reader, mut writer) = io::pipe().unwrap();
        let (silent, _open) = io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let at = |number: usize, end: &io::PipeReader| {
            let copy = nix::fcntl::fcntl(end, FcntlArg::F_DUPFD_CLOEXEC(number as i32)).unwrap();
            super::super::fd::own(copy).unwrap()
        };
        for number in [31, 32, 33, 63, 64, 65, 127, 128, 500, 900] {
            let (ready, not_ready) = (at(number, &reader), at(number, &silent));
            let fds = [(ready.as_fd(), false), (not_ready.as_fd(), false)];
            assert_eq!(select(&fds, now, None).unwrap(), [true, false], "from {number} on");
        }
    }
}
