//! Maps, lists, sets, counters and cells, used from several processes.

use std::collections::{BTreeMap, BTreeSet};

use phalanx::prelude::*;
use phalanx::store::Swap;
use phalanx::{
    StoreError,
    store::{Cell, Counter, List, Map, Set},
};
use phalanx_tests::alone;
use serde::{Deserialize, Serialize};

use super::store;

/// What one process does to everything.
#[task]
fn work(
    number: u32,
    map: Map<u32, u32>,
    list: List<u32>,
    set: Set<u32>,
    counter: Counter,
    cell: Cell<Vec<u32>>,
) {
    for n in 0..50 {
        map.insert(number * 50 + n, n).unwrap();
        list.push(n).unwrap();
        set.insert(n).unwrap();
        counter.add(1).unwrap();
        cell.update(|values, n| values.push(n), n).unwrap();
    }
}

#[test]
fn no_operation_of_several_processes_is_lost() {
    alone(|| {
        let store = store();
        let (map, list, set) = (store.map().unwrap(), store.list().unwrap(), store.set().unwrap());
        let (counter, cell) = (store.counter(0).unwrap(), store.cell(Vec::new()).unwrap());
        let work = |number| {
            let (map, list, set) = (map.clone(), list.clone(), set.clone());
            work::spawn(number, map, list, set, counter.clone(), cell.clone()).unwrap()
        };
        let processes: Vec<_> = (0..4).map(work).collect();
        processes.iter().for_each(|process| process.join().unwrap());
        assert_eq!(map.keys().unwrap(), (0..200).collect::<Vec<_>>());
        assert_eq!((list.len(), list.count(7)), (Ok(200), Ok(4)));
        assert_eq!(set.snapshot().unwrap(), (0..50).collect::<BTreeSet<_>>());
        assert_eq!(counter.get(), Ok(200));
        assert_eq!(cell.get().unwrap().len(), 200);
        assert_eq!(store.len(), Ok(5));
    });
}

#[task]
fn swap_in(version: Counter, owner: Map<String, u32>) -> (u32, bool) {
    let me = phalanx::current().pid();
    let mut wins = 0;
    for _ in 0..100 {
        let seen = version.get().unwrap();
        wins += u32::from(version.compare_and_swap(seen, seen + 1).unwrap().is_done());
    }
    (wins, owner.compare_and_swap("door", None, Some(me)).unwrap().is_done())
}

#[test]
fn of_those_who_swap_at_the_same_time_one_has_done_it() {
    alone(|| {
        let store = store();
        let (version, owner) = (store.counter(0).unwrap(), store.map().unwrap());
        let processes: Vec<_> =
            (0..4).map(|_| swap_in::spawn(version.clone(), owner.clone()).unwrap()).collect();
        let results: Vec<_> = processes.iter().map(|process| process.join().unwrap()).collect();
        let wins: u32 = results.iter().map(|(wins, _)| wins).sum();
        assert_eq!(version.get(), Ok(i64::from(wins)));
        let owners: Vec<u32> = processes
            .iter()
            .zip(&results)
            .filter(|(_, (_, first))| *first)
            .map(|(one, _)| one.pid())
            .collect();
        assert_eq!(owners, [owner.get("door").unwrap().unwrap()]);
    });
}

#[test]
fn a_map_does_what_a_dict_does() {
    alone(|| {
        let map = store().map::<String, u32>().unwrap();
        map.extend([("b".to_owned(), 2), ("a".to_owned(), 1)]).unwrap();
        assert_eq!(map.insert("b".into(), 3), Ok(Some(2)));
        assert_eq!((map.get("a"), map.get(&"c".to_owned())), (Ok(Some(1)), Ok(None)));
        assert_eq!((map.contains_key("a"), map.len(), map.is_empty()), (Ok(true), Ok(2), Ok(false)));
        assert_eq!(
            (map.keys().unwrap(), map.values().unwrap()),
            (vec!["a".into(), "b".to_owned()], vec![1, 3])
        );
        assert_eq!((map.get_or_insert("c".into(), 5), map.get_or_insert("c".into(), 6)), (Ok(5), Ok(5)));
        assert_eq!((map.remove("c"), map.remove("c")), (Ok(Some(5)), Ok(None)));
        let all = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 3)]);
        assert_eq!(map.snapshot(), Ok(all.clone()));
        assert_eq!(map.iter().collect::<Result<BTreeMap<_, _>, _>>(), Ok(all));
        assert_eq!(map.compare_and_swap("a", Some(2), None), Ok(Swap::Found(Some(1))));
        assert_eq!(map.compare_and_swap("a", Some(1), None), Ok(Swap::Done));
        assert_eq!((map.pop_last(), map.pop_first()), (Ok(Some(("b".into(), 3))), Ok(None)));
        map.insert("z".into(), 1).unwrap();
        map.clear().unwrap();
        assert_eq!(map.is_empty(), Ok(true));
    });
}

#[test]
fn a_list_does_what_a_list_does() {
    alone(|| {
        let list = store().list::<i32>().unwrap();
        assert_eq!((list.extend([3, 1, 2]), list.push(1)), (Ok(3), Ok(4)));
        list.insert(99, 9).unwrap();
        list.insert(0, 0).unwrap();
        assert_eq!(list.snapshot().unwrap(), [0, 3, 1, 2, 1, 9]);
        assert_eq!((list.get(1), list.get(6)), (Ok(Some(3)), Ok(None)));
        assert_eq!((list.set(0, 7), list.set(6, 7)), (Ok(Some(0)), Ok(None)));
        assert_eq!((list.slice(..=1).unwrap(), list.slice(4..99).unwrap()), (vec![7, 3], vec![1, 9]));
        assert!(list.slice(5..5).unwrap().is_empty());
        assert_eq!((list.position(1), list.count(1), list.contains(8)), (Ok(Some(2)), Ok(2), Ok(false)));
        assert_eq!((list.remove_item(1), list.remove_item(8)), (Ok(true), Ok(false)));
        assert_eq!((list.remove(0), list.remove(9)), (Ok(Some(7)), Ok(None)));
        list.sort().unwrap();
        assert_eq!(list.snapshot().unwrap(), [1, 2, 3, 9]);
        list.reverse().unwrap();
        assert_eq!((list.pop(), list.pop_first(), list.len()), (Ok(Some(1)), Ok(Some(9)), Ok(2)));
        assert_eq!(list.compare_and_swap(0, 3, 4), Ok(Swap::Done));
        assert_eq!(list.compare_and_swap(0, 3, 4), Ok(Swap::Found(Some(4))));
        assert_eq!(list.compare_and_swap(5, 3, 4), Ok(Swap::Found(None)));
        list.truncate(1).unwrap();
        assert_eq!(list.iter().collect::<Result<Vec<_>, _>>().unwrap(), [4]);
        list.clear().unwrap();
        assert_eq!((list.pop(), list.pop_first(), list.is_empty()), (Ok(None), Ok(None), Ok(true)));
    });
}

#[test]
fn pages_hold_what_is_there_all_the_time_exactly_once() {
    alone(|| {
        let map = store().map::<u32, u32>().unwrap();
        map.extend((0..1000).map(|n| (n * 2, n))).unwrap();
        let mut seen = Vec::new();
        for page in map.pages(64) {
            let page = page.unwrap();
            let last = page.last().unwrap().0;
            seen.extend(page.into_iter().map(|(key, _)| key).filter(|key| key % 2 == 0));
            // Behind and before the place where the reader is.
            map.insert(last / 2 * 2 + 1, 0).unwrap();
            map.insert((last + 33).min(1999), 0).unwrap();
            map.remove(&(last / 4 * 4 + 1)).unwrap();
        }
        assert_eq!(seen, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
    });
}

#[test]
fn a_large_value_goes_both_ways() {
    alone(|| {
        let store = store();
        let cell = store.cell(vec![7u8; 2 << 20]).unwrap();
        assert!(cell.get().unwrap().iter().all(|&byte| byte == 7));
        let list = store.list::<u64>().unwrap();
        assert_eq!(list.extend(0..50_000), Ok(50_000));
        assert!(list.iter().map(Result::unwrap).eq(0..50_000));
    });
}

/// Holds handles in its own state, and objects in objects.
#[derive(Clone, Serialize, Deserialize)]
struct Account {
    owner: String,
    history: List<i64>,
}

#[task]
fn book(accounts: Map<String, Account>, owner: String, amount: i64) -> usize {
    // A handle that is stored is shared; what is stored as a value is copied.
    let account = accounts.get(&owner).unwrap().unwrap();
    account.history.push(amount).unwrap()
}

#[test]
fn handles_in_objects_are_shared_from_every_process() {
    alone(|| {
        let (store, elsewhere) = (store(), store());
        let accounts = store.map::<String, Account>().unwrap();
        for owner in ["alice", "bob"] {
            // In another store, even.
            let account = Account { owner: owner.into(), history: elsewhere.list().unwrap() };
            accounts.insert(owner.into(), account).unwrap();
        }
        for amount in 1..=3 {
            book::spawn(accounts.clone(), "alice".into(), amount).unwrap().join().unwrap();
        }
        // Out of a function that runs in the store, and into one.
        let history = accounts.read("alice", |account, ()| account.history.clone(), ()).unwrap().unwrap();
        assert_eq!(history.snapshot().unwrap(), [1, 2, 3]);
        accounts.update("bob", |account, history| account.history = history, history.clone()).unwrap();
        assert_eq!(accounts.get("bob").unwrap().unwrap().history, history);
        assert_eq!(accounts.get("bob").unwrap().unwrap().owner, "bob");
    });
}

#[test]
fn what_is_deleted_is_gone_for_all_handles_and_nothing_else_is() {
    alone(|| {
        let store = store();
        let (one, other) = (store.counter(1).unwrap(), store.counter(2).unwrap());
        let same = one.clone();
        assert_eq!(one.delete(), Ok(true));
        assert_eq!(same.get(), Err(StoreError::Deleted));
        assert_eq!(same.delete(), Ok(false));
        assert_eq!((other.get(), store.len()), (Ok(2), Ok(1)));
        // Its number is not given again.
        let third = store.counter(3).unwrap();
        assert_eq!((third.get(), third == other), (Ok(3), false));
    });
}
