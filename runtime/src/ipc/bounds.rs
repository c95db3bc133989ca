//! Bounds of a value: how deep it may be, how many bytes it may have, and how many items without bytes.
//!
//! The format has no bounds of its own, and a decoder believes what it reads: a few bytes can stand for 2^40
//! items, and a megabyte for a value too deep for any stack. So each value goes through
//! [`bounded_deserializer`](super::bounded_deserializer) on its way in, and through
//! [`bounded_serializer`](super::bounded_serializer) on its way out, which enforce one set of bounds: a
//! sender of too much gets an error, and a receiver is not hurt.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::sys::stack;

/// How deep a value may be, unless an actor says otherwise.
pub(crate) const DEPTH: u32 = 128;

/// How many bytes a message may have.
pub(crate) const BYTES: u64 = 1 << 30;

/// How many items without bytes a value may have.
const EMPTY: u64 = 1 << 20;

/// The stack for code that is given a deep value, beside what it takes to drop it.
const ROOM: usize = 8 << 20;

/// The largest depth that an actor may choose. A value that is too deep is looked into down to here, to say
/// how deep it is, and to drop it.
pub(crate) const SOUNDED: u32 = 100_000;

/// The error for any other depth.
pub(crate) const DEPTHS: &str = "the option `depth` is between 1 and 100000 levels";

/// How much stack it takes to drop one level, amply: 300 bytes for a box in an enum in a struct, in builds
/// without optimisation.
const TO_DROP: usize = 1024;

/// How deep the messages of this process may be, if it is an actor or a task.
static HERE: AtomicU32 = AtomicU32::new(DEPTH);

pub(crate) fn here() -> u32 {
    HERE.load(Relaxed)
}

/// Runs an actor or a task whose messages may be `depth` levels deep.
pub(crate) fn live<T>(depth: u32, run: impl FnOnce() -> T) -> T {
    HERE.store(depth, Relaxed);
    with_stack_for(depth, run)
}

/// Runs code that is given values of `depth` levels, with as much stack as it takes to drop them, if there is
/// memory for it.
pub(crate) fn with_stack_for<T>(depth: u32, run: impl FnOnce() -> T) -> T {
    if depth <= DEPTH {
        return run();
    }
    let mut run = Some(run);
    let mut go = || run.take().map(|run| run());
    let ran = stack::with(ROOM + depth as usize * TO_DROP, &mut go).unwrap_or_else(go);
    ran.unwrap_or_else(|| unreachable!("it runs once, on the one stack or on the other"))
}

/// Which bound a value exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    Depth,
    Bytes,
    Items,
    Stack,
}

/// The bounds of one value on its way, and what has been seen of it.
pub(super) struct Bounds {
    depth: u32,
    /// How deep it is, as far as it has been seen.
    deepest: Cell<u32>,
    items: Cell<u64>,
    /// How many bytes it has, as far as it has been seen.
    pub(super) bytes: Cell<u64>,
    excess: Cell<Option<Excess>>,
}

/// A position in a value.
#[derive(Clone, Copy)]
pub(super) struct Place<'b> {
    pub(super) bounds: &'b Bounds,
    level: u32,
    /// Directly in an option or a newtype. That is no level, unless it is directly in another one: otherwise
    /// they could go on for ever.
    thin: bool,
}

impl Bounds {
    pub(super) fn new(depth: u32, bytes: u64) -> Bounds {
        let (deepest, items, excess) = (Cell::new(0), Cell::new(0), Cell::new(None));
        Bounds { depth, deepest, items, bytes: Cell::new(bytes), excess }
    }

    pub(super) fn top(&self) -> Place<'_> {
        Place { bounds: self, level: 0, thin: false }
    }

    pub(super) fn exceed(&self, excess: Excess) {
        self.excess.set(Some(excess));
    }

    pub(super) fn excess(&self) -> Option<Excess> {
        self.excess.get()
    }

    pub(super) fn deepest(&self) -> u32 {
        self.deepest.get()
    }

    /// Counts another item of a sequence. `false` if there are too many that have no bytes.
    #[inline(always)]
    pub(super) fn item(&self) -> bool {
        let items = self.items.get() + 1;
        self.items.set(items);
        let few = items <= self.bytes.get() + EMPTY;
        if !few {
            self.exceed(Excess::Items);
        }
        few
    }

    /// Whether there can be so many items, each with at least one byte. A larger claim is no reason to make
    /// room.
    pub(super) fn may_have(&self, items: usize) -> bool {
        items as u64 <= self.bytes.get()
    }

    /// The error for this excess; `found` is how deep the value is, if that is known.
    pub(super) fn words(&self, excess: Excess, found: Option<u32>) -> String {
        let Bounds { depth, .. } = self;
        match excess {
            Excess::Depth => match found {
                Some(found) if found > SOUNDED => {
                    format!("it is more than {SOUNDED} levels deep, and may be {depth} (option `depth`)")
                }
                Some(found) => too_deep(found, *depth),
                None => format!("it is more than {depth} levels deep (option `depth`)"),
            },
            Excess::Bytes => format!("it has more than {BYTES} bytes (a `Blob` may have more)"),
            Excess::Items => format!("it has more than {EMPTY} items that have no bytes"),
            Excess::Stack => format!("no memory for the stack that it takes, at level {}", self.deepest()),
        }
    }
}

pub(crate) fn too_deep(found: u32, depth: u32) -> String {
    format!("it is {found} levels deep, and may be {depth} (option `depth`)")
}

impl<'b> Place<'b> {
    /// The position of the parts of what is here.
    #[inline(always)]
    pub(super) fn inside(self) -> Place<'b> {
        Place { level: self.level + 1, thin: false, ..self }
    }

    /// The position of what is in an option or newtype here.
    #[inline(always)]
    pub(super) fn through(self) -> Place<'b> {
        Place { level: self.level + u32::from(self.thin), thin: true, ..self }
    }

    /// Whether something with parts may be here.
    #[inline(always)]
    pub(super) fn has_level(self) -> bool {
        let bounds = self.bounds;
        if self.level >= bounds.deepest.get() {
            bounds.deepest.set(self.level + 1);
        }
        let allowed = self.level < bounds.depth;
        if !allowed {
            bounds.exceed(Excess::Depth);
        }
        allowed
    }

    /// Whether an option or newtype may be here.
    #[inline(always)]
    pub(super) fn has_thin_level(self) -> bool {
        !self.thin || self.has_level()
    }

    /// Runs `act` on a stack that has room for it. `None` if there is no such stack.
    #[inline(always)]
    pub(super) fn go<T>(self, act: impl FnOnce() -> T) -> Option<T> {
        // The reserve is for more than four levels.
        if !self.level.is_multiple_of(4) && !self.thin {
            return Some(act());
        }
        let done = stack::with_room(act);
        if done.is_none() {
            self.bounds.exceed(Excess::Stack);
        }
        done
    }
}

/// The error that serde carries through the value's own code. Its text is not shown: [`Bounds::words`] has
/// the words.
pub(super) struct Silent;

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much")
    }
}

/// Bounds for finding out how deep a value is that is too deep.
pub(super) fn sounding() -> Bounds {
    Bounds::new(SOUNDED, BYTES)
}

/// Drops a value of so many levels. That is recursive, as for every value, so it runs on a stack that is
/// large enough.
pub(crate) fn drop_deep<T>(value: T, levels: u32) {
    if levels <= DEPTH {
        return;
    }
    let mut value = Some(value);
    // Without memory for such a stack, and if the depth is not known, a leak hurts least.
    let dropped =
        levels <= SOUNDED && stack::with(levels as usize * TO_DROP, || drop(value.take())).is_some();
    if !dropped {
        tracing::warn!(levels, "a value is too deep to be dropped");
        std::mem::forget(value);
    }
}
