//! The rights of a process, as credentials(7) counts them, and those of the sender of a packet.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use nix::unistd::{Gid, Uid, getgid, getgroups, getresgid, getresuid, getuid};

use super::check;

/// The rights of the calling thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Real, effective and saved.
    users: [u32; 3],
    groups: [u32; 3],
    supplementary: Vec<u32>,
    permitted: u64,
    effective: u64,
}

impl Credentials {
    /// Reads the rights of the calling thread.
    pub fn now() -> Credentials {
        // Neither call can fail.
        let users = getresuid().map(|ids| [ids.real, ids.effective, ids.saved].map(Uid::as_raw));
        let groups = getresgid().map(|ids| [ids.real, ids.effective, ids.saved].map(Gid::as_raw));
        let (users, groups) = (users.unwrap_or_default(), groups.unwrap_or_default());
        let (permitted, effective) = capabilities();
        Credentials { users, groups, supplementary: supplementary_groups(), permitted, effective }
    }

    /// Describes the first difference from `before`; `None` if there is none.
    pub fn difference(&self, before: &Credentials) -> Option<String> {
        if self == before {
            return None;
        }
        let told = |what: &str, now: &[u32; 3], then: &[u32; 3]| {
            (now != then)
                .then(|| format!("the {what} (real, effective, saved) were {then:?} and are {now:?}"))
        };
        let differ = |what: &str, differ: bool| differ.then(|| format!("the {what} are others"));
        let capabilities = (self.permitted, self.effective) != (before.permitted, before.effective);
        told("user ids", &self.users, &before.users)
            .or_else(|| told("group ids", &self.groups, &before.groups))
            .or_else(|| differ("supplementary groups", self.supplementary != before.supplementary))
            .or_else(|| differ("capabilities of this thread", capabilities))
    }
}

fn supplementary_groups() -> Vec<u32> {
    let mut groups: Vec<u32> = getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect();
    groups.sort_unstable();
    groups
}

/// The permitted and effective capabilities of the calling thread; none where they cannot be read.
fn capabilities() -> (u64, u64) {
    rustix::thread::capabilities(None).map_or((0, 0), |sets| (sets.permitted.bits(), sets.effective.bits()))
}

/// The real user and group of this process, which each of its packets carries as those of the sender.
pub fn own_ids() -> (u32, u32) {
    (getuid().as_raw(), getgid().as_raw())
}

/// From now on each packet sent to this socket carries its sender's ids, whatever the sender does.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: it is no socket.
pub fn ask_for_senders(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_passcred(socket, true)?)
}

/// The effective user of the process that made the other end of this socket, at that time.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`; an error of the kernel's if it is no socket of the kind that knows.
pub fn user_of_peer(socket: BorrowedFd<'_>) -> io::Result<u32> {
    // By hand: rustix takes the pid of a peer to be never 0. It is 0 for one of another pid namespace.
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    let (level, option, to) = (libc::SOL_SOCKET, libc::SO_PEERCRED, ptr::from_mut(&mut peer).cast());
    // SAFETY: at most `size` bytes are written, into a local variable of that size, and any bytes are a valid
    // value of its three integers.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, to, &mut size) })?;
    Ok(peer.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_rights_do_not_differ_and_others_are_named() {
        let now = Credentials::now();
        assert_eq!(now.difference(&Credentials::now()), None);
        let less = Credentials { users: [7, 7, 7], ..now.clone() };
        assert!(less.difference(&now).unwrap().contains("user ids"));
        let less = Credentials { effective: !now.effective, ..now.clone() };
        assert!(less.difference(&now).unwrap().contains("capabilities"));
        let less = Credentials { supplementary: vec![12345], ..now.clone() };
        assert!(less.difference(&now).unwrap().contains("supplementary"));
    }
}
