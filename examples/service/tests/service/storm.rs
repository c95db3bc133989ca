//! Clients that go on while decoders are killed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grey_sys::files;
use phalanx_tests::{EVENT_TIMEOUT, processes, until};

use crate::client::Connection;
use crate::support::Service;

const CLIENTS: usize = 8;
const DECODERS: usize = 4;

/// How many answers had which status.
type Statuses = BTreeMap<u16, u64>;

#[test]
fn clients_are_answered_while_decoders_are_killed() {
    storm(Duration::from_secs(5), 25);
}

/// `cargo test -p phalanx-service --test service -- --ignored`
#[test]
#[ignore = "takes 40 s"]
fn clients_are_answered_while_decoders_are_killed_for_long() {
    storm(Duration::from_secs(40), 25);
}

/// So many kills, spread over this time, under eight clients; then an end by SIGTERM in the middle of their
/// requests.
fn storm(time: Duration, kills: u32) {
    // Good files are to be late because of a kill, and never because of a slow machine.
    let service = Service::start(&["--decoders", &DECODERS.to_string(), "--deadline", "20s"]);
    let address = service.address;
    let is_over = AtomicBool::new(false);
    let (statuses, slowest) = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| client(address, &is_over))).collect();
        kill(&service, time, kills);
        service.until_metric("decoder_restarts_total", "", kills.into());
        is_over.store(true, Ordering::Relaxed);
        service.run.signal("TERM");
        let (mut all, mut slowest) = (Statuses::new(), Duration::ZERO);
        for client in clients {
            let (statuses, slow) = client.join().expect("no client panics");
            statuses.iter().for_each(|(&status, count)| *all.entry(status).or_default() += count);
            slowest = slowest.max(slow);
        }
        (all, slowest)
    });
    eprintln!("{kills} kills in {time:?}; answers by status: {statuses:?}; the slowest took {slowest:?}");
    assert!(statuses.keys().all(|status| [200, 503].contains(status)), "{statuses:?}");
    // A kill costs the one file that its decoder was at. No other is refused: three decoders are up.
    let (answered, refused) = (statuses[&200], statuses.get(&503).copied().unwrap_or_default());
    assert!(answered > 100 && refused <= kills.into(), "{statuses:?}");
    service.ended();
}

/// Makes one request after the other on one connection; returns how many had which status, and how long the
/// slowest took. A service that has been asked to end closes the connection between two of them.
fn client(service: SocketAddr, is_over: &AtomicBool) -> (Statuses, Duration) {
    let (mut statuses, mut slowest) = (Statuses::new(), Duration::ZERO);
    let mut connection = Connection::open(service).expect("a connection");
    for number in 0_u32.. {
        let grey = (number % 256) as u8;
        let start = Instant::now();
        match connection.request("POST", "/decode", &files::plain(1000, 500, grey)) {
            Ok(answer) => {
                if answer.status == 200 {
                    assert_eq!(answer.body, format!("{{\"width\":1000,\"height\":500,\"mean\":{grey}.0}}\n"));
                }
                *statuses.entry(answer.status).or_default() += 1;
                slowest = slowest.max(start.elapsed());
            }
            Err(_) if is_over.load(Ordering::Relaxed) => break,
            Err(error) => panic!("a request without an answer: {error}"),
        }
    }
    (statuses, slowest)
}

/// Kills one decoder after the other, evenly over the time; each when the one before is there again.
fn kill(service: &Service, time: Duration, kills: u32) {
    let start = Instant::now();
    for number in 0..kills {
        let name = format!("decoders-{}", number as usize % DECODERS);
        let killed = until("a decoder", EVENT_TIMEOUT, || find(service, &name));
        processes::kill(killed);
        until("another decoder", EVENT_TIMEOUT, || find(service, &name).filter(|&pid| pid != killed));
        // The pace of the test; nothing is waited for.
        thread::sleep((time / kills * (number + 1)).saturating_sub(start.elapsed()));
    }
}

fn find(service: &Service, name: &str) -> Option<u32> {
    let all = processes::descendants(service.run.pid());
    all.into_iter().find(|process| process.name == name && process.state != 'Z').map(|process| process.pid)
}
