//! A plugin that writes beyond its buffer, until the system stops it, when it is told `trouble`.

#![allow(unsafe_code, reason = "it does what it must not")]

phalanx_plugins::export!(run);

fn run(input: &str) -> String {
    if input == "trouble" {
        let buffer = vec![0_u8; 16].leak().as_mut_ptr();
        for at in 0.. {
            // SAFETY: none beyond the first 16 bytes; this is the fault that is shown.
            unsafe { buffer.wrapping_add(at).write_volatile(0xff) }
        }
    }
    input.chars().rev().collect()
}
