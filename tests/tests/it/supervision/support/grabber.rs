//! A process that takes the descriptors of another one, as a debugger can: for what no actor of ours does by
//! itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// `pidfd_open`, then `pidfd_getfd` for every number; the same numbers on all architectures.
const GRAB: &str = r#"
    my ($pid, $rubbish) = @ARGV;
    my $process = syscall(434, $pid + 0, 0);
    exit 1 if $process < 0;
    my @held;
    opendir(my $list, "/proc/$pid/fd") or exit 1;
    for my $number (grep { /^\d+$/ && $_ > 2 } readdir $list) {
        my $copy = syscall(438, $process, $number + 0, 0);
        next if $copy < 0;
        open(my $handle, "+<&=", $copy) or next;
        push @held, $handle;
    }
    exit 1 unless @held;
    if ($rubbish) {
        srand($rubbish);
        $SIG{PIPE} = "IGNORE";
        for my $round (1 .. 40) {
            for my $handle (@held) {
                my $text = join "", map { chr int rand 256 } 1 .. (1 + int rand 300);
                $text = substr("$text\0\0\0\0\0\0\0\0", 0, 8) if $round % 4 == 0;
                my $bits = "";
                vec($bits, fileno($handle), 1) = 1;
                # Not where it would wait.
                syswrite($handle, $text) if select(undef, $bits, undef, 0);
            }
        }
    }
    $| = 1;
    print "done\n";
    sleep 1000 unless $rubbish;
"#;

/// Holds copies until it is dropped.
pub(crate) struct Grabber(Child);

impl Drop for Grabber {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn grab(pid: u32, rubbish: u32) -> Option<Grabber> {
    let mut perl = Command::new("perl");
    perl.args(["-e", GRAB, &pid.to_string(), &rubbish.to_string()]);
    let child = perl.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut grabber = Grabber(child.ok()?);
    let mut line = String::new();
    BufReader::new(grabber.0.stdout.take()?).read_line(&mut line).ok()?;
    (line == "done\n").then_some(grabber)
}

/// A process that holds all that this one has, for as long as the value lives; `None` where that is not
/// possible.
pub(crate) fn hold_descriptors_of(pid: u32) -> Option<Grabber> {
    grab(pid, 0)
}

/// Writes rubbish to everything that this process has open; returns whether that was possible.
pub(crate) fn spoil_descriptors_of(pid: u32, seed: u32) -> bool {
    grab(pid, seed.max(1)).is_some()
}
