//! What is asked of the registry, and what it answers: one packet each way.
//!
//! With a request travels, first of all, one end of a socket pair of which the asker keeps the other: that is where the answer
//! goes. So a request that nobody will answer is a hang-up, whether it was dropped or the program is gone.

use serde::{Deserialize, Serialize};

use crate::reactor::endpoint::Card;

/// The longest name, in bytes.
pub(crate) const NAME: usize = 255;

/// The longest name of a type: a bound against nonsense, generics are far from it.
pub(crate) const TYPE_NAME: usize = 4096;

/// How many names there can be, and how many memberships of groups.
pub(crate) const ENTRIES: usize = 65_536;

/// How many refs are in one answer.
pub(crate) const REFS: usize = 30;

/// How many bytes of names (about) are in one answer.
pub(crate) const LIST: usize = 16 * 1024;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// Of an actor or of a group: two worlds.
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
    /// The name is for somebody whom the asker is about to start, for as long as it keeps its end of the socket pair open.
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
    /// So it is now; and whether it was different before.
    Done(bool),
    /// Descriptors: two for each. If `more` is not 0, there are others behind that place.
    Actors {
        cards: Vec<Card>,
        more: u64,
    },
    /// In order; if there are `more`, behind the last one.
    Names {
        list: Vec<Listing>,
        more: bool,
    },
    /// The number of the reservation.
    Reserved(u64),
    /// Somebody else starts an actor of this name. Descriptor: hangs up when that has come to an end, good or bad.
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
    /// What was asked cannot be.
    Nonsense,
}

/// What is used up.
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
