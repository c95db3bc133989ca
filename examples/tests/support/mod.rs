//! What the tests of the programs share: a directory that goes away, a run that leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// In the environment of every process of a run, so that whatever is left of it can be found.
const MARK: &str = "PHALANX_EXAMPLES_TEST_RUN";

/// Nothing may be left this long after a program ended.
const GRACE: Duration = Duration::from_secs(1);

fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Runs a program to its end, and makes sure that none of its processes outlives it.
#[track_caller]
pub fn run(program: &str, args: &[&str]) -> Output {
    let mark = unique();
    let output = Command::new(program)
        .args(args)
        .env(MARK, &mark)
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::null())
        .output();
    let output = output.expect("the program starts");
    assert_nothing_left(&mark);
    output
}

/// Runs a program, kills it with SIGKILL after `moment` unless it has ended before, and makes sure that a second later
/// neither a process of it is left, nor a temporary file, nor shared memory.
#[track_caller]
pub fn run_and_kill(program: &str, args: &[&str], moment: Duration) {
    let (mark, temporary, memory) = (unique(), Dir::new(), files_in("/dev/shm"));
    let child = Command::new(program)
        .args(args)
        .env(MARK, &mark)
        .env("TMPDIR", temporary.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.expect("the program starts");
    thread::sleep(moment);
    child.kill().expect("a child can be killed");
    child.wait().expect("a child can be waited for");
    assert_nothing_left(&mark);
    assert_eq!(files_in(temporary.path()), [""; 0], "temporary files left behind");
    let new: Vec<_> = files_in("/dev/shm").into_iter().filter(|file| !memory.contains(file)).collect();
    assert_eq!(new, [""; 0], "shared memory left behind");
}

fn files_in(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Waits until no process carries the mark; fails when one still does after the time that is granted.
#[track_caller]
fn assert_nothing_left(mark: &str) {
    let deadline = Instant::now() + GRACE;
    loop {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "processes left behind: {left:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn marked(mark: &str) -> Vec<String> {
    let entry = format!("{MARK}={mark}");
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    let carries = |dir: &Path| {
        fs::read(dir.join("environ"))
            .is_ok_and(|env| env.split(|byte| *byte == 0).any(|e| e == entry.as_bytes()))
    };
    processes
        .map(|process| process.path())
        .filter(|dir| carries(dir))
        .map(|dir| format!("{} {:?}", dir.display(), fs::read_to_string(dir.join("comm"))))
        .collect()
}

/// What the program wrote to stdout.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the program wrote to stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An empty directory that is removed when the test is over.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique());
        fs::create_dir_all(&path).expect("a directory for the test");
        Dir(path)
    }

    /// Writes a file, and the folders that it needs.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Dir {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    pub fn link(&self, name: &str, target: &str) -> &Dir {
        std::os::unix::fs::symlink(target, self.0.join(name)).expect("a link");
        self
    }

    pub fn path(&self) -> &str {
        self.0.to_str().expect("a path that is UTF-8")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
