//! A plugin that aborts, as C's `assert` does, when it is told `trouble`.

phalanx_plugins::export!(run);

fn run(input: &str) -> String {
    if input == "trouble" {
        std::process::abort();
    }
    input.chars().rev().collect()
}
