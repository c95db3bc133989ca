//! The tree as it is now, for people: which processes run, what each is busy with since when, which were
//! restarted, and why.
//!
//! No process is asked, so none has to answer: the status pages are read where the supervisors hold them, and
//! `/proc` says the rest. A hung actor is seen like any other.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{fmt, fs};

use crate::control::entry;
use crate::control::request::Kind;
use crate::status::root_supervisor::{self, DEEPEST};
use crate::status::{State, StatusPage};
use crate::sys::{clock, procfs};
use crate::types::escape::{Line, escaped};
use crate::types::exit::ExitReason;

/// A process of the tree, with all below it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Its process id; `None` while it has no process.
    pub pid: Option<u32>,
    /// The process that spawned it; for a supervisor of the own kind, the process that it belongs to.
    pub parent: Option<u32>,
    /// The supervisor that forked it, and whose child it is in the operating system; `None` for the root
    /// supervisor, which the program has started, and for what phalanx has not started.
    pub supervisor: Option<u32>,
    /// What it is doing.
    pub state: NodeState,
    /// How long its process has been there, in hundredths of a second.
    pub age: Duration,
    /// How often it has been started; 0 for what phalanx has not started.
    pub incarnation: u64,
    /// How often it was restarted after its end.
    pub restarts: u32,
    /// How often it was recycled.
    pub recycled: u32,
    /// How many messages wait in its mailbox.
    pub depth: u32,
    /// How many fit.
    pub capacity: u32,
    /// How many it has handled, in all its processes.
    pub handled: u64,
    /// How many messages were lost because a process died while it handled them.
    pub interrupted: u32,
    /// How many more were being answered when a process died: only the caller knows whether the answer got
    /// out.
    pub cut_answers: u32,
    /// The method it is busy with, and for how long.
    pub in_progress: Option<(String, Duration)>,
    /// Its resident memory, in bytes.
    pub rss: u64,
    /// The processor time it has used, in this process.
    pub cpu: Duration,
    /// How its last process ended, if one did.
    pub last_reason: Option<ExitReason>,
    /// What is below it.
    pub children: Vec<Node>,
}

/// What a process of the tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeKind {
    /// The supervisor that belongs to the program, or to an actor that has spawned something.
    Own,
    /// A supervisor that was declared.
    Supervisor,
    /// An actor.
    Actor,
    /// A task.
    Task,
    /// A process that an actor has started by other means.
    Other,
}

/// What a process of the tree is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NodeState {
    /// It is not ready yet.
    Starting,
    /// It is ready.
    Up,
    /// It has no process, and will have one.
    Restarting,
    /// It has no process.
    Down,
}

/// The tree of this program, as it is now; `None` if nothing has been spawned. An actor that calls it gets
/// the whole tree, too.
///
/// Reads shared memory and `/proc`, sends nothing and waits for no process. What changes while it is read may
/// be half old, half new.
///
/// ```
/// # use phalanx::prelude::*;
/// # #[actor] struct Echo;
/// # #[actor] impl Echo { fn echo(&self, text: String) -> String { text } }
/// # #[phalanx::main]
/// # fn main() -> phalanx::Result<()> {
/// let echo = Echo.builder().name("echo").spawn()?;
/// echo.echo("hello".into()).wait()?;
/// let tree = phalanx::tree().unwrap();
/// println!("{tree}");
/// let node = tree.find("echo").unwrap();
/// assert_eq!((node.pid, node.handled), (Some(echo.pid()?), 1));
/// # Ok(())
/// # }
/// ```
pub fn tree() -> Option<Node> {
    let root = root_supervisor::pid()?;
    let mut node = Node::bare(procfs::name_of(root)?, NodeKind::Own, root);
    // The reaper stands between the program and the root supervisor.
    node.parent = procfs::parent_of(root).and_then(procfs::parent_of).map(i32::cast_unsigned);
    node.children = Page::all_of(root).below(root, 0, &mut Walk::default());
    Some(node)
}

/// The status pages of the processes directly below the supervisor of a process.
pub(crate) fn held_by(supervisor: i32) -> Vec<StatusPage> {
    let status_pages = Page::all_of(supervisor).0.into_iter();
    status_pages.map(|(status_page, _)| status_page).filter(|status_page| status_page.above() == 0).collect()
}

/// The status pages that a supervisor holds: those of its children, and of what its children will start. Each
/// is shown once.
struct Page(Vec<(StatusPage, Cell<bool>)>);

/// What has been seen on the way through a tree. Pages alone say what is below what: each page, and what each
/// process holds, is shown once at most, so that false pages cannot make the way endless.
#[derive(Default)]
struct Walk {
    supervisors: BTreeSet<i32>,
    depth: usize,
}

/// How often at most the descriptors of a supervisor are listed again because some have moved. What has been
/// started before the first time has moved once, so more times help only what is being started now.
const MOST_LISTS: u32 = 4;

/// The numbers of the descriptors that a process has open.
fn numbers(pid: i32) -> BTreeSet<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

impl Page {
    fn all_of(supervisor: i32) -> Page {
        let mut listed = numbers(supervisor);
        for _ in 0..MOST_LISTS {
            let (page, is_whole) = Page::of(supervisor, &listed);
            // A supervisor moves the descriptors of a child that it has just started: one that had the old
            // number when it was listed may have the new one when it is to be opened.
            let now = numbers(supervisor);
            if is_whole && now.is_subset(&listed) {
                return page;
            }
            listed = now;
        }
        Page::of(supervisor, &listed).0
    }

    /// The pages among these descriptors, in the order in which they came, and whether all are still there.
    fn of(supervisor: i32, numbers: &BTreeSet<u32>) -> (Page, bool) {
        let (mut pages, mut is_whole) = (Vec::new(), true);
        for number in numbers {
            let path = format!("/proc/{supervisor}/fd/{number}");
            let file = fs::read_link(&path).and_then(|target| {
                let is_page = target.to_string_lossy().starts_with("/memfd:phalanx-status-page");
                is_page.then(|| fs::OpenOptions::new().read(true).write(true).open(path)).transpose()
            });
            match file.and_then(|file| file.map(|file| StatusPage::open(file.into())).transpose()) {
                Ok(page) => pages.extend(page.map(|page| (page, Cell::default()))),
                Err(error) => is_whole &= error.kind() != ErrorKind::NotFound,
            }
        }
        (Page(pages), is_whole)
    }

    /// What is directly below the supervisor with this id (0: one that belongs to a process).
    fn below(&self, supervisor: i32, id: u64, walk: &mut Walk) -> Vec<Node> {
        if walk.depth >= DEEPEST {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let status_pages = self.0.iter().filter(|(_, is_shown)| !is_shown.get());
        let direct: Vec<_> = status_pages
            .filter(|(status_page, _)| status_page.above() == id && status_page.state() != State::Dead)
            .filter(|(status_page, _)| seen.insert(status_page.id()))
            .collect();
        direct.iter().for_each(|(_, is_shown)| is_shown.set(true));
        walk.depth += 1;
        let nodes = direct.iter().map(|(status_page, _)| self.node(status_page, supervisor, walk)).collect();
        walk.depth -= 1;
        nodes
    }

    fn node(&self, status_page: &StatusPage, supervisor: i32, walk: &mut Walk) -> Node {
        let mut node = Node::of(status_page, supervisor);
        node.supervisor = node.pid.map(|_| supervisor.cast_unsigned());
        let Some(pid) = node.pid.map(u32::cast_signed) else {
            if node.kind == NodeKind::Supervisor {
                node.children = self.below(supervisor, status_page.id(), walk);
            }
            return node;
        };
        node.children = match node.kind {
            NodeKind::Supervisor => walk.held_by(pid, status_page.id()),
            _ => {
                let own = status_page.supervisor_pid();
                let is_there = own > 0 && procfs::parent_of(own) == Some(supervisor);
                let spawned = is_there.then(|| walk.held_by(own, 0));
                let others = procfs::children_of_all_threads(pid).into_iter();
                let parent = Some(pid.cast_unsigned());
                let others = others.filter_map(|pid| {
                    Some(Node { parent, ..Node::bare(procfs::name_of(pid)?, NodeKind::Other, pid) })
                });
                spawned.into_iter().flatten().chain(others).collect()
            }
        };
        node
    }
}

impl Walk {
    fn held_by(&mut self, supervisor: i32, id: u64) -> Vec<Node> {
        if !self.supervisors.insert(supervisor) {
            return Vec::new();
        }
        Page::all_of(supervisor).below(supervisor, id, self)
    }
}

impl Node {
    fn bare(name: String, kind: NodeKind, pid: i32) -> Node {
        Node {
            name,
            kind,
            pid: Some(pid.unsigned_abs()),
            parent: None,
            supervisor: None,
            state: NodeState::Up,
            age: procfs::age(pid).unwrap_or_default(),
            incarnation: 0,
            restarts: 0,
            recycled: 0,
            depth: 0,
            capacity: 0,
            handled: 0,
            interrupted: 0,
            cut_answers: 0,
            in_progress: None,
            rss: procfs::resident_bytes(pid),
            cpu: procfs::processor_time(pid),
            last_reason: None,
            children: Vec::new(),
        }
    }

    /// The node that a page describes. The page's process id is believed only if the kernel confirms it: it
    /// must be a child of this supervisor.
    fn of(status_page: &StatusPage, supervisor: i32) -> Node {
        let (name, kind, entry) = status_page.signature();
        let kind = match Kind::from_word(kind) {
            Some(Kind::Supervisor) => NodeKind::Supervisor,
            Some(Kind::Task) => NodeKind::Task,
            Some(Kind::Actor) | None => NodeKind::Actor,
        };
        let state = match status_page.state() {
            State::New | State::Starting => NodeState::Starting,
            State::Ready => NodeState::Up,
            State::Restarting => NodeState::Restarting,
            State::Down | State::Dead => NodeState::Down,
        };
        let pid = status_page.pid().cast_signed();
        let is_alive = matches!(state, NodeState::Starting | NodeState::Up);
        let has_process = is_alive && pid > 0 && procfs::parent_of(pid) == Some(supervisor);
        let (interrupted, cut_answers) = status_page.interruptions();
        let (restarts, recycled) = status_page.restarts();
        let busy = status_page.progress().filter(|_| has_process && kind != NodeKind::Supervisor);
        let method = |index| entry::method_at(entry, index).unwrap_or("?").to_owned();
        let in_progress = busy
            .map(|busy| (method(busy.method), Duration::from_nanos(clock::now().saturating_sub(busy.since))));
        Node {
            parent: Some(status_page.spawner()).filter(|&pid| pid != 0),
            state,
            incarnation: status_page.incarnation(),
            restarts,
            recycled,
            depth: status_page.depth().load(Ordering::Relaxed),
            capacity: if kind == NodeKind::Actor { status_page.capacity() } else { 0 },
            handled: if kind == NodeKind::Actor { status_page.handled() } else { 0 },
            interrupted,
            cut_answers,
            in_progress,
            last_reason: status_page.last_death().map(|(_, exit_record)| exit_record.reason),
            ..match has_process {
                true => Node::bare(name, kind, pid),
                false => {
                    let (age, cpu) = (Duration::ZERO, Duration::ZERO);
                    Node { pid: None, rss: 0, age, cpu, ..Node::bare(name, kind, 0) }
                }
            }
        }
    }

    /// All nodes, this one first, each before what is below it.
    pub fn walk(&self) -> impl Iterator<Item = &Node> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let node = open.pop()?;
            open.extend(node.children.iter().rev());
            Some(node)
        })
    }

    /// The first node of this name.
    pub fn find(&self, name: &str) -> Option<&Node> {
        self.walk().find(|node| node.name == name)
    }

    fn draw(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let last = self.children.len().saturating_sub(1);
        for (index, child) in self.children.iter().enumerate() {
            let (branch, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            write!(f, "\n{indent}{branch}")?;
            escaped(f, |f| child.line(f))?;
            child.draw(f, &format!("{indent}{below}"))?;
        }
        Ok(())
    }

    fn line(&self, f: &mut Line<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match self.pid {
            Some(pid) => write!(f, " [{pid}]")?,
            None => f.write_str(" [-]")?,
        }
        match self.state {
            NodeState::Up => {}
            NodeState::Starting => f.write_str(" starting")?,
            NodeState::Restarting => f.write_str(" restarting")?,
            NodeState::Down => f.write_str(" down")?,
        }
        if self.incarnation > 0 {
            write!(f, " #{}", self.incarnation)?;
        }
        if self.restarts > 0 || self.recycled > 0 {
            write!(f, " restarts {}", self.restarts)?;
        }
        if self.recycled > 0 {
            write!(f, " recycled {}", self.recycled)?;
        }
        if self.kind == NodeKind::Actor {
            write!(f, " mailbox {}/{} handled {}", self.depth, self.capacity, self.handled)?;
        }
        if let Some((method, since)) = &self.in_progress {
            write!(f, " in `{method}` for {since:.1?}")?;
        }
        if self.pid.is_some() {
            write!(f, " {:.1} MiB {:.1?}", self.rss as f64 / 1_048_576.0, self.cpu)?;
        }
        match &self.last_reason {
            Some(reason) => write!(f, " last: {reason}"),
            None => Ok(()),
        }
    }
}

/// A line for each process: name, pid, its state unless it is up, incarnation (`#3`), restarts, mailbox,
/// messages handled, the method in progress, resident memory, processor time, how its last process ended.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escaped(f, |f| self.line(f))?;
        self.draw(f, "")
    }
}
