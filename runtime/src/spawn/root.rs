//! The program's side: starting the root supervisor, watching it, ending it, and Ctrl-C.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use once_cell::sync::OnceCell;

use crate::control::boot_env::TREE;
use crate::control::link::{PATIENCE, Tree};
use crate::control::step::{NoTree, Obstacle, Step};
use crate::control::{orphans, request};
use crate::ipc::uplink;
use crate::logging::{self, record};
use crate::policy::{Intensity, Recent};
use crate::reactor::interrupt;
use crate::registry;
use crate::spawn::kept::{self, Kept};
use crate::status::{StopMode, root_supervisor};
use crate::supervisor::boot::{self, Token};
use crate::sys::per_process::Own;
use crate::sys::poll::{self, Event};
use crate::sys::{clock, credentials, executable, fd, process, procfs, seqpacket, signal};

/// How long a supervisor without its reaper may take to end everything.
const TEAR_DOWN: Duration = Duration::from_secs(5);

/// How many deaths of root supervisors lead to a new one that gets the processes of the last.
const DEATHS: Intensity = Intensity::new(5, Duration::from_secs(60));

/// How long an image that fails to become a supervisor may take to exit.
const LEAVING: Duration = Duration::from_secs(1);

/// The program's tree, if it has one, and the root supervisors that are not reaped yet, numbered in order.
#[derive(Default)]
struct Root {
    tree: Option<Arc<Tree>>,
    started: u64,
    unreaped: BTreeSet<u64>,
    /// The program ended the ones before this number: none of their processes comes back.
    ended: u64,
    /// The deaths of root supervisors that the program did not end.
    deaths: Recent,
}

/// A forked copy of the program has none of this: its first spawn starts a tree of its own.
static PROGRAM: Own<Program> = Own::new();

#[derive(Default)]
struct Program {
    root: Mutex<Root>,
    reaped: Condvar,
    /// What the signal handlers write to; made once, lives as long as the program.
    signals: OnceCell<Event>,
}

fn root() -> MutexGuard<'static, Root> {
    PROGRAM.here().root.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program's tree; started if none exists.
pub(crate) fn tree() -> Result<Arc<Tree>, NoTree> {
    tree_of(&mut root())
}

fn tree_of(root: &mut Root) -> Result<Arc<Tree>, NoTree> {
    if let Some(tree) = root.tree.as_ref().filter(|tree| !tree.is_gone(0)) {
        return Ok(Arc::clone(tree));
    }
    let Started { control, supervisor, reaper, pidfd, mark } = start()?;
    let pid = procfs::pid_of(supervisor.as_fd()).unwrap_or_default();
    let tree = Arc::new(Step::Watch.attempt(|| Tree::new(control, supervisor))?);
    watch(reaper, pidfd, Arc::clone(&tree), mark, root.started)?;
    let number = root.started;
    root.unreaped.insert(number);
    root.started += 1;
    root.tree = Some(Arc::clone(&tree));
    root_supervisor::note(pid);
    Ok(tree)
}

/// A tree that was just started.
struct Started {
    control: OwnedFd,
    /// A handle on its root supervisor.
    supervisor: OwnedFd,
    /// The parent of the root supervisor, and a child of the program.
    reaper: Abort,
    /// A handle on the reaper.
    pidfd: OwnedFd,
    mark: String,
}

/// Starts this executable again, as a supervisor, and waits until it reports that it is one.
fn start() -> Result<Started, NoTree> {
    if !boot::is_in_executable() {
        return Err(NoTree::NotInExecutable);
    }
    Step::Place.attempt(check_place)?;
    Step::Proc.attempt(process::check_proc)?;
    Step::Loader.attempt(check_loader)?;
    let (ours, theirs) = Step::Channel.attempt(|| {
        let (ours, theirs) = fd::seqpacket_pair()?;
        credentials::ask_for_senders(theirs.as_fd())?;
        Ok((ours, theirs))
    })?;
    let mark = format!("{:016x}", process::random());
    let token = Token::new();
    Step::Lines.attempt(|| uplink::hand_over(ours.as_fd(), token.word()))?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(token.argument()).env(TREE, &mark).stdin(Stdio::from(theirs)).process_group(0);
    let child = Step::Execute.attempt(|| command.spawn())?;
    // The image alone keeps its end of the channel.
    drop(command);
    let pid = child.id() as i32;
    let mut reaper = Abort(Some(child));
    let pidfd = Step::Handle.attempt(|| process::pidfd(pid))?;
    let supervisor = await_word(&ours, &mut reaper, &pidfd, &token)?;
    Ok(Started { control: ours, supervisor, reaper, pidfd, mark })
}

/// Refuses to start a supervisor in an image that is to become one: an initialiser that spawns would do so in
/// each image that it starts.
fn check_place() -> io::Result<()> {
    if boot::is_meant() {
        return Err(io::Error::other(
            "this process is becoming a supervisor itself; initialisers before `main`, \
             and what a supervisor preloads, cannot spawn",
        ));
    }
    Ok(())
}

/// Checks that the executable of this process, for the kernel, is the program.
fn check_loader() -> io::Result<()> {
    let preloaded = std::env::var("LD_PRELOAD").unwrap_or_default();
    if preloaded.contains("/vgpreload_core") {
        return Err(io::Error::other(
            "the program runs under valgrind, which would execute itself there; \
             actors cannot be started under it",
        ));
    }
    if executable::is_loaded_by_hand() {
        return Err(io::Error::other(
            "the program was started by calling the loader (`ld.so PROGRAM`), \
             which is what would be started again; start the program itself",
        ));
    }
    Ok(())
}

/// Kills and reaps a reaper whose supervisor failed to start; the supervisor ends with it.
struct Abort(Option<Child>);

impl Drop for Abort {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for the new image, which repeats the token's secret, or reports why it is not a supervisor. Returns
/// the handle on the supervisor that comes with the secret.
fn await_word(
    control: &OwnedFd,
    reaper: &mut Abort,
    pidfd: &OwnedFd,
    token: &Token,
) -> Result<OwnedFd, Obstacle> {
    let deadline = clock::after(PATIENCE);
    while clock::now() < deadline {
        // Copies of the image's end of the channel, in forks of this program that have not run yet, may
        // outlive it for a moment.
        let ready = Step::Wait.attempt(|| wait_for_either(control, pidfd, deadline))?;
        let mut buffer = [0; 512];
        match seqpacket::receive(control.as_fd(), &mut buffer, false) {
            Ok(Some(packet)) => {
                let said = &buffer[..packet.len];
                if said == token.word() {
                    let handle = packet.fds.into_iter().next();
                    return handle.ok_or_else(|| Step::Handle.failed(fd::no_room()));
                }
                // It ends by itself, and after it its reaper, which reaps it.
                drop(poll::readable(pidfd.as_fd(), Some(LEAVING)));
                return Err(Obstacle::parse(said).unwrap_or_else(|| no_supervisor("it sent something else")));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if ready[1] {
                    return Err(reaper.explain(pidfd));
                }
            }
            Ok(None) => return Err(reaper.explain(pidfd)),
            Err(error) => return Err(Step::Wait.failed(error)),
        }
    }
    Err(Step::Wait.failed(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("nothing came in {PATIENCE:?}; an initialiser before `main` may hang"),
    )))
}

fn wait_for_either(control: &OwnedFd, pidfd: &OwnedFd, deadline: u64) -> io::Result<Vec<bool>> {
    let fds = [(control.as_fd(), false), (pidfd.as_fd(), false)];
    match poll::wait(&fds, Some(clock::until(deadline)), None) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(vec![false; 2]),
        ready => ready,
    }
}

fn no_supervisor(why: &str) -> Obstacle {
    Step::Wait.failed(io::Error::other(format!("the executable, started again, became none: {why}")))
}

impl Abort {
    /// Why it ended without a report: its exit code may tell.
    fn explain(&mut self, pidfd: &OwnedFd) -> Obstacle {
        let Some(mut child) = self.0.take() else { return no_supervisor("it is gone") };
        // It has closed its end, and either ends by itself or is not the right program.
        drop(poll::readable(pidfd.as_fd(), Some(LEAVING)));
        let _ = child.kill();
        match child.wait() {
            Ok(status) => status.code().and_then(Obstacle::of_code).unwrap_or_else(|| {
                no_supervisor(&format!("{status}; an initialiser before `main` may end it"))
            }),
            Err(error) => Step::Wait.failed(error),
        }
    }
}

/// Watches a root supervisor through its reaper, and the program's signals, from a thread of its own.
fn watch(reaper: Abort, pidfd: OwnedFd, tree: Arc<Tree>, mark: String, number: u64) -> Result<(), Obstacle> {
    let signals = Step::Signals.attempt(take_signals)?;
    let stopped = Step::Handle.attempt(|| pidfd.try_clone())?;
    let watcher = Watcher { reaper, pidfd, tree, mark, number, signals };
    let builder = std::thread::Builder::new().name("phalanx-root".into());
    Step::Watch.attempt(|| builder.spawn(move || watcher.run()))?;
    // Without this thread, a stopped root supervisor stays stopped, and nothing else is lost.
    let waker = std::thread::Builder::new().name("phalanx-wake".into()).stack_size(128 * 1024);
    let _ = waker.spawn(move || wake_when_stopped(&stopped));
    Ok(())
}

/// Continues the reaper whenever it is stopped. A stopped supervisor is of no use: each supervisor continues
/// those below it, the reaper continues the root, and the program continues the reaper.
fn wake_when_stopped(reaper: &OwnedFd) {
    while process::await_stop(reaper.as_fd()) {
        let _ = process::signal(reaper.as_fd(), process::SIGCONT);
        // Until the signal is delivered, the process still counts as stopped.
        poll::pause(Duration::from_millis(1));
    }
}

struct Watcher {
    reaper: Abort,
    pidfd: OwnedFd,
    tree: Arc<Tree>,
    mark: String,
    number: u64,
    signals: &'static Event,
}

impl Watcher {
    fn run(mut self) {
        let mut kept = self.tree.kept().map(AsFd::as_fd);
        loop {
            let mut fds = vec![(self.pidfd.as_fd(), false), (self.signals.as_fd(), false)];
            fds.push((kept.unwrap_or(self.pidfd.as_fd()), false));
            fds.extend(registry::thread::unread_line().map(|line| (line, false)));
            let ready = match poll::wait(&fds, None, None) {
                Ok(ready) => ready,
                Err(error) => {
                    // A signal, or no memory at the moment.
                    if error.kind() != io::ErrorKind::Interrupted {
                        poll::pause(Duration::from_millis(10));
                    }
                    continue;
                }
            };
            if ready[2] && kept::let_go_of_the_ended(&self.tree).is_err() {
                kept = None;
            }
            if ready.get(3) == Some(&true) && registry::thread::start_registry().is_err() {
                // No thread can be started now. Requests to the registry wait until their deadlines.
                poll::pause(Duration::from_millis(10));
            }
            if ready[1] {
                self.signals.clear();
                self.interrupt();
            }
            if ready[0] {
                break;
            }
        }
        // A root supervisor that ended in order leaves nothing behind; after one that was killed or failed,
        // the program cleans up. The reaper exits as its supervisor exited.
        let reaper = self.reaper.0.take();
        let status = reaper.and_then(|mut child| child.wait().ok());
        if status.is_some_and(|status| status.success()) {
            kept::forget(&self.tree);
        } else {
            say_that_it_died(status);
            // If the reaper was killed, the supervisor is about to end everything, and does that more
            // precisely than the program can.
            let deadline = clock::after(TEAR_DOWN);
            while !fd::hangs_up_within(self.tree.control(), clock::until(deadline)) && clock::now() < deadline
            {
            }
            orphans::sweep(&self.mark);
            self.bring_back();
        }
        if interrupt::is_interrupted() {
            logging::settle();
            signal::die_of(interrupting_signal());
        }
        let mut root = root();
        root.unreaped.remove(&self.number);
        if root.unreaped.is_empty() {
            give_signals_back();
        }
        drop(root);
        PROGRAM.here().reaped.notify_all();
    }

    /// Has the next root supervisor restart the kept processes of this one.
    fn bring_back(&self) {
        let returning = kept::after(&self.tree);
        if returning.is_empty() {
            return;
        }
        let give_up = |why: &str| {
            returning.iter().for_each(|kept| {
                kept.end();
                say_that_it_does_not_return(kept, why);
            });
        };
        match self.next() {
            Ok(Some(tree)) => {
                for kept in &returning {
                    match kept::send_again(&tree, kept) {
                        Ok(()) => say_that_it_returns(kept),
                        Err(why) => say_that_it_does_not_return(kept, &why),
                    }
                }
            }
            // The program is ending them all.
            Ok(None) => returning.iter().for_each(|kept| kept.end()),
            Err(why) => give_up(&why),
        }
    }

    /// The tree that follows this one; `None` if the program ended this one.
    fn next(&self) -> Result<Option<Arc<Tree>>, String> {
        let mut root = root();
        if self.number < root.ended || interrupt::is_interrupted() {
            return Ok(None);
        }
        if root.deaths.one_more_is_too_many(DEATHS, clock::now()) {
            let Intensity { restarts, window } = DEATHS;
            return Err(format!("more than {restarts} root supervisors have died within {window:?}"));
        }
        tree_of(&mut root).map(Some).map_err(|none| io::Error::from(none).to_string())
    }

    /// Handles a signal to the program: the first one ends the tree in order, and then the program by that
    /// signal; the second one ends it all at once.
    fn interrupt(&self) {
        if interrupt::interrupt() {
            signal::die_of(interrupting_signal());
        }
        let asked = request::shut_down(
            self.tree.control(),
            StopMode::Stop,
            0,
            0,
            clock::after(Duration::from_secs(1)),
        );
        if asked.is_err() {
            signal::die_of(interrupting_signal());
        }
    }
}

/// Logs the death of a root supervisor. Only the program can: every supervisor is dead, or knows only the one
/// above it.
fn say_that_it_died(status: Option<ExitStatus>) {
    let how = status.map_or_else(|| "it is not known how".to_owned(), |status| status.to_string());
    tracing::error!(
        target: record::TARGET,
        reason = how,
        "the root supervisor died, and all actors, tasks and supervisors of this program with it"
    );
}

fn say_that_it_returns(kept: &Kept) {
    tracing::warn!(
        target: record::TARGET,
        actor = kept.name(),
        "it is started again, below a new root supervisor"
    );
}

fn say_that_it_does_not_return(kept: &Kept, why: &str) {
    tracing::error!(
        target: record::TARGET,
        actor = kept.name(),
        error = %why.escape_debug(),
        "it cannot be started again below a new root supervisor"
    );
}

/// Whether the program keeps SIGINT and SIGTERM for itself. In a copy of it too: a copy has its handlers.
static LEFT: AtomicBool = AtomicBool::new(false);

/// No tree of this program takes its signals, from now on.
#[doc(hidden)]
pub fn leave_signals() {
    LEFT.store(true, Ordering::Relaxed);
}

/// Has SIGINT and SIGTERM noted, unless the program handles, ignores or keeps them itself.
fn take_signals() -> io::Result<&'static Event> {
    let event = PROGRAM.here().signals.get_or_try_init(Event::new)?;
    if LEFT.load(Ordering::Relaxed) {
        return Ok(event);
    }
    signal::wake_through(event.as_fd(), true);
    for number in [process::SIGINT, process::SIGTERM] {
        if signal::is_default(number) || signal::is_watched(number) {
            signal::watch_for_program(number);
        }
    }
    Ok(event)
}

/// Restores the default effect of the signals when no tree is left to end first. A signal that came in the
/// meantime takes effect now.
fn give_signals_back() {
    for number in [process::SIGINT, process::SIGTERM] {
        if signal::is_watched(number) {
            signal::unwatch(number);
            if signal::take(number) {
                signal::die_of(number);
            }
        }
    }
}

fn interrupting_signal() -> i32 {
    if signal::is_noted(process::SIGTERM) { process::SIGTERM } else { process::SIGINT }
}

/// Ends the program's tree by `end`, and waits until its supervisor and those before it are reaped. Does not
/// wait for one that another thread starts meanwhile.
pub(crate) fn shut_down(end: impl FnOnce(&Tree)) {
    let (tree, until) = {
        let mut root = root();
        root.ended = root.started;
        (root.tree.take(), root.started)
    };
    if let Some(tree) = tree {
        end(&tree);
    }
    let (mut guard, reaped) = (root(), &PROGRAM.here().reaped);
    while guard.unreaped.first().is_some_and(|&oldest| oldest < until) {
        guard = reaped.wait_timeout(guard, Duration::from_secs(1)).unwrap_or_else(PoisonError::into_inner).0;
    }
    drop(guard);
    logging::settle();
    interrupt::park_if_interrupted();
}
