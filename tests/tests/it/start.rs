//! Starting processes.

use phalanx::prelude::*;
use phalanx_tests::alone;

#[actor]
struct Echo;

#[actor]
impl Echo {
    fn echo(&self, text: String) -> String {
        text
    }
}

#[test]
fn an_actor_answers_from_a_process_of_its_own() {
    alone(|| {
        let echo = Echo.spawn().unwrap();
        assert_ne!(echo.pid().unwrap(), std::process::id());
        assert_eq!(echo.echo("hello".into()).wait().unwrap(), "hello");
    });
}
