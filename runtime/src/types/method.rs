//! What is known of a message before it is sent: its method.

use std::time::Duration;

/// One message of an actor.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Method {
    pub(crate) name: &'static str,
    pub(crate) deadline: Option<Duration>,
    /// How often a message of this method may be begun.
    pub(crate) attempts: u32,
    /// Its types, as its author wrote them: `(text: String) -> u64`.
    #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "other hosts are told"))]
    pub(crate) signature: &'static str,
}

impl Method {
    pub const fn ask(name: &'static str) -> Method {
        Method { name, deadline: None, attempts: 1, signature: "" }
    }

    pub const fn tell(name: &'static str) -> Method {
        Method { name, deadline: None, attempts: 1, signature: "" }
    }

    pub const fn signature(self, signature: &'static str) -> Method {
        Method { signature, ..self }
    }

    pub const fn deadline(self, deadline: Duration) -> Method {
        Method { deadline: Some(deadline), ..self }
    }

    /// A message may be handled again if the actor dies of it, so often in all.
    pub const fn idempotent(self, attempts: u32) -> Method {
        Method { attempts, ..self }
    }
}

/// The name of a method by its index.
pub(crate) fn method_name(methods: &'static [Method], index: u32) -> &'static str {
    methods.get(index as usize).map_or("?", |method| method.name)
}
