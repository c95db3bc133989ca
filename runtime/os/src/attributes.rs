//! The attributes of this process: environment, niceness, cores, limits, user.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::{env, io};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::{Gid, Pid, Uid, setgid, setgroups, setuid};

use super::rlimit::{self, Limit};

/// An attribute of a process that the system may refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// How nice it is to other processes.
    Niceness,
    /// The cores that it may run on.
    Affinity,
    /// A limit of setrlimit(2).
    Limit(Limit),
    /// Its limit on private memory.
    Memory,
    /// Its supplementary groups.
    Groups,
    /// Its group.
    Group,
    /// Its user.
    User,
}

impl Attribute {
    /// The number by which a process that cannot say more names it; never 0.
    pub(crate) fn number(self) -> u64 {
        match self {
            Attribute::Niceness => 1,
            Attribute::Affinity => 2,
            Attribute::Memory => 3,
            Attribute::Groups => 4,
            Attribute::Group => 5,
            Attribute::User => 6,
            Attribute::Limit(limit) => 16 + limit as u64,
        }
    }

    /// The attribute of this number.
    pub(crate) fn of_number(number: u64) -> Option<Attribute> {
        use Attribute::{Affinity, Group, Groups, Memory, Niceness, User};
        let limits = Limit::ALL.into_iter().map(Attribute::Limit);
        let mut all = [Niceness, Affinity, Memory, Groups, Group, User].into_iter().chain(limits);
        all.find(|attribute| attribute.number() == number)
    }
}

/// Sets niceness, cores and limits of this process, in this order. Async-signal-safe, if the niceness is one.
///
/// # Errors
/// The first attribute that the system refuses, and why.
pub fn set(
    niceness: Option<i32>,
    cores: Option<&[u32]>,
    limits: &BTreeMap<Limit, u64>,
) -> Result<(), (Attribute, io::Error)> {
    if let Some(niceness) = niceness {
        set_niceness(niceness).map_err(|error| (Attribute::Niceness, error))?;
    }
    if let Some(cores) = cores {
        set_affinity(cores).map_err(|error| (Attribute::Affinity, error))?;
    }
    for (&limit, &value) in limits {
        rlimit::limit(limit, value).map_err(|error| (Attribute::Limit(limit), error))?;
    }
    Ok(())
}

/// A user, and its groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct User {
    /// The number of the user.
    pub user: Option<u32>,
    /// The number of the group.
    pub group: Option<u32>,
    /// The supplementary groups. `None`: those of this process or, for another user, none.
    pub groups: Option<Vec<u32>>,
}

impl User {
    /// As the kernel wants them.
    pub(crate) fn raw_groups(&self) -> Option<Vec<Gid>> {
        let of_other = self.user.map(|_| Vec::new());
        let asked = self.groups.clone().or(of_other);
        asked.map(|groups| groups.into_iter().map(Gid::from_raw).collect())
    }

    /// Makes this process one of this user; `groups` are the [`raw_groups`](Self::raw_groups), made before a
    /// fork. Async-signal-safe.
    ///
    /// # Errors
    /// `EPERM` without the right to.
    pub(crate) fn become_it(&self, groups: Option<&[Gid]>) -> Result<(), (Attribute, io::Error)> {
        let failed = |attribute| move |error: nix::Error| (attribute, io::Error::from(error));
        if let Some(groups) = groups {
            // Without an option of its own, this is a part of becoming another user.
            let option = if self.groups.is_some() { Attribute::Groups } else { Attribute::User };
            setgroups(groups).map_err(failed(option))?;
        }
        if let Some(group) = self.group {
            setgid(Gid::from_raw(group)).map_err(failed(Attribute::Group))?;
        }
        if let Some(user) = self.user {
            setuid(Uid::from_raw(user)).map_err(failed(Attribute::User))?;
        }
        Ok(())
    }
}

/// Changes the environment. With `keep`, first removes every variable but that one. Removed and replaced
/// values cannot be read in `/proc/PID/environ` either.
///
/// Only for a process that has just been forked, in which no other thread reads the environment.
pub fn change_environment(keep: Option<&str>, changes: &BTreeMap<OsString, Option<OsString>>) {
    let emptied: Vec<OsString> = match keep {
        Some(kept) => env::vars_os().map(|(name, _)| name).filter(|name| name != kept).collect(),
        None => Vec::new(),
    };
    let has_changes = !changes.is_empty();
    let removals = emptied.iter().map(|name| (name, None));
    let changes = changes.iter().map(|(name, value)| (name, value.as_ref()));
    for (name, value) in removals.chain(changes) {
        // SAFETY: a new process has one thread, this one, which has not reached the user's code yet.
        unsafe {
            match value {
                Some(value) => env::set_var(name, value),
                None => env::remove_var(name),
            }
        }
    }
    if keep.is_some() || has_changes {
        blank_what_is_gone();
    }
}

unsafe extern "C" {
    /// The C library's environment: a list of C strings with a null at its end.
    static mut environ: *const *const libc::c_char;
}

/// Zeroes the strings with which this image was started (what `/proc/PID/environ` shows) that are no longer
/// part of the environment.
fn blank_what_is_gone() {
    let Some((start, end)) = first_environment() else { return };
    let kept = entries();
    let start = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the kernel has put these bytes there, C strings one behind the other, in writable memory of
    // this process' stack that is no object of Rust's. Rust copies what it reads of the environment, and a
    // new process has one thread, so nothing else reads or writes them meanwhile.
    let strings = unsafe { std::slice::from_raw_parts_mut(start, end - start.addr()) };
    for string in strings.split_mut(|&byte| byte == 0) {
        // No pointer of the environment leads to a removed string.
        if !kept.contains(&string.as_ptr().addr()) {
            string.fill(0);
        }
    }
}

/// The addresses of the strings in the environment.
fn entries() -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    // SAFETY: the list is null or ends with a null, and `at` is at an entry before that, so there is a next
    // one. The list is not changed meanwhile: a new process has one thread, which has not reached the user's
    // code yet.
    unsafe {
        let mut at = (&raw const environ).read();
        while !at.is_null() && !(*at).is_null() {
            found.insert((*at).expose_provenance());
            at = at.add(1);
        }
    }
    found
}

/// Start and end of the environment with which this image was started, as the kernel reports them.
fn first_environment() -> Option<(usize, usize)> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold anything. The third field follows it; these are the fiftieth and the
    // next.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(50 - 3);
    let (start, end) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    (start != 0 && start < end).then_some((start, end))
}

/// Sets the niceness of this process, and of the threads that it starts from now on.
///
/// # Errors
/// `InvalidInput` if there is no such niceness, `EACCES` without the right to be less nice.
fn set_niceness(niceness: i32) -> io::Result<()> {
    if !(-20..=19).contains(&niceness) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is between -20 and 19"));
    }
    Ok(rustix::process::setpriority_process(None, niceness)?)
}

/// Lets this process, and the threads that it starts from now on, run on these cores only.
///
/// # Errors
/// `EINVAL` if this process has none of these cores.
fn set_affinity(cores: &[u32]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        // A core beyond the set does not exist.
        let _ = set.set(core as usize);
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attribute_has_a_number_of_its_own() {
        let numbers: BTreeSet<u64> =
            (1..100).filter(|&number| Attribute::of_number(number).is_some()).collect();
        assert_eq!(numbers.len(), 6 + Limit::ALL.len());
        assert_eq!(Attribute::of_number(0), None);
        for number in numbers {
            assert_eq!(Attribute::of_number(number).unwrap().number(), number);
        }
    }
}
