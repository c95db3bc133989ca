//! What a process has open: its own things only.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, Program, alone, eventually};

fn count_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Counts, and waits until its siblings have counted too.
#[task]
fn count_beside(place: String, number: u32, siblings: usize) -> usize {
    let count = count_descriptors();
    fs::write(format!("{place}/{number}"), "").unwrap();
    eventually("the siblings", EVENT_TIMEOUT, || fs::read_dir(&place).unwrap().count() >= siblings);
    count
}

#[actor]
struct Counter;

#[actor]
impl Counter {
    fn count(&self) -> usize {
        count_descriptors()
    }
}

#[test]
fn no_task_inherits_anything_of_its_siblings() {
    alone(|| {
        let place = std::env::temp_dir().join("counted");
        fs::create_dir(&place).unwrap();
        let path = place.to_str().unwrap();
        let tasks: Vec<_> =
            (0..5).map(|number| count_beside::spawn(path.into(), number, 5).unwrap()).collect();
        let counts: Vec<_> = tasks.iter().map(|task| task.join().unwrap()).collect();
        fs::remove_dir_all(&place).unwrap();
        assert_eq!(counts, [counts[0]; 5]);
    });
}

#[test]
fn no_actor_inherits_anything_of_its_siblings() {
    alone(|| {
        let actors: Vec<_> = (0..5).map(|_| Counter.spawn().unwrap()).collect();
        let counts: Vec<_> = actors.iter().map(|actor| actor.count().wait().unwrap()).collect();
        assert_eq!(counts, [counts[0]; 5]);
        // Nor does it grow with the calls.
        assert_eq!(actors[0].count().wait().unwrap(), counts[0]);
    });
}

/// The standard library opens everything close-on-exec; a shell does not.
#[test]
fn a_file_and_a_socket_of_the_program_are_closed_in_its_children() {
    if !Command::new("bash").args(["-c", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no bash to open descriptors with");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(r#"exec 50</proc/self/status 51<>/dev/tcp/127.0.0.1/{port}; exec "$0" descriptors"#);
    let run = Program::new("bash").args(["-c", &script, env!("CARGO_BIN_EXE_scenario")]).start();
    assert_eq!(run.rest(), ["[50, 51]", "[]"]);
    assert_eq!(run.finish(), 0);
}
