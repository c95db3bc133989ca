//! Requests to the registry, and its replies: one packet each way.
//!
//! The first descriptor of a request is one end of a socket pair of which the asker keeps the other: that is
//! where the reply goes. So a request that gets no reply is a hang-up, whether it was dropped or the program
//! is gone.

use serde::{Deserialize, Serialize};

use crate::reactor::endpoint::Card;

/// The longest name, in bytes.
pub(crate) const NAME: usize = 255;

/// The longest name of a type: a bound against nonsense, generics are far from it.
pub(crate) const TYPE_NAME: usize = 4096;

/// How many names there can be, and how many memberships of groups.
pub(crate) const ENTRIES: usize = 65_536;

/// How many refs are in one reply.
pub(crate) const REFS: usize = 30;

/// How many bytes of names (about) are in one reply.
pub(crate) const LIST: usize = 16 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Of an actor or of a group: the two have separate name spaces.
    pub(crate) name: String,
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Wanted {
    Lookup {
        type_name: String,
    },
    /// Descriptors: those of the ref. `ticket` is that of a reservation, or 0.
    Register {
        type_name: String,
        card: Card,
        ticket: u64,
    },
    Unregister,
    /// Keeps the name for an actor that the asker is about to start, for as long as the asker keeps its end
    /// of the socket pair open.
    Reserve,
    /// The names behind this one.
    List,
    /// Descriptors: those of the ref.
    Join {
        type_name: String,
        card: Card,
    },
    Leave {
        id: u64,
    },
    /// The members behind this place.
    Members {
        type_name: String,
        after: u64,
    },
    /// The member whose turn it is.
    Pick {
        type_name: String,
    },
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// It is done; `true` if that changed anything.
    Done(bool),
    /// Descriptors: two for each. If `more` is not 0, there are others behind that place.
    Actors {
        cards: Vec<Card>,
        more: u64,
    },
    /// In order; if there are `more`, they are behind the last one.
    Names {
        list: Vec<Listing>,
        more: bool,
    },
    /// The number of the reservation.
    Reserved(u64),
    /// Another process is starting an actor of this name. Descriptor: hangs up when that has come to an end,
    /// good or bad.
    Wait,
    Refused(Refusal),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listing {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) pid: u32,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    NotFound,
    Taken {
        pid: u32,
    },
    WrongType {
        is: String,
    },
    /// The actor that was to be entered is gone.
    Dead,
    Full(Limit),
    /// The request cannot be served by any registry.
    Nonsense,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Limit {
    Names,
    Members,
    /// The program's: of descriptors or of mappings.
    Descriptors,
}

/// Whether this can be the name of an actor or of a group.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.len())
}

impl Limit {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Limit::Names => "65536 names",
            Limit::Members => "65536 memberships of groups",
            Limit::Descriptors => "the program's descriptors (RLIMIT_NOFILE)",
        }
    }
}
