//! The actor that keeps the names of a manager's services. Only processes of the manager send to it, and it
//! outlives the listener.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::RemoteError;
use super::protocol::{LONGEST_NAME, Shape};
use crate::actor::answer::Answer;
use crate::actor::any_ref::AnyRef;
use crate::actor::call::Call;
use crate::actor::message::InitCodec;
use crate::actor::raw_ref::RawRef;
use crate::actor::reply::Reply;
use crate::actor::traits::{Actor, ActorStruct, Calls, InitFailure};
use crate::types::method::Method;
use crate::types::options::Options;

/// A service.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) actor: AnyRef,
    pub(super) shape: Shape,
    /// For a queue: its capacity in items.
    pub(super) capacity: Option<u64>,
}

#[derive(Default)]
pub(super) struct Registry {
    entries: BTreeMap<String, Entry>,
    /// The address of the first listener, for the next one.
    address: Option<String>,
}

const ADD: u32 = 0;
const FIND: u32 = 1;
const LISTENING: u32 = 2;
const ADDRESS: u32 = 3;

/// Its messages.
#[derive(Clone)]
pub(super) struct RegistryCalls(RawRef);

impl RegistryCalls {
    pub(super) fn add(&self, name: &str, entry: Entry) -> Reply<(), RemoteError> {
        self.0.ask_result(ADD, (name.to_owned(), entry))
    }

    pub(super) fn find(&self, name: &str) -> Reply<Entry, RemoteError> {
        self.0.ask_result(FIND, name.to_owned())
    }

    pub(super) fn listening(&self, address: &str) -> Reply<()> {
        self.0.ask(LISTENING, address.to_owned())
    }

    pub(super) fn address(&self) -> Reply<Option<String>> {
        self.0.ask(ADDRESS, ())
    }
}

impl Calls for RegistryCalls {
    fn from_raw(raw: RawRef) -> RegistryCalls {
        RegistryCalls(raw)
    }

    fn raw(&self) -> &RawRef {
        &self.0
    }
}

impl ActorStruct for Registry {
    type Calls = RegistryCalls;
    const OPTIONS: Options = Options { name: Some("remote-names"), ..Options::DEFAULT };
}

impl Actor for Registry {
    type Init = ();
    const CODEC: InitCodec<()> = InitCodec::NEW;
    const METHODS: &'static [Method] =
        &[Method::ask("add"), Method::ask("find"), Method::ask("listening"), Method::ask("address")];

    fn init((): ()) -> Result<Registry, InitFailure> {
        Ok(Registry::default())
    }

    fn handle(&mut self, call: Call<'_>) -> Answer {
        match call.method() {
            ADD => call.ask_result(|(name, entry)| self.add(name, entry)),
            FIND => call.ask_result(|name| self.find(name)),
            LISTENING => call.ask(|address| self.address = Some(address)),
            ADDRESS => call.ask(|()| self.address.clone()),
            _ => call.unknown(),
        }
    }
}

impl Registry {
    fn add(&mut self, name: String, entry: Entry) -> Result<(), RemoteError> {
        let is_taken = self.entries.get(&name).is_some_and(|known| known.actor.is_alive());
        if is_taken || name.is_empty() || name.len() > LONGEST_NAME {
            return Err(RemoteError::NameTaken { name });
        }
        self.entries.insert(name, entry);
        Ok(())
    }

    fn find(&self, name: String) -> Result<Entry, RemoteError> {
        self.entries.get(&name).cloned().ok_or(RemoteError::UnknownName { name })
    }
}
