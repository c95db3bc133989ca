//! A plugin that takes memory until there is none when it is told `trouble`.

phalanx_plugins::export!(run);

fn run(input: &str) -> String {
    if input == "trouble" {
        loop {
            std::hint::black_box(vec![1_u8; 1 << 20].leak());
        }
    }
    input.chars().rev().collect()
}
