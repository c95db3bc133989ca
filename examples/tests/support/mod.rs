//! The parts that tests of the programs share: runs that leave nothing behind, a directory that goes away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use phalanx_tests::Program;

/// How a program ended, and its output.
pub struct Ended {
    /// Its exit code, or minus the signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end, and makes sure that no process of it is left.
#[track_caller]
pub fn run(program: &str, args: &[&str]) -> Ended {
    let run = Program::new(program).args(args.iter().copied()).start();
    let [stdout, stderr] = [run.rest(), run.rest_of_stderr()]
        .map(|lines| lines.iter().map(|line| format!("{line}\n")).collect());
    Ended { code: run.finish(), stdout, stderr }
}

/// Runs a program, kills it with SIGKILL after `moment` unless it has ended before, and makes sure that no
/// process of it is left.
#[track_caller]
pub fn run_and_kill(program: &str, args: &[&str], moment: Duration) {
    let mut run = Program::new(program).args(args.iter().copied()).start();
    thread::sleep(moment);
    run.kill();
    run.finish();
}

/// An empty directory that is removed when the test is over.
pub struct Dir(PathBuf);

impl Dir {
    pub fn new() -> Dir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a directory for the test");
        Dir(path)
    }

    /// Writes a file, and creates the folders that it needs.
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
