//! Refs as values: in messages, replies, init arguments and state; compared, shown, sent on.

use std::collections::BTreeMap;

use phalanx::prelude::*;
use phalanx_tests::alone;

/// A value under a ref.
#[actor]
struct Cell {
    value: u64,
}

#[actor]
impl Cell {
    fn value(&self) -> u64 {
        self.value
    }

    fn add(&mut self, more: u64) -> u64 {
        self.value += more;
        self.value
    }
}

/// Keeps refs, and hands them on.
#[actor]
struct Keeper {
    kept: Vec<ActorRef<Cell>>,
}

#[actor]
impl Keeper {
    #[init]
    fn new(first: Option<ActorRef<Cell>>) -> Self {
        Keeper { kept: first.into_iter().collect() }
    }

    /// Keeps some more; returns the sum of the values below all.
    fn keep(&mut self, cells: Vec<ActorRef<Cell>>) -> u64 {
        self.kept.extend(cells);
        self.kept.iter().map(|cell| cell.value().wait().unwrap()).sum()
    }

    fn kept(&self) -> Vec<ActorRef<Cell>> {
        self.kept.clone()
    }

    fn by_name(&self) -> BTreeMap<String, (ActorRef<Cell>, bool)> {
        self.kept.iter().map(|cell| (cell.name().to_owned(), (cell.clone(), cell.is_alive()))).collect()
    }

    /// As many as asked for, of the first one.
    fn copies(&self, count: usize) -> Vec<ActorRef<Cell>> {
        vec![self.kept[0].clone(); count]
    }

    /// A new actor that no other process knows.
    fn make(&self, value: u64) -> ActorRef<Cell> {
        Cell { value }.spawn().unwrap()
    }

    /// Gives the first one to another keeper.
    fn hand_to(&self, other: ActorRef<Keeper>) -> u64 {
        other.keep(vec![self.kept[0].clone()]).wait().unwrap()
    }

    fn knows(&self, cell: ActorRef<Cell>) -> bool {
        self.kept.contains(&cell)
    }
}

fn cell(value: u64) -> ActorRef<Cell> {
    Cell { value }.spawn().unwrap()
}

#[test]
fn refs_travel_in_messages_answers_and_init_arguments() {
    alone(|| {
        let (one, two) = (cell(1), cell(2));
        let keeper = Keeper::spawn(Some(one.clone())).unwrap();
        assert_eq!(keeper.keep(vec![two.clone(), one.clone()]).wait().unwrap(), 4);
        let back = keeper.kept().wait().unwrap();
        assert_eq!(back, [one.clone(), two.clone(), one.clone()]);
        assert_eq!(back[1].add(40).wait().unwrap(), 42);
        assert_eq!(two.value().wait().unwrap(), 42);
        assert!(keeper.knows(two).wait().unwrap());
        assert!(!keeper.knows(cell(2)).wait().unwrap());
    });
}

/// Has a ref in its state, and is sent as it is.
#[actor]
struct Shell {
    inside: BTreeMap<u8, Option<ActorRef<Cell>>>,
}

#[actor]
impl Shell {
    fn value(&self, key: u8) -> Option<u64> {
        let cell = self.inside.get(&key)?.as_ref()?;
        cell.value().wait().ok()
    }
}

#[test]
fn refs_travel_in_state() {
    alone(|| {
        let inside = BTreeMap::from([(1, Some(cell(11))), (2, None), (3, Some(cell(33)))]);
        let shell = Shell { inside }.spawn().unwrap();
        let values = [1, 2, 3, 4].map(|key| shell.value(key).wait().unwrap());
        assert_eq!(values, [Some(11), None, Some(33), None]);
    });
}

#[test]
fn refs_travel_deep_inside_other_values() {
    alone(|| {
        let keeper = Keeper::spawn(None).unwrap();
        let cells = ["a", "b", "c"].map(|name| Cell { value: 1 }.builder().name(name).spawn().unwrap());
        keeper.keep(cells.to_vec()).wait().unwrap();
        let map = keeper.by_name().wait().unwrap();
        assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert!(map.values().all(|(cell, alive)| *alive && cell.value().wait() == Ok(1)));
    });
}

#[test]
fn a_ref_handed_through_three_processes_still_works() {
    alone(|| {
        let cell = cell(7);
        let keepers: Vec<_> = (0..3).map(|_| Keeper::spawn(None).unwrap()).collect();
        keepers[0].keep(vec![cell.clone()]).wait().unwrap();
        assert_eq!(keepers[0].hand_to(keepers[1].clone()).wait().unwrap(), 7);
        assert_eq!(keepers[1].hand_to(keepers[2].clone()).wait().unwrap(), 7);
        let back = keepers[2].kept().wait().unwrap().remove(0);
        assert_eq!(back, cell);
        assert_eq!(back.id(), cell.id());
        assert_eq!(back.add(1).wait().unwrap(), 8);
        back.kill().unwrap();
        assert_eq!(cell.join().signal(), Some(9));
    });
}

#[test]
fn a_ref_to_an_actor_that_another_one_started_works_here() {
    alone(|| {
        let keeper = Keeper::spawn(None).unwrap();
        let made = keeper.make(5).wait().unwrap();
        assert_eq!(made.value().wait().unwrap(), 5);
        assert_eq!(made.pid().unwrap(), phalanx_tests::processes::stat(made.pid().unwrap()).unwrap().pid);
        let mut monitor = made.monitor();
        assert_eq!(monitor.try_recv(), None);
        made.kill().unwrap();
        assert_eq!(monitor.recv().reason.signal(), Some(9));
        assert!(matches!(made.value().wait(), Err(CallError::Gone(_))));
    });
}

#[test]
fn a_ref_to_a_dead_actor_travels_and_says_so() {
    alone(|| {
        let (cell, keeper) = (cell(1), Keeper::spawn(None).unwrap());
        keeper.keep(vec![cell.clone()]).wait().unwrap();
        cell.kill().unwrap();
        let _ = cell.join();
        drop(cell);
        let (dead, alive) = keeper.by_name().wait().unwrap().remove("Cell").unwrap();
        assert!(!alive && !dead.is_alive());
        assert_eq!(dead.exit_code(), Some(-9));
        assert!(matches!(dead.value().wait(), Err(CallError::Gone(_))));
    });
}

#[test]
fn refs_are_compared_by_actor_and_shown_with_their_name() {
    alone(|| {
        let one = Cell { value: 1 }.builder().name("one").spawn().unwrap();
        let two = Cell { value: 1 }.builder().name("one").spawn().unwrap();
        let same = one.clone();
        assert!(one == same && one != two && one.id() != two.id());
        let (pid, own) = (one.pid().unwrap(), std::process::id());
        assert_eq!(one.to_string(), format!("`one`, process {pid}, child of {own}, started"));
        let debug = format!("{one:?}");
        assert!(debug.contains("one") && debug.contains(&one.id().to_string()), "{debug}");
        one.kill().unwrap();
        let _ = one.join();
        assert_eq!(
            same.to_string(),
            format!("`one`, process {pid}, child of {own}, killed by a holder of its ref")
        );
    });
}

#[test]
fn thirty_refs_fit_into_a_message_and_forty_are_a_typed_error() {
    alone(|| {
        let cell = cell(1);
        let keeper = Keeper::spawn(Some(cell.clone())).unwrap();
        assert_eq!(keeper.keep(vec![cell.clone(); 30]).wait().unwrap(), 31);
        assert_eq!(keeper.copies(30).wait().unwrap(), vec![cell.clone(); 30]);
        for count in [32, 40, 1000] {
            let error = keeper.keep(vec![cell.clone(); count]).wait().unwrap_err();
            assert!(error.to_string().contains("refs in one message"), "{error}");
            assert_eq!(error.at().map(phalanx::At::method), Some("keep"));
            let error = keeper.copies(count).wait().unwrap_err();
            assert!(error.to_string().contains("refs in one message"), "{error}");
        }
        // The failed ones have left nothing behind, here or there.
        assert_eq!(keeper.keep(vec![cell.clone()]).wait().unwrap(), 32);
        assert_eq!(keeper.copies(2).wait().unwrap(), [cell.clone(), cell]);
    });
}

#[test]
fn refs_to_different_actors_keep_their_order() {
    alone(|| {
        let cells: Vec<_> = (0..30).map(cell).collect();
        let keeper = Keeper::spawn(None).unwrap();
        keeper.keep(cells.clone()).wait().unwrap();
        let back = keeper.kept().wait().unwrap();
        assert_eq!(back, cells);
        let values: Vec<u64> = back.iter().map(|cell| cell.value().wait().unwrap()).collect();
        assert!(values.into_iter().eq(0..30));
    });
}
