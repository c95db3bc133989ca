//! A plugin that writes into descriptors which are not its own when it is told `trouble`.

#![allow(unsafe_code, reason = "it does what it must not")]

phalanx_plugins::export!(run);

unsafe extern "C" {
    fn write(descriptor: i32, bytes: *const u8, len: usize) -> isize;
}

fn run(input: &str) -> String {
    if input == "trouble" {
        for descriptor in 3..64 {
            // SAFETY: the system reads the bytes, which are there. That the descriptors are those of others
            // is the fault that is shown.
            unsafe { write(descriptor, [0xff_u8; 100].as_ptr(), 100) };
        }
    }
    input.chars().rev().collect()
}
