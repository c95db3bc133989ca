//! A plugin that follows a stray pointer when it is told `trouble`.

#![allow(unsafe_code, reason = "it does what it must not")]

phalanx_plugins::export!(run);

fn run(input: &str) -> String {
    if input == "trouble" {
        // SAFETY: none; this is the fault that is shown.
        unsafe { std::ptr::without_provenance_mut::<u64>(8).write_volatile(1) }
    }
    input.chars().rev().collect()
}
