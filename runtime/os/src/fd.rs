//! Descriptors: duplicating, inspecting, closing what a new process must not have.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{close, dup2_stderr, dup2_stdin, dup2_stdout};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, shutdown, socketpair, sockopt};

use super::{check, credentials};

/// Below this number lie the standard descriptors. A program or a C library may have closed them, and the
/// kernel gives out the lowest free number: a descriptor of ours there would be read and overwritten as if it
/// were a terminal.
const STANDARD: RawFd = 3;

/// Takes over a descriptor that the kernel has just made. Every descriptor that this crate makes comes
/// through here or through [`raise`].
///
/// # Errors
/// `EMFILE` if it would be a standard one, and no other number is free.
pub(crate) fn own(made: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the callers are in this crate, and pass what a system call has just given to them: nothing else
    // knows the number.
    raise(unsafe { OwnedFd::from_raw_fd(made) })
}

/// Moves a descriptor away from 0, 1 and 2, which stay as free as they were.
///
/// # Errors
/// `EMFILE` if no other number is free; the descriptor is closed then.
pub fn raise(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= STANDARD { Ok(fd) } else { duplicate(fd.as_raw_fd()) }
}

/// Occupies those of 0, 1 and 2 that are free, until it is dropped: for foreign code that makes descriptors.
pub struct Standard(Vec<OwnedFd>);

impl Standard {
    /// Opens `/` by its path only (`O_PATH`) on each of the three that is free.
    pub fn taken() -> Standard {
        let mut taken = Vec::new();
        while taken.len() < STANDARD as usize && !(0..STANDARD).all(is_open) {
            // For reads and writes, a descriptor with O_PATH is as good as closed: they fail with EBADF.
            let Ok(placed) = open(c"/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()) else { break };
            taken.push(placed);
        }
        Standard(taken)
    }
}

/// The commands of [`fcntl`] that are used here: none takes an address.
#[derive(Clone, Copy)]
enum Command {
    GetFlags,
    /// Executed programs keep it.
    KeepOverExec,
    /// A copy that is close-on-exec and has at least this number.
    Duplicate(RawFd),
}

/// Runs the command on this number. Nix's wrapper wants a descriptor that is open; here that is the question,
/// or the caller's claim.
fn fcntl(number: RawFd, command: Command) -> io::Result<libc::c_int> {
    let (command, argument) = match command {
        Command::GetFlags => (libc::F_GETFD, 0),
        Command::KeepOverExec => (libc::F_SETFD, 0),
        Command::Duplicate(least) => (libc::F_DUPFD_CLOEXEC, least),
    };
    // SAFETY: these commands take an integer only, and close nothing; a number that is not open is an error,
    // not undefined behaviour.
    check(unsafe { libc::fcntl(number, command, argument) })
}

/// Whether this is the number of an open descriptor.
fn is_open(number: RawFd) -> bool {
    fcntl(number, Command::GetFlags).is_ok()
}

impl Drop for Standard {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// A private copy of the descriptor with this number, close-on-exec.
///
/// # Errors
/// `EBADF` if the number is not an open descriptor, `EMFILE` at the descriptor limit.
pub fn duplicate(raw: RawFd) -> io::Result<OwnedFd> {
    own(fcntl(raw, Command::Duplicate(STANDARD))?)
}

/// Standard input, whatever it is.
pub fn standard_input() -> BorrowedFd<'static> {
    // This process never closes what has this number: `put_nothing` replaces it in one step. If it is not
    // open, every call with it says so.
    rustix::stdio::stdin()
}

/// Replaces a standard descriptor by one that gives no input and keeps no output.
///
/// # Errors
/// `EMFILE`, `ENFILE`; `EBADF` if the number is no standard one.
pub fn put_nothing(number: RawFd) -> io::Result<()> {
    put(nothing()?, number)
}

/// Replaces a standard descriptor by this one, which is closed where it was.
///
/// # Errors
/// `EBADF` if the number is no standard one.
pub fn put(fd: OwnedFd, number: RawFd) -> io::Result<()> {
    if fd.as_raw_fd() == number {
        // As it would be if dup2 had put it there.
        fcntl(number, Command::KeepOverExec)?;
        std::mem::forget(fd);
        return Ok(());
    }
    // Each replaces what was there in one step.
    match number {
        0 => Ok(dup2_stdin(fd)?),
        1 => Ok(dup2_stdout(fd)?),
        2 => Ok(dup2_stderr(fd)?),
        _ => Err(io::Error::from_raw_os_error(libc::EBADF)),
    }
}

/// A pipe, close-on-exec: the end to read from, which never blocks, and the end to write to, which does.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = std::io::pipe().map_err(|error| super::named("pipe2", error))?;
    let (reader, writer) = (raise(reader.into())?, raise(writer.into())?);
    never_block(reader.as_fd())?;
    Ok((reader, writer))
}

/// The null device. Where it does not exist, or not for this user: the reading end of a pipe without a
/// writer. That is at its end at once, and not open for writing, which standard output treats as closed.
fn nothing() -> io::Result<OwnedFd> {
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null");
    let is_device =
        |file: &std::fs::File| file.metadata().is_ok_and(|file| file.file_type().is_char_device());
    match null {
        Ok(file) if is_device(&file) => Ok(file.into()),
        _ => std::io::pipe().map(|(reader, _)| reader.into()),
    }
}

/// Makes sure that 0, 1 and 2 are open, so that no descriptor of ours ever gets one of these numbers.
///
/// # Errors
/// `EMFILE`, `ENFILE`.
pub fn fill_standard() -> io::Result<()> {
    (0..3).try_for_each(|number| if is_open(number) { Ok(()) } else { put_nothing(number) })
}

/// The error of a process that has no descriptor left.
pub fn no_room() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

/// From now on reads and writes of this open file fail with `WouldBlock` where they would block, whichever
/// descriptor and process they go by.
///
/// # Errors
/// `EBADF`.
pub fn never_block(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(fd, true)?)
}

/// Reads what is there, as read(2) does.
///
/// # Errors
/// Those of `read(2)`.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(fd, buffer)?)
}

/// Writes what there is room for, as write(2) does.
///
/// # Errors
/// Those of `write(2)`; `BrokenPipe` if no process reads any more.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::io::write(fd, bytes)?)
}

/// Whether this is a sequenced-packet socket whose other end was made by a process of this user.
///
/// # Errors
/// If that cannot be found out.
pub fn is_own_seqpacket(fd: BorrowedFd<'_>) -> io::Result<bool> {
    match sockopt::socket_type(fd) {
        Ok(SocketType::SEQPACKET) => {}
        Ok(_) | Err(Errno::NOTSOCK | Errno::BADF) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(credentials::user_of_peer(fd)? == nix::unistd::geteuid().as_raw())
}

/// Whether this is a sequenced-packet socket, as the ends of an ipc-channel are.
pub fn is_seqpacket(fd: BorrowedFd<'_>) -> bool {
    matches!(sockopt::socket_type(fd), Ok(SocketType::SEQPACKET))
}

/// Puts the name of the call into the error of a library that could not make a pair of sockets.
pub fn no_socketpair(error: io::Error) -> io::Error {
    super::named("socketpair", error)
}

/// A connected pair of sequenced-packet sockets, close-on-exec.
///
/// # Errors
/// `EMFILE`, `ENFILE` or `ENOMEM`; or the call is unknown to the kernel, or refused by a sandbox.
pub fn seqpacket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(|error| super::named("socketpair", error.into()))?;
    Ok((raise(one)?, raise(other)?))
}

/// Whether the other end of this socket is closed for good; never blocks.
pub fn hung_up(fd: BorrowedFd<'_>) -> bool {
    hangs_up_within(fd, Duration::ZERO)
}

/// Waits until the other end of this socket is closed for good; returns whether it is. The wait ends after
/// `limit`, or when a signal handler has run.
pub fn hangs_up_within(fd: BorrowedFd<'_>, limit: Duration) -> bool {
    let reported = reported(fd, PollFlags::empty(), limit);
    reported.intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Whether nothing more will arrive at this socket than what lies in it; tells the end from an empty packet.
pub fn has_ended(fd: BorrowedFd<'_>) -> bool {
    let reported = reported(fd, PollFlags::RDHUP, Duration::ZERO);
    reported.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
}

/// What poll(2) reports of this descriptor within `limit`; nothing after an error. Nix lacks `POLLRDHUP`.
fn reported(fd: BorrowedFd<'_>, events: PollFlags, limit: Duration) -> PollFlags {
    let mut entry = [PollFd::from_borrowed_fd(fd, events)];
    let limit =
        Timespec { tv_sec: limit.as_secs().min(i32::MAX as u64) as _, tv_nsec: limit.subsec_nanos() as _ };
    match poll(&mut entry, Some(&limit)) {
        Ok(1..) => entry[0].revents(),
        _ => PollFlags::empty(),
    }
}

/// Ends the conversation on this socket for every process that holds either end of it.
pub fn shut_down(fd: BorrowedFd<'_>) {
    // An error means that it is already closed.
    let _ = shutdown(fd, Shutdown::Both);
}

/// Closes every descriptor from 3 up, except those of `keep`; see [`Others::close`].
pub fn close_all_except(keep: &[RawFd]) {
    Others::than(keep).close();
}

/// A child that shares its parent's table takes along what lies below this number, see [`Others::but_low`].
const LOW: u32 = 128;

/// All descriptors from 3 up but some, as ranges.
#[derive(Debug)]
pub struct Others {
    ranges: Vec<(u32, u32)>,
    shared: bool,
}

impl Others {
    /// All descriptors above 2 that are not in `keep`.
    pub fn than(keep: &[RawFd]) -> Others {
        let mut keep: Vec<u32> =
            keep.iter().filter_map(|&fd| u32::try_from(fd).ok()).filter(|&fd| fd > 2).collect();
        keep.sort_unstable();
        let (mut first, mut ranges) = (3, Vec::with_capacity(keep.len() + 1));
        for fd in keep {
            ranges.push((first, fd - 1));
            first = first.max(fd + 1);
        }
        ranges.push((first, u32::MAX));
        ranges.retain(|(first, last)| first <= last);
        Others { ranges, shared: false }
    }

    /// All descriptors but these, for a child that shares its parent's table until it closes them. `None` if
    /// one of `keep` does not lie low: then the whole table would have to be copied.
    pub fn but_low(keep: &[RawFd]) -> Option<Others> {
        if keep.iter().any(|&fd| fd >= LOW as RawFd) {
            return None;
        }
        let mut others = Others::than(keep);
        // Those above are never copied into the child's own table.
        others.ranges.iter_mut().for_each(|(_, last)| *last = (*last).min(LOW - 1));
        others.ranges.retain(|(first, last)| first <= last);
        Some(Others { shared: true, ..others })
    }

    /// For a child that has a table of its own after all, with copies of everything.
    pub fn set_apart(&mut self) {
        if std::mem::take(&mut self.shared) {
            self.ranges.push((LOW, u32::MAX));
        }
    }

    /// Closes these descriptors. Returns `false`, and closes nothing, if this process cannot get a table of
    /// its own.
    ///
    /// Only for a process that has just been forked or executed: no owner of a closed number may run
    /// afterwards, so the caller must be about to leave all inherited Rust values alone for ever.
    pub fn close(&self) -> bool {
        if self.shared && !part() {
            return false;
        }
        self.ranges.iter().for_each(|&(first, last)| close_range(first, last));
        true
    }
}

/// Gives this process a table of its own, with what lies low. The other numbers are not closed but stay
/// behind, in the shared table.
fn part() -> bool {
    close_numbers(LOW, u32::MAX, libc::CLOSE_RANGE_UNSHARE)
}

/// Whether the kernel can give a process a table of its own.
pub fn can_part() -> bool {
    static CAN: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    // No descriptor has this number, and a table that is not shared is kept.
    *CAN.get_or_init(|| close_numbers(u32::MAX, u32::MAX, libc::CLOSE_RANGE_UNSHARE))
}

/// Replaces a descriptor that lies low by a copy that does not, and returns the original. `None` if it does
/// not lie low, or no number is free.
pub fn move_up(fd: &mut OwnedFd) -> Option<OwnedFd> {
    if fd.as_raw_fd() >= LOW as RawFd {
        return None;
    }
    let copy = fcntl(fd.as_raw_fd(), Command::Duplicate(LOW as RawFd)).ok()?;
    Some(std::mem::replace(fd, own(copy).ok()?))
}

fn close_range(first: u32, last: u32) {
    if !close_numbers(first, last, 0) {
        // A kernel or a sandbox without close_range: one by one.
        for fd in open_descriptors(first, last) {
            let _ = close(fd as RawFd);
        }
    }
}

/// Calls close_range(2). Returns whether the kernel and the sandbox know it.
fn close_numbers(first: u32, last: u32, flags: libc::c_uint) -> bool {
    // SAFETY: closing numbers is defined for any range; what owns them is never used again, as the caller of
    // `Others::close` promises.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) == 0 }
}

/// The open numbers in this range, that of the listing itself among them, which is closed by then. Without
/// `/proc`, all numbers that the limit allows.
fn open_descriptors(first: u32, last: u32) -> Vec<u32> {
    let all = || (first..=last.min(super::rlimit::descriptors().saturating_sub(1))).collect();
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return all() };
    let number = |entry: std::fs::DirEntry| entry.file_name().to_str().and_then(|name| name.parse().ok());
    entries.flatten().filter_map(number).filter(|fd| (first..=last).contains(fd)).collect()
}

/// Makes a socket's buffer wide enough for this many small messages, as far as the system allows.
pub fn widen(socket: &OwnedFd, messages: u32) {
    // A small packet is accounted for with its bookkeeping; 1 KiB covers both.
    let bytes = (messages.max(256) as libc::c_int).saturating_mul(1024) as usize;
    // Refusal (the second one is for root) leaves the buffer as it was.
    let _ = sockopt::set_socket_send_buffer_size(socket, bytes);
    let _ = sockopt::set_socket_send_buffer_size_force(socket, bytes);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;
    use crate::{memfd, poll, process, seqpacket};

    /// Tells this test binary that it is the program of the case.
    const ALONE: &str = "PHALANX_TEST_CLOSED";

    fn close_standard() {
        for number in 0..STANDARD {
            // The process of this case is ours alone, and prints nothing any more.
            let _ = close(number);
        }
    }

    /// What lies at 0, 1 and 2.
    fn standard() -> Vec<String> {
        let name = |number| fs::read_link(format!("/proc/self/fd/{number}")).ok();
        // Not by a listing: that would itself open one of them.
        (0..STANDARD)
            .filter(|&number| is_open(number))
            .filter_map(name)
            .map(|path| path.display().to_string())
            .collect()
    }

    /// Runs in a program of its own: descriptors belong to all tests of a process.
    #[test]
    fn no_descriptor_of_ours_is_a_standard_one() {
        if std::env::var_os(ALONE).is_none() {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            let mut program = Command::new(std::env::current_exe().unwrap());
            let ended = program.args([&name, "--exact", "--nocapture"]).env(ALONE, "1").status().unwrap();
            assert_eq!(ended.code(), Some(7), "5: made here; 4: received; 101: a panic");
            return;
        }
        close_standard();
        let pair = seqpacket_pair().unwrap();
        let (_epoll, _event, _pidfd) =
            (poll::Epoll::new(), poll::Event::new(), process::pidfd(process::pid()));
        let _payload = memfd::payload(b"bytes");
        let _pipe = pipe();
        if !standard().is_empty() {
            std::process::exit(5);
        }
        seqpacket::send_raw(pair.0.as_fd(), b"x", &[pair.0.as_fd(), pair.1.as_fd()]).unwrap();
        let packet = seqpacket::receive(pair.1.as_fd(), &mut seqpacket::buffer(), true).unwrap().unwrap();
        if packet.fds.len() != 2 || !standard().is_empty() {
            std::process::exit(4);
        }
        std::process::exit(7);
    }

    #[test]
    fn the_end_of_a_pipe_that_is_read_never_blocks() {
        let (reader, writer) = pipe().unwrap();
        let mut bytes = [0; 8];
        assert_eq!(read(reader.as_fd(), &mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(write(writer.as_fd(), b"some").unwrap(), 4);
        assert_eq!(read(reader.as_fd(), &mut bytes).unwrap(), 4);
        drop(writer);
        assert_eq!(read(reader.as_fd(), &mut bytes).unwrap(), 0);
    }
}
