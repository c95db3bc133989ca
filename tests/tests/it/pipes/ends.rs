//! The ends of a pipe: which process has them, and what the other end is told when one is gone.

use std::process::Command;

use phalanx_tests::{EVENT_TIMEOUT, FOREVER, alone};

use super::*;

#[actor]
struct Holder {
    end: Option<Pipe<u32>>,
}

#[actor]
impl Holder {
    fn take(&mut self, end: Pipe<u32>) {
        self.end = Some(end);
    }

    fn give(&mut self) -> Option<Pipe<u32>> {
        self.end.take()
    }

    fn send(&mut self, number: u32) -> Result<(), String> {
        let end = self.end.as_mut().ok_or("no end")?;
        end.send(&number).map_err(|error| error.to_string())
    }

    fn recv(&mut self) -> Result<u32, String> {
        let end = self.end.as_mut().ok_or("no end")?;
        end.recv().map_err(|error| error.to_string())
    }

    #[tell]
    fn sleep(&self) {
        std::thread::sleep(FOREVER);
    }
}

#[test]
fn both_ends_can_be_somewhere_else() {
    alone(|| {
        let (one, other) = phalanx::pipe::<u32, u32>().unwrap();
        let a = Holder { end: Some(one) }.spawn().unwrap();
        let b = Holder { end: None }.spawn().unwrap();
        b.take(other).wait().unwrap();
        a.send(1).wait().unwrap();
        a.send(2).wait().unwrap();
        assert_eq!(b.recv().wait().unwrap(), 1);
        // The end comes back with what is in the line.
        let mut back = b.give().wait().unwrap().unwrap();
        assert_eq!(back.recv(), Ok(2));
        back.send(&3).unwrap();
        assert_eq!(a.recv().wait().unwrap(), 3);
    });
}

#[test]
fn who_waits_for_a_process_that_is_killed_is_told_that_the_pipe_is_closed() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<u32, u32>().unwrap();
        let holder = Holder { end: Some(theirs) }.spawn().unwrap();
        holder.send(1).wait().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| (ours.recv(), ours.recv()));
            holder.kill().unwrap();
            // What it has sent before it died still comes.
            assert_eq!(waiting.join().unwrap(), (Ok(1), Err(PipeError::Closed)));
        });
        assert_eq!(ours.send(&2), Err(PipeError::Closed));
    });
}

#[test]
fn what_was_sent_before_the_end_was_closed_is_received_also_when_that_end_had_not_read() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<u32, u32>().unwrap();
        let holder = Holder { end: Some(theirs) }.spawn().unwrap();
        ours.send(&1).unwrap();
        holder.send(2).wait().unwrap();
        holder.kill().unwrap();
        holder.join();
        assert_eq!((ours.recv(), ours.recv()), (Ok(2), Err(PipeError::Closed)));
    });
}

#[test]
fn a_sender_that_waits_for_room_is_told_when_the_other_end_goes() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<u32, u32>().unwrap();
        let holder = Holder { end: Some(theirs) }.spawn().unwrap();
        while ours.send_timeout(&0, Duration::ZERO).unwrap() {}
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| ours.send(&1));
            holder.kill().unwrap();
            assert_eq!(waiting.join().unwrap(), Err(PipeError::Closed));
        });
    });
}

#[test]
fn an_end_in_a_mailbox_that_is_never_read_is_closed_with_it() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<u32, u32>().unwrap();
        let holder = Holder { end: None }.spawn().unwrap();
        holder.sleep().unwrap();
        let reply = holder.take(theirs);
        ours.send(&1).unwrap();
        holder.kill().unwrap();
        assert_eq!(ours.recv(), Err(PipeError::Closed));
        reply.wait().unwrap_err();
    });
}

#[test]
fn an_end_in_the_state_of_an_actor_goes_to_its_next_process() {
    alone(|| {
        let (mut ours, theirs) = phalanx::pipe::<u32, u32>().unwrap();
        let builder = Holder { end: Some(theirs) }.builder().restart(phalanx::Restart::Permanent);
        let holder = builder.spawn().unwrap();
        ours.send(&1).unwrap();
        ours.send(&2).unwrap();
        assert_eq!(holder.recv().wait().unwrap(), 1);
        let pid = holder.pid().unwrap().to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        assert_eq!(holder.recv().wait().unwrap(), 2);
        holder.send(3).wait().unwrap();
        assert_eq!(ours.recv(), Ok(3));
        holder.stop(EVENT_TIMEOUT).unwrap();
        assert_eq!(ours.recv(), Err(PipeError::Closed));
    });
}

#[test]
fn a_pipe_within_a_process_and_one_that_is_dropped_leave_nothing() {
    alone(|| {
        for _ in 0..2000 {
            let (mut one, mut other) = phalanx::pipe::<u32, String>().unwrap();
            one.send(&1).unwrap();
            assert_eq!(other.recv(), Ok(1));
        }
    });
}
