//! The running field in the viewer, through the real programs: simulation, recorder, `sanqu-live` and `sanqu-replay`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sanqu_store::Store;
use sanqu_wire::RowsReader;
use sanqu_wire::pipe::{PipeDecoder, PipeItem, PipeKind};

use crate::program::{Running, assets, recorder, sanqu};

/// A program that stands beside `sanqu`; none when it was not built.
fn sibling(name: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_BIN_EXE_sanqu")).with_file_name(name);
    if file.is_file() {
        return Some(file);
    }
    eprintln!("skipped: {} was not built", file.display());
    None
}

/// Killed when the test ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn field() -> PathBuf {
    assets().join("field/desk.toml")
}

/// Joint positions by boot and sequence of a row.
type Rows = BTreeMap<(u64, u64), Vec<u64>>;

fn rows_of(items: &[PipeItem]) -> Rows {
    let (mut reader, mut rows) = (RowsReader::default(), Rows::new());
    for item in items {
        let payload = reader.read(&item.payload).unwrap();
        let place = payload.quantities().iter().position(|quantity| quantity.name == "pos").unwrap();
        let width = payload.quantities()[place].elements.len();
        let (values, _) = payload.values(place).as_chunks();
        let values: Vec<u64> = values.iter().map(|value| f64::from_le_bytes(*value).to_bits()).collect();
        let numbers = item.seq.unwrap()..;
        rows.extend(numbers.zip(values.chunks(width)).map(|(seq, row)| ((item.boot.unwrap(), seq), row.to_vec())));
    }
    rows
}

#[test]
fn the_pipe_has_the_joints_that_the_recorder_records() {
    let Some(program) = sibling("sanqu-live") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (_recorder, endpoint) = recorder(&store, &[]);
    let _sim = Running::start(["sim", "--robots", "walker-s-01", "--connect", &endpoint]);
    let mut pipe = Command::new(program);
    pipe.args(["--arrow", "--connect", &endpoint, "--field"]).arg(field()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut pipe = Ended(pipe.spawn().unwrap());
    let mut stdout = pipe.0.stdout.take().unwrap();
    let (mut decoder, mut bytes) = (PipeDecoder::new().unwrap(), vec![0; 1 << 16]);
    let mut joints: Vec<PipeItem> = Vec::new();
    let mut read_to = |joints: &mut Vec<PipeItem>, count: usize| {
        while joints.len() < count {
            let read = stdout.read(&mut bytes).unwrap();
            assert!(read > 0, "the pipe ended after {} payloads of joints", joints.len());
            decoder.feed(&bytes[..read]);
            while let Some(items) = decoder.next_items().unwrap() {
                let of_joints =
                    |item: &PipeItem| item.kind == PipeKind::Sample && item.stream.as_ref().is_some_and(|s| s.as_str() == "joint");
                joints.extend(items.into_iter().filter(of_joints));
            }
        }
    };
    // The robot is there.
    read_to(&mut joints, 10);
    let station = ["--station", "a01", "--connect", &endpoint];
    sanqu([&["episode", "start", "--task", "inspect-vehicle", "--operator", "op-01"][..], &station].concat()).exits(0);
    let begun = joints.len();
    read_to(&mut joints, begun + 60);
    sanqu([&["episode", "stop", "--outcome", "success", "--wait"][..], &station].concat()).exits(0);
    let ended = joints.len();
    read_to(&mut joints, ended + 10);
    let sealed = sanqu(["info", "last", "--store", store.to_str().unwrap(), "--json"]).exits(0).json();
    let boot: u64 = sealed["streams"][0]["boots"][0].as_str().unwrap().parse().unwrap();

    let episode = Store::open(&store).unwrap().find("last").unwrap();
    let stream = episode.manifest().streams.iter().find(|stream| stream.stream.as_str() == "joint").unwrap().clone();
    let recorded = episode.series(&stream, "pos").unwrap();
    let first_seq = first_seq(&episode, &stream);
    let piped = rows_of(&joints);
    let compared = (0..recorded.rows()).filter(|row| {
        let bits: Vec<u64> = recorded.row(*row).iter().map(|value| value.to_bits()).collect();
        let key = (boot, first_seq + u64::try_from(*row).unwrap());
        piped.get(&key).is_some_and(|values| {
            assert_eq!(values, &bits, "row {row}");
            true
        })
    });
    let compared = compared.count();
    assert!(compared >= 500, "only {compared} rows are in both");
}

fn first_seq(episode: &sanqu_store::Episode, stream: &sanqu_model::StreamEntry) -> u64 {
    use arrow_array::cast::AsArray as _;
    let batch = episode.read(stream, Some(&[sanqu_model::SEQ])).unwrap().next().unwrap().unwrap();
    batch.column(0).as_primitive::<arrow_array::types::UInt64Type>().value(0)
}

#[test]
fn a_still_of_the_running_field_is_drawn_and_nothing_is_left_running() {
    if sibling("sanqu-live").is_none() || sibling("sanqu-replay").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (_recorder, endpoint) = recorder(&folder.path().join("store"), &[]);
    let out = folder.path().join("now.png");
    let draw = |more: &[&str]| {
        let field = field();
        let fixed = ["replay", "--live", "--connect", &endpoint, "--field", field.to_str().unwrap(), "--render", out.to_str().unwrap()];
        sanqu([&fixed[..], &["--size", "160x90"], more].concat())
    };
    let said = draw(&[]);
    if said.stderr.contains("no Vulkan adapter") {
        eprintln!("skipped: no Vulkan adapter");
        return;
    }
    said.exits(1).complains(&["no robot of field desk has come", "walker-s-01, kuavo-01", "sanqu-live --arrow", &endpoint]);
    let _sim = Running::start(["sim", "--robots", "kuavo-01", "--connect", &endpoint]);
    let said = draw(&["--plain"]).exits(0);
    assert!(said.stdout.contains("now.png") && std::fs::read(&out).unwrap().starts_with(b"\x89PNG"), "{}", said.stderr);
    assert!(!said.stderr.contains("warning"), "{}", said.stderr);
}

#[test]
fn a_field_with_keys_is_drawn_with_those_of_a_viewer_only() {
    if sibling("sanqu-live").is_none() || sibling("sanqu-replay").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys = crate::keys::keys(folder.path());
    let all = keys.to_str().unwrap();
    let (_recorder, endpoint, said) = crate::keys::recorder(folder.path(), all);
    let _sim = Running::start(["sim", "--robots", "kuavo-01", "--connect", &endpoint, "--keys", all]);
    let (field, out) = (field(), folder.path().join("now.png"));
    let draw = |more: &[&str]| {
        let fixed = ["replay", "--live", "--connect", &endpoint, "--field", field.to_str().unwrap(), "--render", out.to_str().unwrap()];
        sanqu([&fixed[..], &["--size", "160x90", "--plain"], more].concat())
    };
    let (viewer, robot) = (keys.join("viewer-wall-1"), keys.join("robot-kuavo-01"));
    let drawn = draw(&["--keys", viewer.to_str().unwrap()]);
    if drawn.stderr.contains("no Vulkan adapter") {
        eprintln!("skipped: no Vulkan adapter");
        return;
    }
    // It ends well only when every robot that announces itself has sent its joints.
    let drawn = drawn.exits(0);
    assert!(drawn.stdout.contains("now.png") && std::fs::read(&out).unwrap().starts_with(b"\x89PNG"), "{}", drawn.stderr);
    assert!(!drawn.stderr.contains("warning"), "{}", drawn.stderr);

    std::fs::remove_file(&out).unwrap();
    draw(&[]).exits(1).complains(&["sanqu-live: without --keys (the keys of a viewer): cannot connect to", &endpoint]);
    let text = std::fs::read_to_string(&said).unwrap();
    assert!(text.contains("a connection was refused"), "the recorder should say so:\n{text}");
    draw(&["--keys", robot.to_str().unwrap()]).exits(1).complains(&["these are the keys of robot:kuavo-01", "a viewer"]);
    let nowhere = folder.path().join("nowhere");
    draw(&["--keys", nowhere.to_str().unwrap()]).exits(1).complains(&["sanqu-live: ", "nowhere"]);
    assert!(!out.exists(), "a picture of a field that was not seen");
}

#[test]
fn what_cannot_be_followed_says_why() {
    if sibling("sanqu-live").is_none() || sibling("sanqu-replay").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("now.png");
    let draw = |more: &[&str]| sanqu([&["replay", "--live", "--render", out.to_str().unwrap()][..], more].concat());
    let field = field();
    let said = draw(&["--field", field.to_str().unwrap(), "--connect", "tcp/127.0.0.1:1"]);
    if !said.stderr.contains("no Vulkan adapter") {
        said.exits(1).complains(&["sanqu-live", "127.0.0.1:1"]);
    }
    let said = draw(&["--field", "atlantis"]).exits(1).complains(&["atlantis"]);
    assert!(said.stdout.is_empty());
    draw(&["some-episode"]).exits(2).complains(&["--live"]);
}
