//! A plugin that ends its process, with success, when it is told `trouble`.

phalanx_plugins::export!(run);

fn run(input: &str) -> String {
    if input == "trouble" {
        std::process::exit(0);
    }
    input.chars().rev().collect()
}
