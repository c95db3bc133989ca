//! What the cases use: workers, the stage that shows what they do, and a process that takes descriptors.

pub(crate) mod grabber;
pub(crate) mod stage;
mod worker;
