//! `Shared`: one memory in several processes, as long as one of them holds it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use phalanx::Shared;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, eventually};

#[actor]
struct Keeper {
    kept: Vec<Shared<[AtomicU64]>>,
}

#[actor]
impl Keeper {
    fn make(&self, len: usize) -> phalanx::Result<Shared<[AtomicU64]>> {
        Ok(Shared::from_fn(len, |place| AtomicU64::new(place as u64))?)
    }

    fn keep(&mut self, more: Vec<Shared<[AtomicU64]>>) -> usize {
        self.kept.extend(more);
        self.kept.len()
    }

    fn copies(&self, count: usize) -> Vec<Shared<[AtomicU64]>> {
        vec![self.kept[0].clone(); count]
    }

    /// Never comes back.
    #[tell]
    fn count_up(&self) {
        loop {
            self.kept[0][0].fetch_add(1, Ordering::SeqCst);
        }
    }

    fn read(&self, place: usize) -> u64 {
        self.kept[0][place].load(Ordering::SeqCst)
    }
}

#[task]
fn add(numbers: Shared<[AtomicU64]>, rounds: u64) {
    for _ in 0..rounds {
        for number in &*numbers {
            number.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn what_several_processes_add_to_is_all_there() {
    alone(|| {
        let numbers = Shared::<[AtomicU64]>::zeroed(100).unwrap();
        let tasks: Vec<_> = (0..4).map(|_| add::spawn(numbers.clone(), 1000).unwrap()).collect();
        tasks.iter().for_each(|task| task.join().unwrap());
        assert!(numbers.iter().all(|number| number.load(Ordering::SeqCst) == 4000));
    });
}

#[test]
fn a_change_is_seen_while_the_other_process_still_runs() {
    alone(|| {
        let numbers = Shared::<[AtomicU64]>::zeroed(1).unwrap();
        let keeper = Keeper { kept: vec![numbers.clone()] }.spawn().unwrap();
        keeper.count_up().unwrap();
        eventually("counting", EVENT_TIMEOUT, || numbers[0].load(Ordering::SeqCst) > 1000);
        // Killed in the middle of it, it leaves what it has written.
        keeper.kill().unwrap();
        assert_eq!(keeper.join(), ExitReason::Killed { by: phalanx::StoppedBy::Ref, after: None });
        let left = numbers[0].load(Ordering::SeqCst);
        assert!(left > 1000 && left == numbers[0].load(Ordering::SeqCst));
    });
}

#[test]
fn memory_outlives_the_process_that_made_it() {
    alone(|| {
        let keeper = Keeper { kept: vec![] }.spawn().unwrap();
        let numbers = keeper.make(1000).wait().unwrap();
        keeper.kill().unwrap();
        keeper.join();
        assert_eq!(numbers.iter().map(|number| number.load(Ordering::SeqCst)).sum::<u64>(), 499_500);
        // And can be given to others.
        let other = Keeper { kept: vec![numbers.clone()] }.spawn().unwrap();
        numbers[7].store(1 << 63, Ordering::SeqCst);
        assert_eq!(other.read(7).wait().unwrap(), 1 << 63);
    });
}

#[test]
fn what_lies_in_the_state_of_an_actor_is_there_for_its_next_process() {
    alone(|| {
        let numbers = Shared::<[AtomicU64]>::zeroed(1).unwrap();
        let builder = Keeper { kept: vec![numbers.clone()] }.builder().restart(phalanx::Restart::Permanent);
        let keeper = builder.intensity(3, RESTART_WINDOW).spawn().unwrap();
        numbers[0].store(5, Ordering::SeqCst);
        let pid = keeper.pid().unwrap();
        assert!(
            std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success()
        );
        assert_eq!(keeper.read(0).wait().unwrap(), 5);
        eventually("a second process", EVENT_TIMEOUT, || keeper.incarnation() == 2);
        assert_eq!(keeper.read(0).wait().unwrap(), 5);
        keeper.stop(EVENT_TIMEOUT).unwrap();
    });
}

#[test]
fn sixty_fit_into_a_message_and_more_are_a_typed_error_that_leaves_nothing() {
    alone(|| {
        let numbers = Shared::<[AtomicU64]>::zeroed(1).unwrap();
        let keeper = Keeper { kept: vec![numbers.clone()] }.spawn().unwrap();
        assert_eq!(keeper.keep(vec![numbers.clone(); 60]).wait().unwrap(), 61);
        assert_eq!(keeper.copies(60).wait().unwrap().len(), 60);
        for count in [63, 64, 65, 1000] {
            let error = keeper.keep(vec![numbers.clone(); count]).wait().unwrap_err();
            assert!(error.to_string().contains("descriptors in one message"), "{error}");
        }
        let error = keeper.copies(64).wait().unwrap_err();
        assert!(error.to_string().contains("descriptors in one message"), "{error}");
        assert_eq!(keeper.keep(vec![numbers]).wait().unwrap(), 62);
    });
}

#[test]
fn numbers_are_the_same_for_everybody_and_arrive_without_a_copy() {
    alone(|| {
        let numbers = Shared::from_slice(&(0..1_000_000_u32).collect::<Vec<_>>()).unwrap();
        let inode = |shared: &Shared<[u32]>| {
            let file = std::fs::File::from(std::os::fd::AsFd::as_fd(shared).try_clone_to_owned().unwrap());
            std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap())
        };
        let look = |numbers: Shared<[u32]>| {
            let file = std::fs::File::from(std::os::fd::AsFd::as_fd(&numbers).try_clone_to_owned().unwrap());
            let inode = std::os::unix::fs::MetadataExt::ino(&file.metadata().unwrap());
            (numbers.iter().map(|&number| u64::from(number)).sum::<u64>(), inode)
        };
        let seen = Process::spawn(look, numbers.clone()).unwrap().join().unwrap();
        assert_eq!(seen, (499_999_500_000, inode(&numbers)));
    });
}

#[test]
fn single_values_arrays_and_nothing_can_be_shared() {
    alone(|| {
        type All = (Shared<f64>, Shared<[i16; 3]>, Shared<[[u8; 2]]>, Shared<[AtomicU8; 2]>, Shared<[u64]>);
        let flags = Shared::new([1, 2].map(AtomicU8::new)).unwrap();
        let all: All = (
            Shared::new(0.5).unwrap(),
            Shared::new([-1, 0, 1]).unwrap(),
            Shared::from_slice(&[[1, 2], [3, 4]]).unwrap(),
            flags.clone(),
            Shared::from_slice(&[]).unwrap(),
        );
        let look = |(half, three, pairs, flags, none): All| {
            flags[1].store(9, Ordering::SeqCst);
            format!("{half:?} {three:?} {pairs:?} {none:?}")
        };
        let seen = Process::spawn(look, all).unwrap().join().unwrap();
        assert_eq!(seen, "Shared(0.5) Shared([-1, 0, 1]) Shared([[1, 2], [3, 4]]) Shared([])");
        assert_eq!(format!("{flags:?}"), "Shared([1, 9])");
    });
}

#[test]
fn the_result_of_a_task_cannot_be_shared_memory() {
    alone(|| {
        let kept = Process::spawn(|(): ()| Shared::new(1_u8).unwrap(), ()).unwrap().join().unwrap_err();
        assert!(matches!(&kept, CallError::Codec(text, _) if text.contains("descriptors")), "{kept}");
    });
}

#[test]
fn what_was_sent_to_an_actor_that_died_with_it_in_its_mailbox_is_freed() {
    alone(|| {
        let numbers = Shared::<[AtomicU64]>::zeroed(1 << 17).unwrap();
        let keeper = Keeper { kept: vec![numbers.clone()] }.spawn().unwrap();
        keeper.count_up().unwrap();
        let replies: Vec<_> = (0..50).map(|_| keeper.keep(vec![numbers.clone()])).collect();
        keeper.kill().unwrap();
        for reply in replies {
            reply.wait().unwrap_err();
        }
        // That nothing is left is for the leak check to say.
    });
}
