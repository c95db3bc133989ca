//! Processes: fork, wait, signals by pid and by pidfd, attributes of this process.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::{Pid, SysconfVar, getpgid, setpgid, sysconf};
use rustix::process::PidfdFlags;
use rustix::rand::GetRandomFlags;

use super::attributes::{self, Attribute, User};
use super::poll::Event;
use super::rlimit::{Limit, set_memory};
use super::{check, retry, zeroed};

pub use libc::{ESRCH as NO_SUCH_PROCESS, SIGABRT, SIGCHLD, SIGCONT, SIGINT, SIGKILL, SIGTERM};

/// How a process ended, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It returned from `main` or called `exit`, with this code.
    Exited(i32),
    /// A signal ended it.
    Signaled {
        /// Its number.
        signal: i32,
        /// Whether the kernel wrote a core file.
        core_dumped: bool,
    },
}

/// Which side of a fork this is.
pub enum Fork {
    /// The new process.
    Child,
    /// The process that forked; the number is the child's pid.
    Parent(i32),
}

static SINGLE: AtomicBool = AtomicBool::new(false);

/// Foreign code has run in this process, or in one that it is a fork of.
static FOREIGN: AtomicBool = AtomicBool::new(false);

/// From now on this process and its forks fork as the C library does. Foreign code may have registered
/// handlers for that (`pthread_atfork`), for instance to seed random numbers anew in the child.
pub fn note_foreign_code() {
    FOREIGN.store(true, Ordering::Relaxed);
}

/// How long a joined thread may still be listed.
const LEAVING: Duration = Duration::from_millis(100);

/// Notes that this process has one thread, by counting them.
///
/// # Errors
/// If it has more, with their names; or if they cannot be counted.
pub fn confirm_single_thread() -> io::Result<()> {
    let deadline = super::clock::after(LEAVING);
    let others = loop {
        let others = other_threads()?;
        if others.is_empty() || super::clock::now() >= deadline {
            break others;
        }
        super::poll::pause(Duration::from_millis(1));
    };
    SINGLE.store(others.is_empty(), Ordering::Relaxed);
    if others.is_empty() {
        return Ok(());
    }
    let (count, names) = (others.len() + 1, others.join(", "));
    Err(io::Error::other(format!("it has {count} threads, its own and: {names}")))
}

/// The names of the threads beside the first one.
fn other_threads() -> io::Result<Vec<String>> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("/proc/self/task: {error}"));
    let mut names = Vec::new();
    for task in std::fs::read_dir("/proc/self/task").map_err(told)? {
        let task = task.map_err(told)?;
        if task.file_name().to_str() != Some(&pid().to_string()) {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            names.push(format!("`{}`", name.trim_end().escape_debug()));
        }
    }
    Ok(names)
}

/// Checks that `/proc` shows this process under its own pid.
///
/// # Errors
/// If it does not, or is not there.
pub fn check_proc() -> io::Result<()> {
    let shown = std::fs::read_link("/proc/self").map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("/proc/self: {error} (no /proc is mounted, or that of another pid namespace)"),
        )
    })?;
    if shown.to_str() == Some(&pid().to_string()) {
        return Ok(());
    }
    let (own, shown) = (pid(), shown.display());
    Err(io::Error::other(format!(
        "/proc is that of another pid namespace: it shows process {own} as {shown}"
    )))
}

/// Whether this process and its parent run the same executable; also true if that cannot be found out.
pub fn is_below_own_program() -> bool {
    let file = |path: &str| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    match (file("/proc/self/exe"), file(&format!("/proc/{}/exe", parent()))) {
        (Ok(own), Ok(parents)) => own == parents,
        _ => true,
    }
}

/// Forks.
///
/// # Errors
/// If [`confirm_single_thread`] has not found that this process has a single thread: only then may the child
/// do more than call exec. Otherwise those of `fork(2)`: `EAGAIN` at the process limit, `ENOMEM`.
pub fn fork() -> io::Result<Fork> {
    if !SINGLE.load(Ordering::Relaxed) {
        return Err(io::Error::other("only a single-threaded supervisor forks"));
    }
    // SAFETY: there is one thread, so no thread that the child will not have holds a lock of libc or std.
    match check(unsafe { libc::fork() })? {
        0 => {
            // The child may start threads, so it must confirm anew that it may fork.
            SINGLE.store(false, Ordering::Relaxed);
            Ok(Fork::Child)
        }
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Forks without what the C library's fork does for programs with several threads, which costs the child
/// copies of pages.
///
/// If it `shares`, parent and child have one table of descriptors until the child calls
/// [`super::fd::Others::close`]: a plain fork copies the whole table, and the child then closes most of the
/// copies one by one. Until that call the caller must close nothing that the child needs.
///
/// # Errors
/// Those of [`fork`]; `Unsupported` where the kernel, a sandbox or the C library leaves no way to do it, or
/// [foreign code](note_foreign_code) has run.
pub fn fork_bare(shares: bool) -> io::Result<Fork> {
    if !SINGLE.load(Ordering::Relaxed) {
        return Err(io::Error::other("only a single-threaded supervisor forks"));
    }
    if FOREIGN.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let Some(thread) = Thread::registered().filter(|_| !shares || super::fd::can_part()) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    // All zeroes ask for what fork does.
    let mut args: libc::clone_args = zeroed();
    let files = if shares { libc::CLONE_FILES } else { 0 };
    args.flags = (files | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID) as u64;
    args.child_tid = thread.tid as u64;
    args.exit_signal = SIGCHLD as u64;
    // SAFETY: as in `fork`. Memory is not shared, so this returns in the child on a copy of this stack. What
    // libc's fork does beside it concerns three things. Handlers: none is registered, since no foreign code
    // has run. Other threads: there are none. And what libc keeps of this one: its number, which the kernel
    // writes to `tid` (where the C library keeps it: `registered` has compared), and its list of robust
    // locks, which is registered below.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    match check(pid as libc::c_int) {
        Ok(0) => {
            // SAFETY: what the C library had registered in the parent, at the same address in this copy.
            unsafe { libc::syscall(libc::SYS_set_robust_list, thread.robust_list, thread.robust_len) };
            SINGLE.store(false, Ordering::Relaxed);
            Ok(Fork::Child)
        }
        Ok(pid) => Ok(Fork::Parent(pid)),
        Err(error) => match error.raw_os_error() {
            // A kernel before 5.3, or a sandbox that does not know the call.
            Some(libc::ENOSYS | libc::EPERM | libc::EINVAL) => Err(io::ErrorKind::Unsupported.into()),
            _ => Err(error),
        },
    }
}

/// What the C library has told the kernel about the calling thread.
struct Thread {
    /// Where it keeps the thread's number.
    tid: usize,
    robust_list: usize,
    robust_len: usize,
}

impl Thread {
    /// `None` if it cannot be found out, or is not kept in the way that [`fork_bare`] counts on.
    fn registered() -> Option<Thread> {
        if !cfg!(target_env = "gnu") {
            // musl registers a lock there.
            return None;
        }
        let tid = rustix::thread::get_clear_child_tid_address().ok()??.addr().get();
        let (mut robust_list, mut robust_len) = (0_usize, 0_usize);
        // SAFETY: two words are written to local variables; 0 means the calling thread.
        let robust =
            unsafe { libc::syscall(libc::SYS_get_robust_list, 0, &raw mut robust_list, &raw mut robust_len) };
        if robust != 0 || !tid.is_multiple_of(align_of::<i32>()) {
            return None;
        }
        // SAFETY: the kernel was given this address by the C library to write an aligned `pid_t` there, and
        // the thread that it belongs to is this one.
        let kept = unsafe { std::ptr::with_exposed_provenance::<i32>(tid).read_volatile() };
        (kept == pid()).then_some(Thread { tid, robust_list, robust_len })
    }
}

/// A child that has ended but is not reaped yet, so no other process can have its pid.
pub fn ended_child() -> Option<(i32, Wait)> {
    wait_for(libc::P_ALL, 0, libc::WEXITED | libc::WNOWAIT).map(|report| report.ended())
}

/// Reaps this child, if it has ended.
pub fn reap(pid: i32) -> Option<Wait> {
    wait_for(libc::P_PID, pid, libc::WEXITED).map(|report| report.ended().1)
}

/// A child that has been stopped, and the signal that stopped it; once for each time.
pub fn stopped_child() -> Option<(i32, i32)> {
    wait_for(libc::P_ALL, 0, libc::WSTOPPED).map(|report| (report.pid, report.status))
}

/// Whether this child has ended, and is not reaped yet.
pub fn has_ended(pid: i32) -> bool {
    wait_for(libc::P_PID, pid, libc::WEXITED | libc::WNOWAIT).is_some()
}

/// Blocks until a child has ended, and leaves it unreaped; `None` if there are no children. Not for a
/// supervisor, which waits elsewhere.
pub fn await_ended_child() -> Option<(i32, Wait)> {
    wait(libc::P_ALL, 0, libc::WEXITED | libc::WNOWAIT).map(|report| report.ended())
}

/// What has become of a child that is waited for.
pub enum Change {
    /// A signal stopped it; it may go on.
    Stopped,
    /// It ended.
    Ended(Wait),
}

/// Blocks until this child has been stopped by a signal or has ended, and leaves it unreaped; `None` if there
/// is no such child. Not for a supervisor, which waits elsewhere.
pub fn await_change(pid: i32) -> Option<Change> {
    let report = wait(libc::P_PID, pid, libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT)?;
    Some(if report.is_stop() { Change::Stopped } else { Change::Ended(report.ended().1) })
}

/// Reaps the children in this process group, and blocks until none is left. Not for a supervisor, which waits
/// elsewhere.
pub fn await_group(group: i32) {
    while wait(libc::P_PGID, group, libc::WEXITED).is_some() {}
}

/// Blocks until this child has been stopped by a signal (`true`) or has ended. Takes nothing away from other
/// threads that wait for the child as well.
pub fn await_stop(pidfd: BorrowedFd<'_>) -> bool {
    let flags = libc::WEXITED | libc::WSTOPPED | libc::WNOWAIT;
    wait(libc::P_PIDFD, pidfd.as_raw_fd(), flags).is_some_and(|report| report.is_stop())
}

fn wait_for(kind: libc::idtype_t, pid: i32, flags: libc::c_int) -> Option<Report> {
    wait(kind, pid, libc::WNOHANG | flags)
}

/// What waitid says of a child.
struct Report {
    pid: i32,
    code: libc::c_int,
    status: i32,
}

impl Report {
    fn is_stop(&self) -> bool {
        self.code == libc::CLD_STOPPED
    }

    /// The pid of the child, and how it ended.
    fn ended(&self) -> (i32, Wait) {
        let wait = match self.code {
            libc::CLD_EXITED => Wait::Exited(self.status),
            code => Wait::Signaled { signal: self.status, core_dumped: code == libc::CLD_DUMPED },
        };
        (self.pid, wait)
    }
}

/// What waitid says, if it says anything. By hand: nix fails for a child that died of a real-time signal, and
/// rustix does not say which child it was.
fn wait(kind: libc::idtype_t, id: i32, flags: libc::c_int) -> Option<Report> {
    let mut info: libc::siginfo_t = zeroed();
    retry(|| {
        // SAFETY: `info` is valid for writing.
        check(unsafe { libc::waitid(kind, id as libc::id_t, &mut info, flags) })
    })
    .ok()?;
    // SAFETY: waitid has filled in the fields of a SIGCHLD siginfo, or left the zeroes.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    (pid != 0).then_some(Report { pid, code: info.si_code, status })
}

/// Sends a signal to a child that is not reaped yet; a negative pid means its whole group.
///
/// Only for the code that reaps the child: for all other code the number may be another process by now.
pub fn kill(pid: i32, signal: i32) {
    debug_assert!(pid != 0 && pid != -1);
    // By number: nix has no name for the real-time signals that a command may be stopped by.
    // SAFETY: kill takes integers only.
    unsafe { libc::kill(pid, signal) };
}

/// Sends a signal to a child that is not reaped yet, as [`kill`] does, and says whether that was allowed.
///
/// # Errors
/// `EPERM` if the child is another user's by now, `EINVAL` if there is no such signal.
pub fn signal_child(pid: i32, signal: i32) -> io::Result<()> {
    debug_assert!(pid > 0);
    // By number, as in `kill`.
    // SAFETY: kill takes integers only.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Sends a signal that ends a process to a child that is not reaped yet, and continues the child: a stopped
/// one would not act on the signal.
pub fn kill_and_continue(pid: i32, signal: i32) {
    kill(pid, signal);
    kill(pid, SIGCONT);
}

/// Whether a process has this number, a dead one that is not reaped included. It may be another process than
/// the caller means.
pub fn exists(pid: u32) -> bool {
    let Ok(pid @ 1..) = i32::try_from(pid) else { return false };
    matches!(nix::sys::signal::kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}

/// A handle on a process that cannot come to mean another one.
///
/// # Errors
/// `ESRCH` if there is no such process, `EINVAL` if the number is not positive, `EMFILE`, `ENFILE` or
/// `ENOMEM`; or the call is unknown to the kernel, or refused by a sandbox.
pub fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    let pid = positive(pid)?;
    // Close-on-exec by definition.
    let made = rustix::process::pidfd_open(pid, PidfdFlags::empty());
    super::fd::raise(made.map_err(|error| super::named("pidfd_open", error.into()))?)
}

/// The pid of a process, for rustix.
///
/// # Errors
/// `EINVAL` for 0 and negative numbers, as from the kernel.
fn positive(pid: i32) -> io::Result<rustix::process::Pid> {
    let pid = Some(pid).filter(|&pid| pid > 0).and_then(rustix::process::Pid::from_raw);
    pid.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Sends a signal, other than a real-time one, through a handle.
///
/// # Errors
/// `ESRCH` if the process is gone, `EPERM` if it is not ours to signal, `EINVAL` for any other signal.
pub fn signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let known = rustix::process::Signal::from_named_raw(signal);
    let signal = known.ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    Ok(rustix::process::pidfd_send_signal(pidfd, signal)?)
}

/// Writes to standard error, as far as that takes it: without a lock that another thread may have held when
/// this process was forked.
pub fn say(words: &str) {
    // A number that is not open is an error.
    let _ = rustix::io::write(rustix::stdio::stderr(), words.as_bytes());
}

/// Ends this process at once: no destructors, no exit handlers, no flushing.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit does not return and touches no Rust state.
    unsafe { libc::_exit(code) }
}

/// The pid of this process.
pub fn pid() -> i32 {
    std::process::id() as i32
}

/// The pid of this process' parent.
pub fn parent() -> i32 {
    std::os::unix::process::parent_id() as i32
}

/// Makes this process the leader of a group of its own.
pub fn own_group() {
    // It fails only for a session leader, which leads its group already.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
}

/// As [`own_group`], from the parent's side, so that neither side can be late.
pub fn group_of(pid: i32) {
    // The child may have done it or be gone.
    let _ = setpgid(Pid::from_raw(pid), Pid::from_raw(pid));
}

/// The process group of a process, if it exists.
pub fn group(pid: i32) -> Option<i32> {
    getpgid(Some(Pid::from_raw(pid))).ok().map(Pid::as_raw)
}

/// Asks for a signal when the thread that forked this process ends. Returns `false` if `parent_pid` is not
/// the parent any more.
pub fn die_with(parent_pid: i32, signal: i32) -> bool {
    let _ = Signal::try_from(signal).and_then(prctl::set_pdeathsig);
    // The parent may have died just before the request: then this process has another parent by now.
    parent() == parent_pid
}

/// What a command has that its parent does not have.
#[derive(Clone, Debug, Default)]
pub struct Preparation {
    /// Set if it may have it; a refusal is none for the command.
    pub oom_score_adj: Option<i32>,
    /// From -20 to 19.
    pub niceness: Option<i32>,
    /// The cores on which it may run.
    pub cores: Option<Vec<u32>>,
    /// Limits of setrlimit(2).
    pub limits: BTreeMap<Limit, u64>,
    /// How many bytes of private memory it may have.
    pub memory: Option<u64>,
    /// Whom it belongs to.
    pub user: User,
}

/// Says which attribute kept a command from being executed.
#[derive(Debug)]
pub struct Refusal(Arc<Event>);

impl Refusal {
    /// The attribute that the system refused; `None` if the command was refused for another reason.
    pub fn attribute(&self) -> Option<Attribute> {
        Attribute::of_number(self.0.clear())
    }
}

/// Prepares a command that the calling thread must start, and that dies with this thread. It gets a group of
/// its own, SIGKILL when this thread ends, signals as a shell leaves them to a program, and what is in
/// `preparation`. Attributes come before the user, who may not have the right to set them.
///
/// # Errors
/// `EMFILE`, `ENFILE` or `ENOMEM`.
pub fn prepare(command: &mut Command, preparation: Preparation) -> io::Result<Refusal> {
    command.process_group(0);
    let parent = pid();
    let Preparation { oom_score_adj, niceness, cores, limits, memory, user } = preparation;
    let oom_score_adj = oom_score_adj.map(|value| value.to_string());
    let groups = user.raw_groups();
    let refused = Arc::new(Event::new()?);
    let refusal = Refusal(Arc::clone(&refused));
    let set = move || {
        attributes::set(niceness, cores.as_deref(), &limits)?;
        memory.map_or(Ok(()), set_memory).map_err(|error| (Attribute::Memory, error))?;
        user.become_it(groups.as_deref())
    };
    let before_exec = move || -> io::Result<()> {
        if let Some(text) = &oom_score_adj {
            let file = open(c"/proc/self/oom_score_adj", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty());
            let _ = file.map(|file| rustix::io::write(file, text.as_bytes()));
        }
        set().map_err(|(attribute, error)| {
            refused.add(attribute.number());
            error
        })?;
        // After the user: a change of that takes the death signal back.
        if !die_with(parent, SIGKILL) {
            exit_now(1);
        }
        super::signal::set_defaults();
        Ok(())
    };
    // SAFETY: the closure runs in a fork of a process with several threads, where only async-signal-safe
    // calls are allowed. It makes open, write, close, setpriority, sched_setaffinity, getrlimit, setrlimit,
    // setgroups, setgid, setuid, prctl, getppid, sigaction, sigprocmask and _exit. It neither allocates nor
    // locks: what it needs was made before, and what it is made of is not dropped in the fork.
    unsafe { command.pre_exec(before_exec) };
    Ok(refusal)
}

/// From now on this process leaves no core when it dies of a signal.
pub fn leave_no_core() {
    let _ = prctl::set_dumpable(false);
}

/// Takes over the orphans among the descendants of this process.
///
/// # Errors
/// If a sandbox forbids it.
pub fn become_subreaper() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Lets the kernel's memory killer choose this child before the program and the supervisors.
pub fn volunteer_for_oom(pid: i32) {
    // A refusal is no reason not to run.
    let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), "300");
}

/// The size of a page of memory, in bytes.
pub fn page_size() -> u64 {
    let size = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// The next number of a random source that other processes cannot guess.
pub fn random() -> u64 {
    let mut bytes = [0_u8; 8];
    // With these flags it only blocks before the system has booted.
    if rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty()) == Ok(8) {
        u64::from_ne_bytes(bytes).max(1)
    } else {
        super::clock::now() ^ u64::from(std::process::id()) << 32
    }
}

/// The limit that an error of the operating system is about: by its name in setrlimit(2), a setting of the
/// kernel, or `memory`.
pub fn limit_of(error: &io::Error) -> Option<&'static str> {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return Some("RLIMIT_FSIZE");
    }
    match error.raw_os_error()? {
        libc::EMFILE => Some("RLIMIT_NOFILE"),
        libc::ENFILE => Some("fs.file-max"),
        libc::EAGAIN => Some(super::rlimit::limit_on_processes()),
        libc::ENOMEM => Some("memory"),
        libc::ETOOMANYREFS => Some("RLIMIT_NOFILE"),
        _ => None,
    }
}

/// The number by which another process can ask [`limit_of`] about this error.
pub fn number_of(error: &io::Error) -> Option<i32> {
    let too_large = error.kind() == io::ErrorKind::FileTooLarge;
    error.raw_os_error().or(too_large.then_some(libc::EFBIG))
}
