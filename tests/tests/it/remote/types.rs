//! Names, types and versions that do not fit are refused before the first call.

use phalanx::prelude::*;
use phalanx::remote::{Node, RemoteError};
use phalanx::{Restart, remote};
use phalanx_tests::recorder::{Recorder, secret};
use phalanx_tests::{alone, eventually};

use super::{LINK_TIMEOUT, connect, serve};

/// Another type.
#[actor]
struct Counter;

#[actor]
impl Counter {
    fn note(&self, _effect: u64) -> usize {
        0
    }
}

/// A later version of the recorder, by its name.
mod later {
    use super::*;

    #[actor]
    pub(super) struct Recorder;

    #[actor]
    impl Recorder {
        pub(super) fn effects(&self) -> Vec<u64> {
            Vec::new()
        }

        pub(super) fn clear(&self) {}
    }
}

/// An earlier one, which has fewer methods, in another order.
mod earlier {
    use super::*;

    #[actor]
    pub(super) struct Recorder;

    #[actor]
    impl Recorder {
        pub(super) fn effects(&self) -> Vec<u64> {
            Vec::new()
        }

        pub(super) fn note(&mut self, _effect: u64) -> usize {
            0
        }
    }
}

fn refusal<A: phalanx::Actor>(node: &Node, name: &str) -> RemoteError {
    node.actor::<A>(name).unwrap_err()
}

#[test]
fn an_unknown_name_is_refused() {
    alone(|| {
        let (manager, _local) = serve();
        let node = connect(&manager);
        let unknown = RemoteError::UnknownName { name: "bord".to_owned() };
        assert_eq!(refusal::<Recorder>(&node, "bord"), unknown);
        assert_eq!(
            refusal::<Recorder>(&node, &"long".repeat(10_000)),
            RemoteError::UnknownName { name: "long".repeat(10_000) }
        );
        eventually("the manager's side of it", LINK_TIMEOUT, || {
            manager.refusals().unwrap().contains(&unknown)
        });
        assert!(node.actor::<Recorder>("recorder").is_ok());
    });
}

#[test]
fn an_actor_of_another_type_is_refused() {
    alone(|| {
        let (manager, _local) = serve();
        let expected = RemoteError::OtherType {
            name: "recorder".to_owned(),
            expected: "Counter".to_owned(),
            found: "Recorder".to_owned(),
        };
        assert_eq!(refusal::<Counter>(&connect(&manager), "recorder"), expected);
    });
}

#[test]
fn a_method_that_the_manager_does_not_know_is_refused() {
    alone(|| {
        let (manager, _local) = serve();
        let refused = refusal::<later::Recorder>(&connect(&manager), "recorder");
        let RemoteError::OtherVersion { expected, found: None, .. } = &refused else { panic!("{refused}") };
        assert!(expected.starts_with("clear"), "{refused}");
    });
}

#[test]
fn an_older_client_is_served_by_the_names_of_its_methods() {
    alone(|| {
        let (manager, _local) = serve();
        let remote = connect(&manager).actor::<earlier::Recorder>("recorder").unwrap();
        assert_eq!(remote.note(7).wait(), Ok(1));
        assert_eq!(remote.effects().wait(), Ok(vec![7]));
    });
}

#[test]
fn a_name_is_given_once_while_its_actor_lives() {
    alone(|| {
        let (manager, local) = serve();
        let taken = RemoteError::NameTaken { name: "recorder".to_owned() };
        assert_eq!(manager.actor("recorder", &local).unwrap_err(), taken);
        assert!(manager.actor("", &local).is_err());
        manager.actor("the same", &local).unwrap().actor("once more", &local).unwrap();
        let node = connect(&manager);
        node.actor::<Recorder>("the same").unwrap().note(1).wait().unwrap();
        assert_eq!(node.actor::<Recorder>("once more").unwrap().note(2).wait(), Ok(2));
        local.stop(LINK_TIMEOUT).unwrap();
        manager.actor("recorder", &super::recorder()).unwrap();
    });
}

/// What is served may crash and be restarted: the clients' refs stay good.
#[test]
fn an_actor_that_is_restarted_is_still_served() {
    alone(|| {
        let local = Recorder { effects: vec![1] }.builder().restart(Restart::Permanent).spawn().unwrap();
        let manager = remote::serve("127.0.0.1:0", &secret()).unwrap();
        manager.actor("recorder", &local).unwrap();
        let remote = connect(&manager).actor::<Recorder>("recorder").unwrap();
        assert_eq!(remote.note(2).wait(), Ok(2));
        assert!(matches!(remote.die().wait(), Err(CallError::Died(..))));
        assert_eq!(remote.effects().wait(), Ok(vec![1]));
    });
}

/// The recorder with other types in a method that has the same name.
mod changed {
    use super::*;

    #[actor]
    pub(super) struct Recorder;

    #[actor]
    impl Recorder {
        pub(super) fn note(&mut self, _effect: u32) -> usize {
            0
        }
    }
}

#[test]
fn a_method_with_other_types_is_refused() {
    alone(|| {
        let (manager, _local) = serve();
        let refused = refusal::<changed::Recorder>(&connect(&manager), "recorder");
        let text = "`recorder` is of another version: it has `note(u64) -> usize`, not `note(u32) -> usize`";
        assert_eq!(refused.to_string(), text);
    });
}
