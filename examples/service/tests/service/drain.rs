//! The end of the service: what is under way is answered.

use std::thread;

use grey_sys::files;
use phalanx_tests::{EVENT_TIMEOUT, eventually};

use crate::client::{Connection, request};
use crate::support::Service;

/// A request of which the service has the head, and waits for the file.
fn begun(service: &Service, len: usize) -> Connection {
    let mut connection = Connection::open(service.address).expect("a connection");
    assert_eq!(connection.begin(len).expect("an answer").status, 100);
    connection
}

#[test]
fn what_is_under_way_at_a_sigterm_is_answered_and_then_it_ends_with_success() {
    let service = Service::start(&["--decoders", "2", "--deadline", "1s"]);
    let good = files::plain(30, 30, 7);
    let mut slow = begun(&service, good.len());
    // One that is with a decoder, and will be there until its deadline.
    let address = service.address;
    let endless = thread::spawn(move || request(address, "POST", "/decode", &files::endless()));
    service.until_metric("decoder_busy", "", 1);
    service.run.signal("TERM");
    eventually("a closed door", EVENT_TIMEOUT, || Connection::open(address).is_err());
    assert_eq!(endless.join().expect("no panic").expect("an answer").status, 504);
    // The other one's file arrives only now.
    slow.send(&good).expect("a file");
    let answer = slow.answer().expect("an answer");
    assert_eq!((answer.status, &*answer.body), (200, "{\"width\":30,\"height\":30,\"mean\":7.0}\n"));
    service.ended();
}

#[test]
fn a_client_that_never_sends_its_file_holds_the_end_up_for_the_drain_only() {
    let service = Service::start(&["--drain", "200ms"]);
    let silent = begun(&service, 1000);
    service.run.signal("INT");
    assert_eq!(service.run.line_of_stderr(), "service: some connections were cut off after 200ms");
    service.ended();
    drop(silent);
}
