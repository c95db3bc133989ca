//! What travels, how large it may be, and what happens when it cannot.
