//! Processes that write rubbish where names are asked for, and a program at its limits.

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use phalanx::prelude::*;
use phalanx::{Group, names};
use phalanx_tests::{Program, alone};

use super::{Db, Latch, client, db, keeps_names, not_found};

const SCENARIO: &str = env!("CARGO_BIN_EXE_scenario");

/// The line of names of this process. A datagram socket has the same calls.
fn line() -> UnixDatagram {
    let line = phalanx::__private::line_of_names().expect("every process of a tree has it");
    let line = UnixDatagram::from(line.try_clone_to_owned().unwrap());
    line.set_nonblocking(true).unwrap();
    line
}

/// Writes what is not a request, of every length.
#[task]
fn write_rubbish() -> usize {
    let line = line();
    let rubbish: Vec<u8> = (0..100_000_usize).map(|at| (at * at / 7) as u8).collect();
    (0..5000).filter(|at| line.send(&rubbish[at % 300..][..at * 13 % 70_000]).is_ok()).count()
}

#[test]
fn rubbish_before_the_first_request_and_between_others_harms_nobody() {
    alone(|| {
        assert!(write_rubbish::spawn().unwrap().join().unwrap() > 100);
        assert!(keeps_names());
        let (db, client) = (db(0), client());
        names::register("db", &db).unwrap();
        let rubbish: Vec<_> = (0..3).map(|_| write_rubbish::spawn().unwrap()).collect();
        for _ in 0..100 {
            assert_eq!(client.find("db".into()).wait(), Ok(db.pid().unwrap()));
        }
        assert!(rubbish.into_iter().all(|task| task.join().is_ok()));
        assert_eq!(names::lookup::<Db>("db"), Ok(db));
    });
}

#[test]
fn a_program_without_descriptors_left_says_so_and_goes_on() {
    for limit in 60..=63 {
        let script = format!(r#"ulimit -S -n {limit} || exit 9; exec "$0" many-names 100"#);
        let run = Program::new("sh").args(["-c", &script, SCENARIO]).start();
        let (said, errors) = (run.rest(), run.rest_of_stderr());
        assert_eq!(run.finish(), 0, "{said:?} {errors:?}");
        let full = "the program's descriptors (RLIMIT_NOFILE) are used up";
        assert!(said[0].contains(full), "{said:?}");
        assert_eq!(said[1..], ["3 names", "0 left"]);
    }
}

/// Never stops.
#[task]
fn flood() {
    let line = line();
    loop {
        let _ = line.send(&[1; 64]);
    }
}

#[test]
fn a_flood_delays_others_but_does_not_stop_them() {
    alone(|| {
        let (db, client) = (db(0), client());
        names::register("db", &db).unwrap();
        let flood = flood::spawn().unwrap();
        for _ in 0..20 {
            assert_eq!(names::lookup::<Db>("db"), Ok(db.clone()));
            assert_eq!(client.find("db".into()).wait(), Ok(db.pid().unwrap()));
        }
        flood.kill().unwrap();
        flood.join().unwrap_err();
        assert_eq!(names::lookup::<Db>("db"), Ok(db));
    });
}

/// Asks for ever.
#[task]
fn ask_for_ever(go: Latch) {
    let group = Group::<Db>::open("group");
    go.open();
    loop {
        let _ = names::lookup::<Db>("db");
        let _ = group.members();
    }
}

#[test]
fn askers_that_are_killed_while_they_ask_leave_nothing() {
    alone(|| {
        let (db, group) = (db(0), Group::open("group"));
        names::register("db", &db).unwrap();
        group.join(&db).unwrap();
        for round in 0..10 {
            let go = Latch::new(&format!("go {round}"));
            let asking: Vec<_> = (0..3).map(|_| ask_for_ever::spawn(go.clone()).unwrap()).collect();
            go.pass();
            for task in asking {
                task.kill().unwrap();
                task.join().unwrap_err();
            }
            go.remove();
        }
        assert_eq!(names::lookup::<Db>("db"), Ok(db));
    });
}

/// Ends the line for all processes: the one thing that cannot be kept from a process that has it.
#[task]
fn shut_the_line_down() {
    line().shutdown(std::net::Shutdown::Both).unwrap();
}

#[test]
fn a_line_that_was_shut_down_is_an_error_and_no_wait() {
    alone(|| {
        let db = db(0);
        names::register("db", &db).unwrap();
        shut_the_line_down::spawn().unwrap().join().unwrap();
        let start = Instant::now();
        let error = names::lookup::<Db>("db").unwrap_err();
        assert!(error.to_string().contains("the name registry is gone"), "{error}");
        // The client itself would wait for 5 s.
        assert!(start.elapsed() < Duration::from_secs(4));
        // Nothing else is harmed, and no process runs in circles.
        assert_eq!(db.add(1).wait(), Ok(1));
        assert_ne!(names::lookup::<Db>("db"), not_found("db"));
    });
}
