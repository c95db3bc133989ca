//! A plugin that never returns when it is told `trouble`.

phalanx_plugins::export!(run);

fn run(input: &str) -> String {
    if input == "trouble" {
        loop {
            std::hint::spin_loop();
        }
    }
    input.chars().rev().collect()
}
