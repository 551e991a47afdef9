//! Networks that are slow, and networks that are gone for a while.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sanqu_record::StationStatus;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};

use super::bus::{Dice, Operator, Recorder, Shelf, pass, runtime};
use super::talker::{Log, Talker};
use super::truth::check_nothing_lost;
use crate::program::{Running, sanqu};

/// One that TCP outlasts, one that no session does, and one that is longer than a ring holds what has left.
const CUTS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(13), Duration::from_secs(35)];
const DELAY: Duration = Duration::from_millis(200);
const JITTER_MS: u64 = 60;
/// Pieces that are on their way at one time, in each direction.
const PIECES_MAX: usize = 4096;

/// A host of its own: a network namespace behind a virtual cable.
struct Host {
    name: String,
    cable: String,
    address: String,
}

impl Host {
    /// None, with a visible line, where this system does not allow it.
    fn make(test: &str) -> Option<Self> {
        let pid = std::process::id();
        let host =
            Self { name: format!("sanqu-{pid}"), cable: format!("sq{pid}"), address: format!("10.{}.{}", 200 + pid % 50, pid / 50 % 250) };
        let (name, cable, far) = (host.name.as_str(), host.cable.as_str(), format!("{}p", host.cable));
        let [near_address, far_address] = [1, 2].map(|end| format!("{}.{end}/30", host.address));
        let steps = [
            vec!["netns", "add", name],
            vec!["link", "add", cable, "type", "veth", "peer", "name", &far, "netns", name],
            vec!["addr", "add", &near_address, "dev", cable],
            vec!["link", "set", cable, "up"],
            vec!["-n", name, "addr", "add", &far_address, "dev", &far],
            vec!["-n", name, "link", "set", "lo", "up"],
            vec!["-n", name, "link", "set", &far, "up"],
        ];
        match steps.iter().try_for_each(|step| ip(step)) {
            Ok(()) => Some(host),
            Err(reason) => {
                assert!(std::env::var_os("SANQU_REQUIRE_NETNS").is_none(), "{test} needs network namespaces: {reason}");
                eprintln!("SKIPPED {test}: no network namespaces: {reason}");
                None
            }
        }
    }

    fn cut(&self) {
        ip(&["link", "set", &self.cable, "down"]).unwrap();
    }

    fn mend(&self) {
        ip(&["link", "set", &self.cable, "up"]).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // What was never made cannot be removed; the cable goes with the namespace.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// Whether every stream has brought something that was captured later.
fn has_newer(station: &StationStatus, than_ns: i64) -> bool {
    station.robots.iter().flat_map(|robot| &robot.streams).all(|stream| stream.last_capture_ns > Some(than_ns))
}

#[test]
fn a_network_that_is_cut_costs_nothing_once_it_is_back() {
    let Some(host) = Host::make("a_network_that_is_cut_costs_nothing_once_it_is_back") else { return };
    let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
    let listen = format!("tcp/{}.2:0", host.address);
    let running = Running::start_in(&host.name, ["record", "--store", shelf.text(), "--listen", &listen]);
    let recorder = Recorder::of(running);
    let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
    let talker = Talker::start(&runtime, &recorder.endpoint, ("kuavo-01", 95), &log);
    operator.heard("kuavo-01");
    let episode = operator.start();
    for cut in CUTS {
        operator.recording("kuavo-01", 50);
        host.cut();
        pass(&runtime, cut);
        host.mend();
        let mended_ns = log.sent().last().unwrap().capture_ns;
        operator.wait_for("rows of after the cut", |station| has_newer(station, mended_ns));
    }
    operator.stop_and_seal();
    talker.close();
    check_nothing_lost(&shelf.store(), episode, &log);
    sanqu(["verify", shelf.text()]).exits(0);
}

/// A line that takes its time: what goes in comes out later, each piece by another delay, in the same order.
struct SlowLine {
    endpoint: String,
}

impl SlowLine {
    fn open(runtime: &Arc<Runtime>, to: &str, seed: u64) -> Self {
        let to = to.trim_start_matches("tcp/").to_owned();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("tcp/{}", listener.local_addr().unwrap());
        runtime.spawn(async move {
            let mut dice = Dice::new(seed);
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(&to).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, dice.next()));
                tokio::spawn(carry(far_in, near_out, dice.next()));
            }
        });
        Self { endpoint }
    }
}

async fn carry(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf, seed: u64) {
    let (sender, mut pieces) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(PIECES_MAX);
    tokio::spawn(async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    let (mut dice, mut buffer) = (Dice::new(seed), vec![0; 64 << 10]);
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        let due = Instant::now() + DELAY + Duration::from_millis(dice.below(2 * JITTER_MS)) - Duration::from_millis(JITTER_MS);
        if sender.send((due, buffer[..bytes].to_vec())).await.is_err() {
            return;
        }
    }
}

#[test]
fn a_slow_line_makes_rows_late_and_loses_none() {
    let seed = sanqu_model::now_ns().unsigned_abs();
    eprintln!("seed {seed}");
    let (shelf, runtime, log) = (Shelf::new(), runtime(), Log::default());
    let recorder = Recorder::start(&shelf.path);
    let operator = Operator::join(&runtime, &recorder.endpoint, "c01");
    let line = SlowLine::open(&runtime, &recorder.endpoint, seed);
    let talker = Talker::start(&runtime, &line.endpoint, ("kuavo-01", 96), &log);
    operator.heard("kuavo-01");
    let episode = operator.start();
    operator.recording("kuavo-01", 60);
    operator.stop_and_seal();
    talker.close();
    let checked = check_nothing_lost(&shelf.store(), episode, &log);
    for (name, stream) in &checked.streams {
        let late_ms = stream.entry.clock.offset_ns / 1_000_000;
        assert!((100..2000).contains(&late_ms), "{name} was {late_ms} ms under way");
    }
    sanqu(["verify", shelf.text()]).exits(0);
}
