//! The register of a supervisor: which process is which incarnation of which actor.
//!
//! The page has a pid too, but its actor and every holder of a ref can write there: a forged page could aim a
//! signal at any process. So each supervisor keeps a list in a memory file that it shares with no other
//! process. Others read it where the supervisor has it open (`/proc/PID/fd`), without asking.
//!
//! A page says only where to look: the supervisor, and the number of the file. A lie leads to no list, or to
//! a list of the liar's own. A list is believed only about children of the process that holds it, which the
//! kernel knows: a liar can name only processes that it started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::status::root_supervisor;
use crate::sys::{memfd, process, procfs};

/// How many bytes of a list are read: 700,000 children.
const LONGEST: u64 = 16 << 20;

/// How many processes [`search`] looks at, at most.
const MOST: usize = 4096;

/// How often a list is read again if it changes meanwhile.
const LOOKS: usize = 100;

/// An entry as it lies in memory: the actor's id, the incarnation, the pid. Pid 0 marks a free entry.
type Entry = [u64; 3];
const ENTRY: usize = size_of::<Entry>();

/// In a supervisor and its forks: the descriptor number of its register.
static NUMBER: AtomicI32 = AtomicI32::new(-1);

/// The list, for the supervisor that keeps it.
#[derive(Debug)]
pub(crate) struct Register {
    file: File,
    places: BTreeMap<i32, u64>,
    free: Vec<u64>,
}

impl Register {
    /// # Errors
    /// `EMFILE`, `ENOMEM` and the like.
    pub(crate) fn new() -> io::Result<Register> {
        let file = memfd::register()?;
        NUMBER.store(file.as_raw_fd(), Ordering::Relaxed);
        Ok(Register { file, places: BTreeMap::new(), free: Vec::new() })
    }

    /// Adds a process. Without memory for the entry, no reader finds it.
    pub(crate) fn enter(&mut self, pid: i32, id: u64, incarnation: u64) {
        let place = self.free.pop().unwrap_or(self.places.len() as u64);
        self.places.insert(pid, place);
        self.write(place, [id, incarnation, u64::from(pid.unsigned_abs())]);
    }

    /// Removes a process. Called before it is reaped, while its pid cannot be another process's yet.
    pub(crate) fn strike(&mut self, pid: i32) {
        if let Some(place) = self.places.remove(&pid) {
            self.free.push(place);
            self.write(place, [0; 3]);
        }
    }

    fn write(&self, place: u64, entry: Entry) {
        let bytes = entry.map(u64::to_ne_bytes);
        let _ = memfd::write_all(&self.file, bytes.as_flattened(), place * ENTRY as u64);
    }
}

/// The descriptor number of the supervisor's register, for a child that was just forked.
pub(crate) fn number() -> i32 {
    NUMBER.load(Ordering::Relaxed)
}

/// A process, and its incarnation.
pub(crate) struct Known {
    pub(crate) incarnation: u64,
    /// A pidfd: it never refers to another process.
    pub(crate) handle: OwnedFd,
}

/// The actor's process, as its supervisor's register lists it. `place` is the supervisor's pid and the number
/// of the file.
///
/// # Errors
/// `NotFound`: no such list. `PermissionDenied`: this process may not look there. `EMFILE` and the like.
pub(crate) fn find(id: u64, place: (i32, i32)) -> io::Result<Option<Known>> {
    let (supervisor, number) = place;
    let path = format!("/proc/{supervisor}/fd/{number}");
    // First its name: opening something else could have effects.
    if !fs::read_link(&path)?.to_string_lossy().starts_with(memfd::REGISTER) {
        return Err(io::ErrorKind::NotFound.into());
    }
    find_on(&File::open(path)?, id, supervisor)
}

/// Searches the whole tree for the register that lists this actor, if its page does not say where it is.
pub(crate) fn search(id: u64) -> Option<Known> {
    let mut open: Vec<i32> = root_supervisor::pid().into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(pid) = open.pop() {
        if seen.len() >= MOST || !seen.insert(pid) {
            continue;
        }
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut lists = numbers.filter_map(|number| find(id, (pid, number)).ok()).peekable();
        if lists.peek().is_some() {
            open.extend(procfs::children(pid));
        }
        if let Some(known) = lists.flatten().next() {
            return Some(known);
        }
    }
    None
}

/// Opens the handle and checks the parent, then reads the list again: a supervisor removes an entry before
/// the pid can be reused.
fn find_on(list: &File, id: u64, supervisor: i32) -> io::Result<Option<Known>> {
    for _ in 0..LOOKS {
        let Some(entry) = entry_of(list, id)? else { return Ok(None) };
        let [_, incarnation, pid] = entry;
        let Ok(pid @ 1..) = i32::try_from(pid) else { return Ok(None) };
        let handle = match process::pidfd(pid) {
            Err(error) if error.raw_os_error() != Some(process::NO_SUCH_PROCESS) => return Err(error),
            handle => handle.ok(),
        };
        let is_child = procfs::parent_of(pid) == Some(supervisor);
        if entry_of(list, id)? == Some(entry) {
            return Ok(handle.filter(|_| is_child).map(|handle| Known { incarnation, handle }));
        }
    }
    Ok(None)
}

fn entry_of(list: &File, id: u64) -> io::Result<Option<Entry>> {
    let mut bytes = vec![0; list.metadata()?.len().min(LONGEST) as usize];
    // A part that is missing stays zero, and counts as free.
    let mut read = 0;
    while let count @ 1.. = list.read_at(&mut bytes[read..], read as u64)? {
        read += count;
    }
    let (entries, _) = bytes.as_chunks::<ENTRY>();
    let mut entries = entries.iter().map(|bytes| {
        let (words, _) = bytes.as_chunks::<8>();
        [0, 1, 2].map(|at| words.get(at).map_or(0, |word| u64::from_ne_bytes(*word)))
    });
    Ok(entries.find(|&[of, _, pid]| of == id && pid != 0))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeping() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    fn end(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn who_is_entered_is_found_until_it_is_struck_out() {
        let mut register = Register::new().unwrap();
        let place = (process::pid(), register.file.as_raw_fd());
        let (one, two) = (sleeping(), sleeping());
        register.enter(one.id() as i32, 7, 1);
        register.enter(two.id() as i32, 8, 3);
        assert_eq!(find(8, place).unwrap().unwrap().incarnation, 3);
        register.strike(one.id() as i32);
        assert!(find(7, place).unwrap().is_none());
        register.enter(one.id() as i32, 9, 1);
        assert!(find(9, place).unwrap().is_some() && find(8, place).unwrap().is_some());
        end(one);
        end(two);
    }

    #[test]
    fn a_list_is_not_believed_about_other_processes_than_children_of_who_holds_it() {
        let mut register = Register::new().unwrap();
        let place = (process::pid(), register.file.as_raw_fd());
        for (id, pid) in (10..).zip([process::pid(), process::parent(), 1, i32::MAX, -1, 0]) {
            register.enter(pid, id, 1);
            assert!(find(id, place).unwrap().is_none(), "{pid}");
        }
    }

    #[test]
    fn what_is_no_list_is_not_opened() {
        let (reader, _writer) = std::io::pipe().unwrap();
        for place in [(process::pid(), reader.as_raw_fd()), (process::pid(), -1), (-1, 0), (i32::MAX, 3)] {
            assert!(find(7, place).is_err(), "{place:?}");
        }
    }
}
