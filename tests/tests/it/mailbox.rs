//! Mailboxes: order, capacity, and callers that do not read.
