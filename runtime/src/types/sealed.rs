//! Keeps traits that only this crate implements from being implemented elsewhere, so that they can grow.

use std::ops::{Range, RangeInclusive};

/// No path leads here from outside of the crate.
pub trait Sealed {}

macro_rules! sealed {
    ($($type:ty)*) => { $(impl Sealed for $type {})* };
}

sealed! { u32 Range<u32> RangeInclusive<u32> usize Range<usize> RangeInclusive<usize> }
