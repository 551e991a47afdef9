//! Networks that are slow.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};

use super::bus::{Dice, Operator, Recorder, Shelf, runtime};
use super::talker::{Log, Talker};
use super::truth::check_nothing_lost;
use crate::program::sanqu;

const DELAY: Duration = Duration::from_millis(200);
const JITTER_MS: u64 = 60;
/// Pieces that are on their way at one time, in each direction.
const PIECES_MAX: usize = 4096;

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
