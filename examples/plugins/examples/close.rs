//! A plugin that closes descriptors which are not its own when it is told `trouble`.

#![allow(unsafe_code, reason = "it does what it must not")]

phalanx_plugins::export!(run);

unsafe extern "C" {
    safe fn close(descriptor: i32) -> i32;
}

fn run(input: &str) -> String {
    if input == "trouble" {
        for descriptor in 3..64 {
            // That they are those of others is the fault that is shown.
            close(descriptor);
        }
    }
    input.chars().rev().collect()
}
