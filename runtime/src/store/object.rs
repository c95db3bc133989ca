//! A handle of an object in a store, without the operations of its type.

use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Store;
use super::error::StoreError;
use super::server::{Fault, Operation, StoreServer};
use crate::actor::actor_ref::ActorRef;
use crate::ipc::codec::Portable;
use crate::store::function::Head;
use crate::types::captureless::Captureless;
use crate::types::error::{At, CallError};

/// An object of type `S`.
pub(super) struct Object<S> {
    server: ActorRef<StoreServer>,
    id: u64,
    /// How long to wait for a reply, if set by [`within`](Object::within).
    within: Option<Duration>,
    kind: PhantomData<fn() -> S>,
}

impl<S: 'static> Object<S> {
    pub(super) fn new(server: ActorRef<StoreServer>, id: u64) -> Object<S> {
        Object { server, id, within: None, kind: PhantomData }
    }

    /// Runs a function on the object, in the store's process.
    pub(super) fn call<F, A, T>(&self, operation: Operation, function: F, args: A) -> Result<T, StoreError>
    where
        F: FnOnce(&mut S, A) -> T + Captureless,
        A: Portable,
        T: Portable,
    {
        let method = operation as u32;
        let Some(head) = Head::of::<StoreServer, S, F, A, T>(function, self.id) else {
            let at = At::new(
                &self.server.name().into(),
                (self.server.pid().unwrap_or_default(), self.server.incarnation()),
                "call",
                None,
            );
            let error = "the function's code is not in the program's executable but in a shared library";
            return Err(StoreError::Call(CallError::Codec(error.to_owned(), at)));
        };
        let reply = match self.within {
            Some(limit) => self.server.within(limit).0.ask_result::<_, T, Fault>(method, (head, args)),
            None => self.server.raw().ask_result::<_, T, Fault>(method, (head, args)),
        };
        reply.wait().map_err(StoreError::from)
    }

    pub(super) fn within(&self, limit: Duration) -> Object<S> {
        Object { within: Some(limit), ..self.clone() }
    }

    pub(super) fn store(&self) -> Store {
        Store { server: self.server.clone() }
    }

    /// Deletes the object; returns whether it was there.
    pub(super) fn delete(&self) -> Result<bool, StoreError> {
        let shelf = Object::<StoreServer> { within: self.within, ..self.store().shelf() };
        shelf.call(Operation::Delete, |server, id| server.delete(id), self.id)
    }

    /// "of `store`, process 4711", for `Debug`.
    pub(super) fn place(&self) -> String {
        format!("{} of {}", self.id, self.server)
    }
}

impl<S> Clone for Object<S> {
    fn clone(&self) -> Object<S> {
        Object { server: self.server.clone(), id: self.id, within: self.within, kind: PhantomData }
    }
}

impl<S> PartialEq for Object<S> {
    fn eq(&self, other: &Object<S>) -> bool {
        (&self.server, self.id) == (&other.server, other.id)
    }
}

impl<S> std::hash::Hash for Object<S> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (&self.server, self.id).hash(state);
    }
}

impl<S> Serialize for Object<S> {
    fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        (&self.server, self.id).serialize(serializer)
    }
}

impl<'de, S: 'static> Deserialize<'de> for Object<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<S>, D::Error> {
        Deserialize::deserialize(deserializer).map(|(server, id)| Object::new(server, id))
    }
}

/// The methods and traits that all handles share, for a `Handle<T, ..>` with an `object`.
macro_rules! handle {
    ($handle:ident<$($parameter:ident),*> of $object:ty, where $($bounds:tt)*) => {
        impl<$($parameter),*> $handle<$($parameter),*> where $($bounds)* {
            pub(super) fn of(object: Object<$object>) -> Self {
                $handle { object }
            }

            /// Another handle of this object, whose operations have a time-out of their own. The time-out
            /// does not travel with it.
            pub fn within(&self, limit: std::time::Duration) -> Self {
                $handle { object: self.object.within(limit) }
            }

            /// The store that holds it.
            pub fn store(&self) -> $crate::store::Store {
                self.object.store()
            }

            /// Deletes it from its store; returns whether it was still there. All its handles return
            /// [`StoreError::Deleted`] from then on.
            ///
            /// # Errors
            /// See [`StoreError`].
            pub fn delete(self) -> Result<bool, StoreError> {
                self.object.delete()
            }
        }

        impl<$($parameter),*> Clone for $handle<$($parameter),*> {
            fn clone(&self) -> Self {
                $handle { object: self.object.clone() }
            }
        }

        /// Whether both mean the same object.
        impl<$($parameter),*> PartialEq for $handle<$($parameter),*> {
            fn eq(&self, other: &Self) -> bool {
                self.object == other.object
            }
        }

        impl<$($parameter),*> Eq for $handle<$($parameter),*> {}

        impl<$($parameter),*> std::hash::Hash for $handle<$($parameter),*> {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.object.hash(state);
            }
        }

        impl<$($parameter),*> std::fmt::Debug for $handle<$($parameter),*> where $($bounds)* {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($handle), "({})"), self.object.place())
            }
        }

        impl<$($parameter),*> serde::Serialize for $handle<$($parameter),*> {
            fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.object.serialize(serializer)
            }
        }

        impl<'de, $($parameter: 'static),*> serde::Deserialize<'de> for $handle<$($parameter),*> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                serde::Deserialize::deserialize(deserializer).map(|object| $handle { object })
            }
        }
    };
}
pub(super) use handle;
