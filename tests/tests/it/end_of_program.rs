//! How programs end: daemons, tasks, actors, Ctrl-C.
