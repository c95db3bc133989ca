//! One packet of an ipc-channel, written and read without its blocking, panicking and allocating paths.
//!
//! The bytes on the wire are exactly those of ipc-channel 0.23.1 for a message of one fragment: the size of
//! the packet, the size of the data, the data; descriptors beside them. A test talks to a plain `IpcSender`
//! and `IpcReceiver` in both directions, and the version is pinned.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recv, sendmsg};

use super::{check, fd, retry, zeroed};

/// The two sizes in front of the data.
pub const HEADER: usize = 2 * size_of::<usize>();

/// The largest data of one packet that we send; larger payloads travel as shared memory.
pub const MAX_DATA: usize = 60 * 1024;

/// As many descriptors as ipc-channel allows in one message.
pub const MAX_FDS: usize = 64;

/// The size of a buffer. A packet needs less, but from this size on an allocator maps zero pages instead of
/// writing zeroes, so that a process only pays for what it receives.
const BUFFER: usize = 160 * 1024;

const _: () = assert!(BUFFER >= HEADER + MAX_DATA);

/// A buffer for one packet, to be used again and again.
pub fn buffer() -> Vec<u8> {
    vec![0; BUFFER]
}

/// The room that a control message takes beside its content.
const CONTROL_HEADER: usize = 16;

/// Room for the control messages of [`MAX_FDS`] descriptors and of the sender's credentials, aligned as the
/// kernel wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

const CONTROL: usize = CONTROL_HEADER
    + MAX_FDS * size_of::<RawFd>()
    + CONTROL_HEADER
    + size_of::<libc::ucred>().next_multiple_of(8);

/// Sends one packet, whose first [`HEADER`] bytes are filled in here. Never blocks, never raises SIGPIPE.
///
/// # Errors
/// `WouldBlock` if the socket is full, `BrokenPipe` or `ConnectionReset` if the other end is gone.
pub fn send(socket: BorrowedFd<'_>, packet: &mut [u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    assert!(packet.len() >= HEADER && packet.len() <= HEADER + MAX_DATA && fds.len() <= MAX_FDS);
    let (total, data) = (packet.len(), packet.len() - HEADER);
    packet[..HEADER / 2].copy_from_slice(&total.to_ne_bytes());
    packet[HEADER / 2..HEADER].copy_from_slice(&data.to_ne_bytes());
    send_raw(socket, packet, fds)
}

/// Sends bytes as they are, as one packet. Never blocks, never raises SIGPIPE.
///
/// # Errors
/// `WouldBlock` if the socket is full, `BrokenPipe` or `ConnectionReset` if the other end is gone.
pub fn send_raw(socket: BorrowedFd<'_>, packet: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    assert!(fds.len() <= MAX_FDS);
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut beside = SendAncillaryBuffer::new(if fds.is_empty() { &mut [] } else { &mut room });
    if !fds.is_empty() {
        let fits = beside.push(SendAncillaryMessage::ScmRights(fds));
        debug_assert!(fits, "there is room for as many as are allowed");
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    retry(|| match sendmsg(socket, &[IoSlice::new(packet)], &mut beside, flags) {
        Ok(_) => Ok(()),
        // The kernel has no buffer for now: the same as a full socket to us.
        Err(Errno::NOBUFS) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    })
}

/// Room beside a packet that is sent, for [`MAX_FDS`] descriptors.
const ROOM: usize = rustix::cmsg_space!(ScmRights(MAX_FDS));

/// What one receive brought.
pub struct Packet {
    /// How many bytes of the buffer are filled.
    pub len: usize,
    /// The descriptors that came along, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// The packet, or its descriptors, did not fit, and the rest is lost.
    pub truncated: bool,
    /// The real user and group of the sender, if the socket was [asked for
    /// them](super::credentials::ask_for_senders) when the packet was sent.
    pub sender: Option<(u32, u32)>,
    /// The process that sent it, if the socket was asked for that and this process can see it.
    pub pid: Option<i32>,
}

/// Receives one packet as it is; with `wait`, blocks until there is one.
///
/// `Ok(None)` means that the other end is closed. `wait` also blocks on a socket that another process has
/// made non-blocking.
///
/// # Errors
/// `WouldBlock` without `wait` if there is nothing; `Interrupted` if a signal handler ran while waiting.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> io::Result<Option<Packet>> {
    receive_with(socket, buffer, wait, 0)
}

/// As [`receive`], but leaves the packet in the socket, as the first one; its descriptors are copies.
///
/// # Errors
/// As [`receive`].
pub fn peek(socket: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> io::Result<Option<Packet>> {
    receive_with(socket, buffer, wait, libc::MSG_PEEK)
}

/// From now on each [`peek`] at this socket shows the packet behind the one before, beginning with the first.
///
/// # Errors
/// If the kernel does not support that.
pub fn peek_from_the_first(socket: BorrowedFd<'_>) -> io::Result<()> {
    let offset: libc::c_int = 0;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PEEK_OFF);
    // SAFETY: a c_int is read from a local variable.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, ptr::from_ref(&offset).cast(), size) })
        .map(drop)
}

/// Reads the bytes of the first packet, and leaves it and its descriptors in the socket. Never blocks;
/// returns 0 if there is no packet.
///
/// # Errors
/// Those of `recv(2)`, except `WouldBlock` and `ConnectionReset`.
pub fn peek_bytes(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let got = retry(|| Ok(recv(socket, &mut *buffer, flags)?.0));
    match got {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionReset) => {
            Ok(0)
        }
        got => got,
    }
}

/// Takes the first packet out of the socket, and forgets it with its descriptors. Never blocks; returns
/// whether there was one.
pub fn skip(socket: BorrowedFd<'_>) -> bool {
    // What does not fit is discarded by the kernel.
    let mut byte = [0];
    let got = retry(|| Ok(recv(socket, &mut byte, RecvFlags::DONTWAIT)?.0));
    // No bytes: an empty packet, or the end, which stays.
    got.is_ok_and(|got| got > 0 || !super::fd::has_ended(socket))
}

fn receive_with(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: bool,
    flags: libc::c_int,
) -> io::Result<Option<Packet>> {
    loop {
        match receive_once(socket, buffer, wait, flags) {
            Err(error) if wait && error.kind() == io::ErrorKind::WouldBlock => {
                super::poll::readable(socket, None)?;
            }
            // A peer closed its end with packets of ours unread. The kernel reports it once, before what the
            // peer has sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            other => return other,
        }
    }
}

fn receive_once(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    wait: bool,
    flags: libc::c_int,
) -> io::Result<Option<Packet>> {
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control([0; CONTROL]);
    let mut message: libc::msghdr = zeroed();
    message.msg_iov = &mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    let flags = flags | libc::MSG_CMSG_CLOEXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    // By hand: nix allocates for each call, and rustix takes the pid of a sender to be never 0. It is 0 for a
    // sender in a pid namespace that this process cannot see.
    // SAFETY: the kernel writes at most `iov_len` bytes to `buffer` and `msg_controllen` bytes to `control`.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, flags) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    let Arrived { fds, sender, pid, lost } = detach(&message);
    if got == 0 && fds.is_empty() {
        return Ok(None);
    }
    let truncated = lost || message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0;
    Ok(Some(Packet { len: got as usize, fds, truncated, sender, pid }))
}

/// What came beside a message.
#[derive(Default)]
struct Arrived {
    fds: Vec<OwnedFd>,
    sender: Option<(u32, u32)>,
    pid: Option<i32>,
    /// Whether a descriptor could not be kept, for lack of a number that is not a standard one.
    lost: bool,
}

fn detach(message: &libc::msghdr) -> Arrived {
    let mut arrived = Arrived::default();
    // SAFETY: the kernel has filled in the control buffer that `message` points to; the CMSG functions stay
    // inside `msg_controllen`, and every SCM_RIGHTS number in it is a new descriptor that only we know.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                let bytes = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                for index in 0..bytes / size_of::<RawFd>() {
                    match fd::own(ptr::read_unaligned(data.add(index))) {
                        Ok(fd) => arrived.fds.push(fd),
                        Err(_) => arrived.lost = true,
                    }
                }
            }
            let has_sender =
                (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_CREDENTIALS;
            if has_sender
                && (*header).cmsg_len as usize >= libc::CMSG_LEN(size_of::<libc::ucred>() as u32) as usize
            {
                let credentials = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<libc::ucred>());
                arrived.sender = Some((credentials.uid, credentials.gid));
                arrived.pid = Some(credentials.pid).filter(|&pid| pid > 0);
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    arrived
}

/// The data of a packet that claims to be a whole ipc-channel message, or `None` if its sizes do not say so.
pub fn data(packet: &[u8]) -> Option<&[u8]> {
    let total = usize::from_ne_bytes(packet.get(..HEADER / 2)?.try_into().ok()?);
    let data = usize::from_ne_bytes(packet.get(HEADER / 2..HEADER)?.try_into().ok()?);
    (total == packet.len() && data == packet.len() - HEADER).then(|| &packet[HEADER..])
}
