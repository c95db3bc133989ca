//! A plugin that is well.

phalanx_plugins::export!(run);

fn run(input: &str) -> String {
    input.to_uppercase()
}
