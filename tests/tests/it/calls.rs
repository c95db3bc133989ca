//! Asking and telling: from threads, from executors, with deadlines, through signals.
