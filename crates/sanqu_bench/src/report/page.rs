//! `docs/benchmarks.md`, whole, from the results.

use super::Results;

const INTRO: &str = "\
# Benchmarks

Made by `cargo xtask bench record --write-docs`; not edited by hand. Losing rows are shown as well.

**The load.** An own process, open loop: every sample has an instant at which it is due, and no sink can slow that down. A robot sends joint and motor telemetry at 500 Hz of 40 joints, ten rows a payload (Arrow IPC), and three cameras of
30 pictures a second, 20 000 bytes each (H.264 access units with real parameter sets and random slices). All values are random (53 of 64 bits of each float; every picture byte), no two payloads of a stream are alike, and every header carries
the checksum of what was sent. One zenoh session, that is one TCP connection over loopback, for each robot, with the wire contract's priorities and `Block`. Tiers: desk 2 robots, 8 robots, field 31 robots at the 28 stations of `assets/field/qingdao.toml`.

**Times.** Capture times are those of the schedule: a payload is due when its last row is captured, and its header has the capture time of its first row, 18 ms earlier. Lags count from the header's time, so a late generator or a blocked
network is in them. *Generator lag* is how late samples were made; nothing but the generator and this computer can hold it up, and a run in which it passes 100 ms is invalid. A robot's ring has room for 2 s: what the network does not take for longer
falls out, offered and lost. *Backlog* is the longest that samples waited in a ring.

**The sinks**, each a process with its own embedded zenoh router, so the router's work is in every sink's figures:
- *sanqu recorder*: `sanqu_record::Recorder`, an episode open at every station, journals flushed every 100 ms and fdatasynced every second.
- *bare writer (ours)*: the shortest zenoh -> MCAP program that we could write, source below; same periods, same durability class. It accounts for nothing.
- *ReductStore 1.21.5*: its own zenoh ingest, default settings, authentication off, log level error (its attachments are JSON; it would warn about every one of our headers). It has no setting for fdatasync and shows no time to durable; it does not keep the headers.

**CPU** is user + system time of the sink's process alone, from the first sample until it had nothing more to do, over the payload bytes that were offered. **Lost** is the truth on disk: after the run the files are read back (journals or, with
`--seal`, sealed and verified episodes; the MCAP file with a reader of its own and every checksum; ReductStore over HTTP) and compared stream by stream with what was offered. *Ledger* is what the recorder itself says it lost.

**Ramp**: all 31 robots, every stream's rate a quarter higher every 10 s. A step is carried when nothing of it is missing on disk, no sample waited in a ring for more than 1 s, and 99 of 100 were made within 100 ms of their time. Generator and sink share this computer's processors, so the end of the ramp is the end of both.

**SIGKILL**: 8 robots; the sink is killed at a seeded random moment 2 to 7 s after the first sample, its files are read back (the recorder's through `repair` as well, which must find the same rows), and the end of every stream is compared with
what was due 5 ms before the kill. Damage is a hole before the end, a file that does not open, or rows that differ after repair.
";

impl Results {
    /// The page.
    pub(crate) fn page(&self) -> String {
        let mut page = format!("{INTRO}\n## Results\n\n`sanqu-bench {}`\n\n{}\n", self.machine.command, self.machine_line());
        for (title, table) in self.tables() {
            page += &format!("### {title}\n\n{}\n", table.markdown());
        }
        let verdicts = self.verdicts();
        if !verdicts.is_empty() {
            page += "### What is asked of it\n\n";
            page.extend(verdicts.iter().map(|verdict| format!("- {verdict}\n")));
            page.push('\n');
        }
        page + "## The bare writer\n\n```rust\n" + include_str!("../bare.rs") + "```\n"
    }
}
