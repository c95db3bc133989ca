//! Plain values that users see and that cross processes: exit reasons, errors, `Down`, ids, methods, options.
//!
//! Never import anything that owns a descriptor, a lock, a thread or a static.

pub(crate) mod captureless;
pub(crate) mod down;
pub(crate) mod error;
pub(crate) mod escape;
pub(crate) mod exit;
pub(crate) mod id;
pub(crate) mod method;
pub(crate) mod name_error;
pub(crate) mod options;
pub(crate) mod output;
pub(crate) mod sealed;
pub(crate) mod spawn_error_kind;
