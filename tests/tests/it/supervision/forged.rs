//! A page that names another process than its own harms only its writer.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{ExitReason, Restart};
use phalanx_tests::pages::{self, PAGE};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually, processes};

#[actor(timeout = "10s")]
struct Forger;

#[actor]
impl Forger {
    /// That it is up, and this process.
    fn pretend(&self, pid: u32) -> usize {
        let words = [2, pid].map(u32::to_ne_bytes);
        pages::overwrite(std::process::id(), words.as_flattened(), 1)
    }

    fn fill_with(&self, word: u32) -> usize {
        pages::overwrite(std::process::id(), &word.to_ne_bytes(), PAGE / 4)
    }

    fn is_here(&self) -> bool {
        true
    }

    fn hang_and_answer(&self, mark: PathBuf) {
        File::create(mark).unwrap();
        loop {
            thread::park();
        }
    }

    #[tell]
    fn hang(&self) {
        loop {
            thread::park();
        }
    }
}

fn sleeping() -> Child {
    Command::new("sleep").arg("1000").spawn().unwrap()
}

fn is_running(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_none()
}

type Way = fn(&ActorRef<Forger>);

const WAYS: [(&str, Way); 5] = [
    ("kill", |forger| forger.kill().unwrap()),
    ("terminate", |forger| forger.terminate().unwrap()),
    ("interrupt", |forger| forger.interrupt().unwrap()),
    ("stop", |forger| drop(forger.stop(EVENT_TIMEOUT).unwrap())),
    ("stop late", |forger| {
        forger.hang().unwrap();
        drop(forger.stop(Duration::from_millis(100)).unwrap());
    }),
];

#[test]
fn a_signal_goes_to_the_actor_and_not_to_the_process_that_its_page_names() {
    alone(|| {
        for (name, way) in WAYS {
            let sibling = Forger.spawn().unwrap();
            let mut other = sleeping();
            for victim in [other.id(), sibling.pid().unwrap()] {
                let forger = Forger.spawn().unwrap();
                let pid = forger.pid().unwrap();
                assert!(forger.pretend(victim).wait().unwrap() > 0);
                assert_eq!(forger.pid().unwrap(), victim, "it is believed");
                way(&forger);
                eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
                assert!(is_running(&mut other), "{name}");
                assert_eq!(sibling.is_here().wait(), Ok(true), "{name}");
            }
            sibling.kill().unwrap();
            sibling.join();
            other.kill().unwrap();
            other.wait().unwrap();
        }
    });
}

/// Its page does not say any more where its supervisor has it on a list.
#[test]
fn an_actor_whose_page_is_full_of_anything_is_killed_all_the_same() {
    alone(|| {
        for word in [0, 1, 2, 3, 4, 0x7f7f_7f7f, u32::MAX] {
            let forger = Forger.builder().restart(Restart::Permanent).spawn().unwrap();
            let pid = forger.pid().unwrap();
            drop(forger.within(Duration::from_millis(100)).fill_with(word).wait());
            pages::overwrite(pid, &word.to_ne_bytes(), PAGE / 4);
            forger.kill().unwrap();
            eventually("its end", EVENT_TIMEOUT, || !processes::exists(pid));
        }
    });
}

/// Each page names the root supervisor as its process, and says that it is a supervisor, below which all the
/// others are.
#[test]
fn a_tree_of_which_pages_say_nonsense_is_shown_at_once() {
    alone(|| {
        let forgers: Vec<_> = (0..6).map(|_| Forger.spawn().unwrap()).collect();
        let root = phalanx::tree().unwrap().pid.unwrap();
        for forger in &forgers {
            assert!(forger.pretend(root).wait().unwrap() > 0);
        }
        assert!(phalanx::tree().unwrap().walk().count() <= 7);
        for word in [0, 1, 2, 3, u32::MAX] {
            for forger in &forgers {
                drop(forger.within(Duration::from_millis(50)).fill_with(word).wait());
            }
            let tree = phalanx::tree().unwrap();
            assert!(tree.walk().count() <= 7, "{tree}");
            assert!(!phalanx::children().iter().any(|child| child.pid == std::process::id()));
        }
    });
}

#[test]
fn an_order_to_one_incarnation_does_not_hit_the_next_whatever_the_page_says() {
    alone(|| {
        let forger = Forger.builder().restart(Restart::Permanent).spawn().unwrap();
        let first = forger.pid().unwrap();
        forger.pretend(std::process::id()).wait().unwrap();
        forger.interrupt().unwrap();
        eventually("the next", EVENT_TIMEOUT, || {
            forger.pid().is_ok_and(|pid| pid != first && pid != std::process::id())
        });
        assert_eq!(forger.is_here().wait(), Ok(true));
        assert_eq!(forger.stop(EVENT_TIMEOUT), Ok(ExitReason::Stopped(phalanx::StoppedBy::Ref)));
    });
}

#[test]
fn a_caller_that_has_read_nonsense_about_deaths_hears_of_all_that_come_after_the_next_process() {
    alone(|| {
        let mark = env::temp_dir().join("hangs");
        // All even, so that what is said of deaths looks whole: that there were 2^63 of them, and none. (2
        // everywhere says, among others, that a holder of its ref has ordered its end, so it would get no
        // other process.)
        for word in [0xfefe_fefe, 0x0404_0404, 0x8080_8080, 0] {
            let forger =
                Forger.builder().name("forger").restart(Restart::Permanent).intensity(100, RESTART_WINDOW);
            let forger = forger.spawn().unwrap();
            let pid = forger.pid().unwrap();
            assert_eq!(forger.is_here().wait(), Ok(true));
            pages::overwrite(pid, &u32::to_ne_bytes(word), PAGE / 4);
            // They look.
            drop(forger.join_timeout(Duration::from_millis(10)));
            drop(forger.within(Duration::from_millis(10)).is_here().wait());
            processes::kill(pid);
            let is_back = || forger.within(Duration::from_millis(500)).is_here().wait() == Ok(true);
            eventually("the next", EVENT_TIMEOUT, is_back);
            for _ in 0..2 {
                let mut monitor = forger.monitor();
                let hanging = forger.within(Duration::from_secs(60)).hang_and_answer(mark.clone());
                eventually("it hangs", EVENT_TIMEOUT, || fs::remove_file(&mark).is_ok());
                let begun = Instant::now();
                processes::kill(forger.pid().unwrap());
                let error = hanging.wait().unwrap_err();
                assert!(error.exit_reason().and_then(ExitReason::signal) == Some(9), "{word:x}: {error}");
                assert!(begun.elapsed() < Duration::from_secs(30), "{word:x}");
                assert!(monitor.recv_timeout(EVENT_TIMEOUT).is_some(), "{word:x}");
                eventually("the next", EVENT_TIMEOUT, is_back);
            }
            assert_eq!(forger.exit_reason(), None, "{word:x}");
            forger.kill().unwrap();
            forger.join();
        }
    });
}
