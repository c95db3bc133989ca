//! Wakers are code of the executor's: they may panic, and they may come back into the library.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};

#[actor]
struct Slow;

#[actor]
impl Slow {
    fn echo(&self, number: u64, after_ms: u64) -> u64 {
        std::thread::sleep(Duration::from_millis(after_ms));
        number
    }
}

/// Panics when it is woken.
struct Bomb(AtomicBool);

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
        panic!("a waker panics, on purpose");
    }
}

/// Calls an actor when it is woken, and waits for the reply.
struct Asker(ActorRef<Slow>, mpsc::Sender<u64>);

impl Wake for Asker {
    fn wake(self: Arc<Self>) {
        let answer = self.0.echo(3, 0).wait_timeout(EVENT_TIMEOUT);
        let _ = self.1.send(answer.unwrap_or_default());
    }
}

/// Polled once, with this waker.
fn begin(reply: &mut Reply<u64>, waker: &Waker) {
    assert!(pin!(reply).poll(&mut Context::from_waker(waker)).is_pending());
}

#[test]
fn a_waker_that_panics_ends_no_waiting_but_its_own() {
    alone(|| {
        let slow = Slow.spawn().unwrap();
        for leads_itself in [false, true] {
            let bomb = Arc::new(Bomb(AtomicBool::new(false)));
            let mut first = slow.echo(1, 100);
            begin(&mut first, &Waker::from(Arc::clone(&bomb)));
            if leads_itself {
                // This thread, or the library's own: the one that leads wakes.
                assert_eq!(slow.echo(2, 0).wait_timeout(EVENT_TIMEOUT).unwrap(), 2);
            }
            eventually("the waker", EVENT_TIMEOUT, || bomb.0.load(Ordering::SeqCst));
            assert_eq!(first.wait_timeout(EVENT_TIMEOUT).unwrap(), 1);
            // Futures are woken as before.
            let (sender, receiver) = mpsc::channel();
            let mut second = slow.echo(4, 50);
            begin(&mut second, &Waker::from(Arc::new(Asker(slow.clone(), sender))));
            assert_eq!(receiver.recv_timeout(EVENT_TIMEOUT).unwrap(), 3);
            assert_eq!(second.wait_timeout(EVENT_TIMEOUT).unwrap(), 4);
        }
    });
}

#[test]
fn a_waker_that_asks_and_waits_is_answered_also_on_a_thread_that_leads() {
    alone(|| {
        let (slow, other) = (Slow.spawn().unwrap(), Slow.spawn().unwrap());
        let (sender, receiver) = mpsc::channel();
        let mut first = slow.echo(1, 20);
        begin(&mut first, &Waker::from(Arc::new(Asker(other.clone(), sender))));
        let mut waiting = other.echo(2, 100);
        assert_eq!(waiting.wait_timeout(EVENT_TIMEOUT).unwrap(), 2);
        assert_eq!(receiver.recv_timeout(EVENT_TIMEOUT).unwrap(), 3);
        assert!(matches!(pin!(first).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(1))));
    });
}
