//! The examples of supervision print what they claim to, and leave no process behind.

#![allow(unreachable_pub, dead_code, reason = "the support module serves several tests")]

mod support;

use support::run;

#[test]
fn the_shop_goes_on_whatever_becomes_of_its_parts() {
    let expected = "\
the shop is open:
    db        runs  Permanent, restarted 0 times
    mailer    runs  Transient, restarted 0 times
    heartbeat runs  Permanent, restarted 0 times
    billing   runs  Permanent, restarted 0 times
five orders:
    tea: order 1 of process 1
    milk: order 2 of process 1
    something bad: lost, killed by SIGABRT
    bread: order 1 of process 2
    salt: order 2 of process 2
the mailer exited with code 7; then: 2 orders, says process 2
the mailer was stopped by itself
it was gone: true; back by order: 2 orders, says process 3
invoice 1 for tea, the balance is 3
invoice 2 for milk, the balance is 5
    the invoices close
accounts: killed by SIGABRT; invoices: stopped by its supervisor
invoice 1 for bread, the balance is 4
    the invoices close
billing ended: restart intensity reached
invoice 1 for salt, the balance is 1
that was process 2 of billing
at the end of the day:
    db        runs  Permanent, restarted 1 times
    mailer    runs  Transient, restarted 2 times
    heartbeat runs  Permanent, restarted 0 times
    billing   runs  Permanent, restarted 1 times
    the heartbeat closes
    the invoices close
    the accounts close
    the mailer closes
    the database closes
the shop was stopped by a holder of its ref
";
    let output = run(env!("CARGO_BIN_EXE_shop"), &[]);
    assert_eq!((output.code, &*output.stderr, &*output.stdout), (0, "", expected));
}

#[test]
fn a_daemon_beats_beside_a_worker_and_ends_before_it() {
    let output = run(env!("CARGO_BIN_EXE_heartbeat"), &[]);
    assert_eq!((output.code, &*output.stderr), (0, ""));
    let lines: Vec<_> = output.stdout.lines().collect();
    let said: Vec<_> = lines.iter().copied().filter(|line| *line != "beat").collect();
    let expected = [
        "5 beats later, in process 1 of the worker",
        "the worker was killed by SIGKILL",
        "5 beats later, in process 2 of the worker",
        "the heart has been beating all the time, in its first process: true",
        "main ends",
        "the heart stops first",
        "the worker finishes what it was told",
        "the worker stops",
        "nobody is left",
    ];
    assert_eq!(said, expected);
    let at = |line: &str| lines.iter().position(|said| *said == line).unwrap();
    let beats = |lines: &[&str]| lines.iter().filter(|line| **line == "beat").count();
    let (killed, ended) = (at(expected[1]), at(expected[5]));
    assert!(beats(&lines[..killed]) >= 5 && beats(&lines[killed..ended]) >= 5, "{lines:?}");
    assert_eq!(beats(&lines[ended..]), 0, "{lines:?}");
}
