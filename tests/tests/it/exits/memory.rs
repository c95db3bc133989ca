//! Actors with a limit on their memory: they run out of it alone.

use phalanx::ExitReason;
use phalanx::prelude::*;
use phalanx_tests::alone;

const MIB: usize = 1024 * 1024;

/// Takes memory, and uses it.
#[actor(memory = "64MiB")]
struct Hoarder {
    hoard: Vec<Vec<u8>>,
}

#[actor]
impl Hoarder {
    /// Takes one piece of so many MiB.
    fn take(&mut self, mebibytes: usize) -> usize {
        self.hoard.push(vec![1; mebibytes * MIB]);
        self.hoard.iter().map(Vec::len).sum()
    }

    /// Takes small pieces without end.
    fn take_all(&mut self) -> usize {
        loop {
            self.hoard.push(vec![1; 10_000]);
        }
    }

    /// Asks first, and can be refused.
    fn try_to_take(&mut self, mebibytes: usize) -> bool {
        let mut piece: Vec<u8> = Vec::new();
        piece.try_reserve_exact(mebibytes * MIB).is_ok()
    }

    fn exit(&self, code: i32) {
        std::process::exit(code);
    }
}

fn hoarder() -> ActorRef<Hoarder> {
    Hoarder { hoard: Vec::new() }.spawn().unwrap()
}

#[test]
fn an_allocation_beyond_the_limit_is_out_of_memory_and_the_caller_is_told() {
    alone(|| {
        let (hoarder, sibling) = (hoarder(), hoarder());
        let pid = sibling.pid().unwrap();
        assert_eq!(hoarder.take(8).wait().unwrap(), 8 * MIB);
        let told = hoarder.take(1024).wait().unwrap_err();
        let CallError::Died(reason, at) = &told else { panic!("{told:?}") };
        assert_eq!((reason, at.method()), (&ExitReason::OutOfMemory, "take"));
        assert_eq!(hoarder.join(), ExitReason::OutOfMemory);
        assert_eq!(hoarder.monitor().recv().in_progress.unwrap().method, "take");
        assert!(reason.to_string().contains("out of memory"), "{reason}");
        // Siblings are untouched.
        assert_eq!(sibling.take(1).wait().unwrap(), MIB);
        assert_eq!(sibling.pid().unwrap(), pid);
    });
}

#[test]
fn allocations_without_end_are_out_of_memory_and_the_queue_is_told() {
    alone(|| {
        let hoarder = hoarder();
        let endless = hoarder.take_all();
        let queued: Vec<_> = (0..10).map(|_| hoarder.take(1)).collect();
        for reply in queued.into_iter().chain([endless]) {
            assert_eq!(reply.wait().unwrap_err().exit_reason(), Some(&ExitReason::OutOfMemory));
        }
    });
}

#[test]
fn a_message_that_does_not_fit_into_memory_costs_its_actor_only() {
    #[actor(memory = "64MiB")]
    struct Reader;

    #[actor]
    impl Reader {
        fn read(&self, text: String) -> usize {
            text.len()
        }
    }

    alone(|| {
        let (reader, other) = (Reader.spawn().unwrap(), Reader.spawn().unwrap());
        let told = reader.read("x".repeat(128 * MIB)).wait().unwrap_err();
        assert!(matches!(told.exit_reason(), Some(ExitReason::OutOfMemory)), "{told:?}");
        assert_eq!(other.read("x".repeat(MIB)).wait().unwrap(), MIB);
    });
}

#[test]
fn an_allocation_that_is_refused_and_handled_ends_nothing() {
    alone(|| {
        let hoarder = hoarder();
        assert!(!hoarder.try_to_take(1024).wait().unwrap());
        assert!(hoarder.try_to_take(8).wait().unwrap());
        assert_eq!(hoarder.take(8).wait().unwrap(), 8 * MIB);
        // And is not blamed for a later end.
        assert_eq!(hoarder.exit(3).wait().unwrap_err().exit_reason(), Some(&ExitReason::Exited(3)));
    });
}

#[test]
fn a_limit_of_the_builder_overrides_that_of_the_attribute() {
    alone(|| {
        let hoarder = Hoarder { hoard: Vec::new() }.builder().memory(512 * MIB as u64).spawn().unwrap();
        assert_eq!(hoarder.take(128).wait().unwrap(), 128 * MIB);
        let told = hoarder.take(1024).wait().unwrap_err();
        assert_eq!(told.exit_reason(), Some(&ExitReason::OutOfMemory));
    });
}
