//! What the service says to good, broken and poisonous files.

use std::thread;

use grey_sys::files;
use phalanx_tests::{EVENT_TIMEOUT, processes, until, until_seen};

use crate::client::{Connection, request};
use crate::support::Service;

#[test]
fn each_file_has_its_own_answer_and_the_next_one_is_served() {
    let service = Service::start(&["--decoders", "2", "--deadline", "500ms"]);
    let good = |what: &str| {
        let answer = service.decode(&files::plain(20, 10, 50));
        let expected = "{\"width\":20,\"height\":10,\"mean\":50.0}\n";
        assert_eq!((answer.status, &*answer.body), (200, expected), "{what}");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    };
    good("at first");
    for (file, status, words) in [
        (b"rubbish".to_vec(), 422, "not a grey picture\n"),
        (Vec::new(), 422, "not a grey picture\n"),
        (files::truncated(100, 100), 422, "the body is too short\n"),
        (files::overrun(), 422, "the file has cost its decoder: killed by SIGSEGV\n"),
        (files::endless(), 504, "the deadline has passed\n"),
    ] {
        let answer = service.decode(&file);
        assert_eq!((answer.status, &*answer.body), (status, words));
        good(words);
    }
    service.until_metric("decode_crashes_total", "\"SIGSEGV\"", 1);
    service.until_metric("decoder_restarts_total", "", 2);
    for (status, answers) in [("\"200\"", 6), ("\"422\"", 4), ("\"504\"", 1)] {
        service.until_metric("decode_answers_total", status, answers);
    }
    service.until_metric("decoder_queue_depth", "", 0);
    service.end();
}

#[test]
fn what_is_no_request_for_it_is_refused() {
    let service = Service::start(&[]);
    let mut connection = Connection::open(service.address).expect("a connection");
    assert_eq!(connection.begin(5 << 20).expect("an answer").status, 413);
    assert_eq!(service.get("/decode").status, 405);
    assert_eq!(service.get("/").status, 404);
    assert_eq!(service.get("/health").body, "4 of 4 decoders are up\n");
    let mut connection = Connection::open(service.address).expect("a connection");
    connection.send("this is not HTTP\r\n\r\n").expect("sent");
    assert_eq!(connection.answer().expect("an answer").status, 400);
    assert_eq!(service.decode(&files::plain(1, 1, 9)).status, 200);
    service.end();
}

#[test]
fn a_decoder_that_has_grown_is_replaced_between_two_files() {
    let service = Service::start(&["--decoders", "1", "--deadline", "20s"]);
    for _ in 0..30 {
        // 16 MB are leaked by each. While the only decoder is replaced, there is none.
        let answered = || Some(service.decode(&files::truncated(4000, 4000)).status).filter(|&it| it != 503);
        assert_eq!(until("an answer by a decoder", EVENT_TIMEOUT, answered), 422);
    }
    let recycled = |&seen: &u64| seen >= 3;
    until_seen("recycled decoders", EVENT_TIMEOUT, || service.metric("decoder_recycled_total", ""), recycled);
    assert_eq!(service.metric("decoder_restarts_total", ""), 0);
    service.end();
}

#[test]
fn with_all_decoders_busy_a_request_is_refused_at_once() {
    let service = Service::start(&["--decoders", "1", "--deadline", "1000s", "--drain", "100ms"]);
    let address = service.address;
    // One in progress and more that wait, until the mailbox is full. They get no answer: the drain is short.
    let endless = || thread::spawn(move || request(address, "POST", "/decode", &files::endless()).is_ok());
    let depth = || {
        endless();
        service.metric("decoder_queue_depth", "")
    };
    until_seen("a full mailbox", EVENT_TIMEOUT, depth, |&depth| depth >= 4);
    let answer = service.decode(&files::plain(1, 1, 9));
    assert_eq!((answer.status, &*answer.body), (503, "all decoders are busy or down\n"));
    assert!(answer.head.contains("retry-after: 1"), "{}", answer.head);
    // No thread of the service is held up by those that wait.
    assert_eq!(service.get("/health").body, "1 of 1 decoders are up\n");
    service.end();
}

#[test]
fn a_service_whose_root_supervisor_is_killed_goes_on() {
    let service = Service::start(&["--decoders", "2"]);
    processes::kill(service.run.root_supervisor());
    let file = files::plain(1, 1, 9);
    let mut seen = Vec::new();
    let answer = || {
        let status = service.decode(&file).status;
        seen.push(status);
        status
    };
    until_seen("an answer", EVENT_TIMEOUT, answer, |&status| status == 200);
    assert!(seen.iter().all(|status| [200, 503].contains(status)), "{seen:?}");
    service.end();
}
