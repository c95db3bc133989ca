//! The rights of a process, as credentials(7) counts them, and those of whoever has sent a packet.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;

/// With which rights the calling thread runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Real, effective and saved.
    users: [u32; 3],
    groups: [u32; 3],
    supplementary: Vec<u32>,
    permitted: u64,
    effective: u64,
}

/// The version of the structures of capget(2) that has 64 capabilities.
const CAPABILITIES: u32 = 0x2008_0522;

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// Half of the capabilities: 32 of them.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

impl Credentials {
    pub(crate) fn now() -> Credentials {
        let (mut users, mut groups) = ([0; 3], [0; 3]);
        let ([real, effective, saved], [real_group, effective_group, saved_group]) =
            (&mut users, &mut groups);
        // SAFETY: three words each are written to local variables; the calls cannot fail.
        unsafe {
            libc::getresuid(real, effective, saved);
            libc::getresgid(real_group, effective_group, saved_group);
        }
        let (permitted, effective) = capabilities();
        Credentials { users, groups, supplementary: supplementary_groups(), permitted, effective }
    }

    /// In words, how these differ from those before.
    pub(crate) fn difference(&self, before: &Credentials) -> Option<String> {
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
    // SAFETY: with no room, only the number of groups is answered.
    let count = unsafe { libc::getgroups(0, std::ptr::null_mut()) };
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: there is room for `count` of them; should another thread have added some meanwhile, the call fails.
    let got = unsafe { libc::getgroups(count.max(0), groups.as_mut_ptr()) };
    groups.truncate(usize::try_from(got).unwrap_or(0));
    groups.sort_unstable();
    groups
}

/// The permitted and the effective ones of the calling thread; none where they cannot be asked for.
fn capabilities() -> (u64, u64) {
    let mut header = CapabilityHeader { version: CAPABILITIES, pid: 0 };
    let mut halves = [Capabilities::default(); 2];
    // SAFETY: a header of this version, and room for both halves that it has.
    unsafe { libc::syscall(libc::SYS_capget, &raw mut header, halves.as_mut_ptr()) };
    let whole = |of: fn(&Capabilities) -> u32| u64::from(of(&halves[1])) << 32 | u64::from(of(&halves[0]));
    (whole(|half| half.permitted), whole(|half| half.effective))
}

/// The real user and group of this process, as those of the sender come with each packet.
pub(crate) fn own_ids() -> (u32, u32) {
    // SAFETY: neither call can fail.
    unsafe { (libc::getuid(), libc::getgid()) }
}

/// From now on each packet that is sent to this socket says who has sent it, whatever the sender does.
///
/// # Errors
/// `EBADF`, `ENOTSOCK`: it is no socket.
pub(crate) fn ask_for_senders(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_PASSCRED);
    // SAFETY: a c_int is read from a local variable.
    check(unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(&on).cast(), size)
    })
    .map(drop)
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
