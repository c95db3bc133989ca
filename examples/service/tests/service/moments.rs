//! Signals at any moment: before the service listens, and while it serves.

use std::thread;
use std::time::Duration;

use grey_sys::files;
use phalanx_tests::Program;

use crate::client::request;
use crate::support::Service;

/// From before the first instruction of `main` to some time after the service listens.
fn moments() -> impl Iterator<Item = Duration> {
    (0..10).map(|number| Duration::from_millis(number * number))
}

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_service")).args(["--listen", "127.0.0.1:0"])
}

#[test]
fn a_service_that_is_killed_at_any_moment_leaves_nothing() {
    for moment in moments() {
        let mut run = program().start();
        thread::sleep(moment);
        run.kill();
        run.finish();
    }
}

#[test]
fn a_service_that_is_told_to_end_at_any_moment_does_so_in_order() {
    for moment in moments() {
        let run = program().start();
        thread::sleep(moment);
        run.signal("TERM");
        let code = run.finish();
        // By the signal, as long as the service does not handle it yet.
        assert!([0, -15].contains(&code), "{code} after {moment:?}");
    }
}

#[test]
fn a_service_that_is_killed_while_it_decodes_leaves_nothing() {
    let mut service = Service::start(&["--decoders", "2", "--deadline", "1000s"]);
    let address = service.address;
    let mut clients = Vec::new();
    // One after the other, so that each is sent to an idle decoder.
    for busy in 1..=2 {
        clients.push(thread::spawn(move || request(address, "POST", "/decode", &files::endless())));
        service.until_metric("decoder_busy", "", busy);
    }
    service.run.kill();
    service.run.finish();
    for client in clients {
        client.join().expect("no client panics").expect_err("no answer");
    }
}
