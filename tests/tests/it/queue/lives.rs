//! How long a queue lives: as long as its maker, and at the end of the program until no process needs it.

use std::thread;
use std::time::Duration;

use phalanx::prelude::*;
use phalanx::{GetError, Queue, QueueError};
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually, processes};

use super::{handled, numbers, until_handled};

/// Makes queues for others.
#[actor]
struct Maker;

#[actor]
impl Maker {
    fn make(&self) -> phalanx::Result<Queue<u64>> {
        Ok(Queue::builder().name("made").spawn()?)
    }
}

/// Works on for a while, with a queue, and leaves what came of it in a file.
#[task]
fn work_late(queue: Queue<u64>, path: String) {
    thread::sleep(Duration::from_millis(200));
    queue.put(queue.get().unwrap() + 1).unwrap();
    std::fs::write(path, queue.get().unwrap().to_string()).unwrap();
}

/// Says by a file that it has been stopped.
#[actor(daemon)]
struct Background {
    queue: Queue<u64>,
}

#[actor]
impl Background {
    fn begin(&self) {}

    #[on_stop]
    fn end(&mut self) {
        // The queue is there when daemons end.
        self.queue.put(41).unwrap();
    }
}

#[task]
fn wait(queue: Queue<u64>) {
    let _ = queue.get();
}

#[test]
fn at_the_end_of_the_program_a_queue_is_there_for_its_tasks_and_keeps_nothing_alive() {
    alone(|| {
        let queue = numbers(10);
        let background = Background { queue: queue.clone() }.spawn().unwrap();
        background.begin().wait().unwrap();
        let path = std::env::temp_dir().join("said");
        work_late::spawn(queue.clone(), path.to_str().unwrap().to_owned()).unwrap();
        phalanx::shutdown();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "42");
        std::fs::remove_file(path).unwrap();
        assert!(matches!(queue.len(), Err(QueueError::Gone(_))));
    });
}

#[test]
fn a_full_queue_that_nobody_reads_does_not_hold_up_the_end() {
    alone(|| {
        let queue = Queue::bounded(1000).unwrap();
        queue.put_all((0..100).map(|_| vec![0_u8; 100_000])).unwrap();
        phalanx::shutdown();
        assert!(!processes::exists(queue.process().pid()));
    });
}

#[test]
fn a_queue_ends_with_the_process_that_made_it() {
    alone(|| {
        let maker = Maker.spawn().unwrap();
        let queue = maker.make().wait().unwrap();
        assert_eq!(queue.name(), "made");
        queue.put(1).unwrap();
        let waiting = wait::spawn({
            queue.get().unwrap();
            queue.clone()
        })
        .unwrap();
        let pid = queue.process().pid();
        maker.stop(EVENT_TIMEOUT).unwrap();
        assert!(!processes::exists(pid));
        assert!(matches!(queue.put(1), Err(phalanx::PutError::Failed(1, QueueError::Gone(_)))));
        waiting.join().unwrap();
    });
}

#[test]
fn a_queue_that_is_stopped_says_so_to_those_who_wait() {
    alone(|| {
        let queue = numbers(1);
        let before = handled(&queue);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.get());
            until_handled(&queue, before, 1);
            queue.stop();
            assert!(
                matches!(waiting.join().unwrap(), Err(GetError::Failed(QueueError::Gone(Some(reason)))) if reason.is_orderly())
            );
        });
        assert!(!queue.process().is_alive());
        queue.stop();
    });
}

#[test]
fn handles_are_equal_if_they_are_of_the_same_queue_wherever_they_have_been() {
    alone(|| {
        let (queue, other) = (numbers(1), numbers(1));
        let through = Queue::bounded(2).unwrap();
        through.put(queue.clone()).unwrap();
        let back = through.get().unwrap();
        assert_eq!(back, queue);
        assert_ne!(back, other);
        assert_eq!((back.capacity(), back.name()), (Some(1), "queue"));
        back.put(5).unwrap();
        assert_eq!(queue.get().unwrap(), 5);
        assert_eq!(format!("{queue:?}"), "Queue(queue)");
    });
}

#[test]
fn a_process_that_gets_many_handles_is_one_holder() {
    alone(|| {
        let (queue, through) = (numbers(1000), Queue::bounded(1).unwrap());
        queue.put_all(0..60).unwrap();
        queue.lease().unwrap().ack().unwrap();
        let descriptors =
            || std::fs::read_dir(format!("/proc/{}/fd", queue.process().pid())).unwrap().count();
        let before = descriptors();
        for _ in 0..50 {
            through.put(queue.clone()).unwrap();
            through.get().unwrap().lease().unwrap().ack().unwrap();
        }
        eventually("nothing is kept", EVENT_TIMEOUT, || descriptors() <= before + 1);
    });
}
