//! The process of a store: objects of any type, and functions that run on them.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actor::answer::Answer;
use crate::actor::call::Call;
use crate::actor::message::InitCodec;
use crate::actor::raw_ref::RawRef;
use crate::actor::traits::{Actor, ActorStruct, Calls, InitFailure};
use crate::store::function::{self, Owner};
use crate::types::method::Method;
use crate::types::options::Options;

/// The actor behind a [`Store`](crate::Store). Only handles send messages to it.
pub struct StoreServer {
    objects: HashMap<u64, Box<dyn Any>>,
    /// The last number given out. No number is given twice.
    last: u64,
}

impl fmt::Debug for StoreServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreServer").field("objects", &self.objects.len()).finish_non_exhaustive()
    }
}

/// The messages of a [`StoreServer`]: none that can be called directly.
#[derive(Clone, Debug)]
pub struct StoreCalls(pub(super) RawRef);

/// Why an operation was not carried out.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// The object does not exist.
    Deleted,
    /// The function has panicked.
    Panicked(String),
}

/// One method for each name in errors and reports. All of them run a function.
macro_rules! operations {
    ($($operation:ident $name:literal),* $(,)?) => {
        #[derive(Clone, Copy)]
        pub(super) enum Operation {
            $($operation),*
        }

        const OPERATIONS: &[Method] = &[$(Method::ask($name)),*];
    };
}

operations! {
    Create "create", Delete "delete", Len "len", Get "get", Set "set", Insert "insert", Remove "remove", Contains "contains", Clear "clear", Extend "extend",
    Pop "pop", Snapshot "snapshot", Page "page", Swap "compare_and_swap", Update "update", UpdateAll "update_all", Read "read", ReadAll "read_all", Add "add",
    Arrange "arrange",
}

impl StoreServer {
    /// Stands for the table of objects, in place of an object's number.
    pub(super) const ITSELF: u64 = 0;

    /// Takes an object in; returns its number.
    pub(super) fn add(&mut self, object: impl Any) -> u64 {
        self.last += 1;
        self.objects.insert(self.last, Box::new(object));
        self.last
    }

    pub(super) fn delete(&mut self, object: u64) -> bool {
        self.objects.remove(&object).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }
}

impl Owner for StoreServer {
    type Key = u64;
    type Fault = Fault;

    fn find<S: 'static>(&mut self, key: u64) -> Result<&mut S, Fault> {
        let object: Option<&mut dyn Any> = if key == Self::ITSELF {
            Some(self)
        } else {
            self.objects.get_mut(&key).map(|object| &mut **object)
        };
        object.and_then(<dyn Any>::downcast_mut).ok_or(Fault::Deleted)
    }

    fn panicked(message: String) -> Fault {
        Fault::Panicked(message)
    }
}

impl Calls for StoreCalls {
    fn from_raw(raw: RawRef) -> StoreCalls {
        StoreCalls(raw)
    }

    fn raw(&self) -> &RawRef {
        &self.0
    }
}

impl ActorStruct for StoreServer {
    type Calls = StoreCalls;
    const OPTIONS: Options = Options::DEFAULT;
}

impl Actor for StoreServer {
    type Init = ();
    const CODEC: InitCodec<()> = InitCodec::NEW;
    const METHODS: &'static [Method] = OPERATIONS;

    fn init((): ()) -> Result<StoreServer, InitFailure> {
        Ok(StoreServer { objects: HashMap::new(), last: Self::ITSELF })
    }

    fn handle(&mut self, call: Call<'_>) -> Answer {
        function::answer(self, call)
    }
}
