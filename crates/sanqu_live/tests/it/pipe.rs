//! `sanqu-live --arrow`: what is on the bus comes out of the pipe, and what does not is told.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use arrow_array::types::Float64Type;
use sanqu_ingest::{Node, RobotPublisher};
use sanqu_live::ArrowPipe;
use sanqu_model::{Id, Quantity, StreamDescription};
use sanqu_wire::pipe::{PipeDecoder, PipeItem, PipeKind};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, ENCODING_JPEG, encode_rows, fixed_list};

const PATIENCE: Duration = Duration::from_secs(20);
const BOOT: u64 = 7;

fn id(text: &str) -> Id {
    Id::new("id", text).unwrap()
}

fn descriptions() -> Vec<StreamDescription> {
    let names = ["shoulder".to_owned(), "finger".to_owned()];
    let describe = |stream: &str, encoding: &str, quantities| StreamDescription {
        stream: stream.parse().unwrap(),
        encoding: encoding.into(),
        rate_hz: 500.0,
        clock: 1,
        quantities,
        facts: [("fov_rad".to_owned(), "1.2".to_owned())].into(),
    };
    vec![
        describe("joint", ENCODING_ARROW, vec![Quantity::f64("pos", "rad", &names)]),
        describe("camera/head", ENCODING_H264, Vec::new()),
        describe("camera/wrist", ENCODING_JPEG, Vec::new()),
    ]
}

fn joint_payload(t_ns: i64, row: u32) -> Vec<u8> {
    let columns = vec![fixed_list::<Float64Type>(vec![f64::from(row), f64::NAN], 2).unwrap()];
    encode_rows(&descriptions()[0], &[t_ns], columns).unwrap()
}

struct Bus {
    router: Node,
    robot: Node,
}

impl Bus {
    async fn open() -> Self {
        let router = Node::router("tcp/127.0.0.1:0").await.unwrap();
        let robot = Node::client(&router.locators()[0]).await.unwrap();
        Self { router, robot }
    }

    async fn publisher(&self) -> RobotPublisher {
        RobotPublisher::declare(&self.robot, &id("desk"), &id("arm-01"), BOOT, descriptions()).await.unwrap()
    }

    async fn close(self) {
        self.robot.close().await.unwrap();
        self.router.close().await.unwrap();
    }
}

/// The real program, ended with the test.
struct Program(Child);

impl Program {
    fn start(bus: &Bus) -> Self {
        let field = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/field/desk.toml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sanqu-live"));
        command.args(["--arrow", "--connect", &bus.router.locators()[0], "--field"]).arg(field);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// What it said on stderr, once it has ended well.
    fn ended(&mut self) -> String {
        let mut said = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}: {said}");
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads items until `enough`; fails when the pipe ends before.
fn read_until(reader: &mut impl Read, mut enough: impl FnMut(&[PipeItem]) -> bool) -> Vec<PipeItem> {
    let (mut decoder, mut items, mut bytes) = (PipeDecoder::new().unwrap(), Vec::new(), vec![0; 65536]);
    while !enough(&items) {
        let count = reader.read(&mut bytes).unwrap();
        assert!(count > 0, "the pipe ended: {items:?}");
        decoder.feed(&bytes[..count]);
        while let Some(more) = decoder.next_items().unwrap() {
            items.extend(more);
        }
    }
    items
}

/// Puts samples of the joints until the reading thread is done: when a subscriber hears the first is not ours to say.
async fn put_until_read(robot: &RobotPublisher, reading: &tokio::task::JoinHandle<Vec<PipeItem>>) {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let mut row = 0;
    while !reading.is_finished() {
        let t_ns = sanqu_model::now_ns();
        robot.put(&"joint".parse().unwrap(), 1, t_ns, false, joint_payload(t_ns, row)).await.unwrap();
        let unit = [&[0, 0, 0, 1, if row == 0 { 0x65 } else { 0x41 }][..], &row.to_le_bytes()].concat();
        robot.put(&"camera/head".parse().unwrap(), 1, t_ns, row == 0, unit).await.unwrap();
        row += 1;
        tick.tick().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_robots_publish_comes_out_of_the_program_bit_for_bit() {
    let bus = Bus::open().await;
    let robot = bus.publisher().await;
    let mut program = Program::start(&bus);
    let mut stdout = program.0.stdout.take().unwrap();
    let of = |items: &[PipeItem], kind: PipeKind, stream: &str| -> Vec<PipeItem> {
        items.iter().filter(|item| item.kind == kind && item.stream.as_ref().map_or("", |s| s.as_str()) == stream).cloned().collect()
    };
    let reading = tokio::task::spawn_blocking(move || {
        let enough = |items: &[PipeItem]| {
            let has = |kind, stream: &str| items.iter().any(|i| i.kind == kind && i.stream.as_ref().is_some_and(|s| s.as_str() == stream));
            let alive = items.iter().any(|item| item.kind == PipeKind::Alive);
            alive && has(PipeKind::Described, "camera/head") && has(PipeKind::Sample, "joint") && has(PipeKind::Sample, "camera/head")
        };
        read_until(&mut stdout, enough)
    });
    tokio::time::timeout(PATIENCE, put_until_read(&robot, &reading)).await.expect("the program gave too little");
    let items = reading.await.unwrap();
    // The reader is gone: the program ends without complaint, though nobody tells it to.
    let said = tokio::task::spawn_blocking(move || program.ended());
    let said = tokio::time::timeout(PATIENCE, said).await.expect("the program did not end").unwrap();
    assert!(said.contains("0 dropped") && said.contains("0 unreadable"), "{said}");

    assert!(items.iter().all(|item| item.robot.as_ref().is_none_or(|robot| robot.as_str() == "arm-01")));
    let joints = of(&items, PipeKind::Sample, "joint");
    for pair in joints.windows(2) {
        assert_eq!((pair[1].boot, pair[1].seq), (Some(BOOT), pair[0].seq.map(|seq| seq + 1)));
    }
    for item in &joints {
        let row = u32::try_from(item.seq.unwrap()).unwrap();
        assert_eq!(item.payload, joint_payload(item.t_ns, row), "row {row} is not what was put");
        assert_eq!((item.rows, item.shift_ns, item.dropped, item.encoding.as_str()), (1, 0, 0, ENCODING_ARROW));
        assert!(item.recv_ns >= item.t_ns);
    }
    let frames = of(&items, PipeKind::Sample, "camera/head");
    assert!(frames.iter().all(|frame| frame.keyframe == (frame.seq == Some(0)) && frame.encoding == ENCODING_H264));
    let facts = of(&items, PipeKind::Described, "camera/head");
    assert_eq!(std::str::from_utf8(&facts[0].payload).unwrap(), "rate_hz=500\nfov_rad=1.2\n");
    robot.close().await.unwrap();
    bus.close().await;
}

/// A reader that takes nothing until it is told to.
#[derive(Clone, Default)]
struct Stuck(Arc<(Mutex<Taken>, Condvar)>);

#[derive(Default)]
struct Taken {
    free: bool,
    bytes: Vec<u8>,
}

impl Stuck {
    fn release(&self) {
        self.0.0.lock().unwrap().free = true;
        self.0.1.notify_all();
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = self.0.1.wait_while(self.0.0.lock().unwrap(), |taken| !taken.free);
        taken.unwrap().bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_reader_misses_is_counted_and_told() {
    const PICTURES: u64 = 60;
    let bus = Bus::open().await;
    let reader = Stuck::default();
    let pipe = ArrowPipe::start(&bus.router, &id("desk"), reader.clone()).await.unwrap();
    let robot = bus.publisher().await;
    for picture in 0..PICTURES {
        let t_ns = sanqu_model::now_ns();
        let bytes = vec![u8::try_from(picture).unwrap(); 1 << 20];
        robot.put(&"camera/wrist".parse().unwrap(), 1, t_ns, true, bytes).await.unwrap();
    }
    // Its end tells that everything before it has been sent.
    robot.close().await.unwrap();
    let arrived = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while pipe.samples() < PICTURES {
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.unwrap_or_else(|_| panic!("{} of {PICTURES} came", pipe.samples()));
    reader.release();
    let report = pipe.close().unwrap();
    let bytes = std::mem::take(&mut reader.0.0.lock().unwrap().bytes);
    let items = read_until(&mut bytes.as_slice(), |items| {
        items.iter().filter(|item| item.kind == PipeKind::Sample).any(|item| item.payload[0] == u8::try_from(PICTURES - 1).unwrap())
    });
    let samples: Vec<&PipeItem> = items.iter().filter(|item| item.kind == PipeKind::Sample).collect();
    let told: u64 = samples.iter().map(|item| item.dropped).sum();
    assert!(told > 20, "the queue holds 32 MiB, {PICTURES} MiB came, but only {told} were dropped");
    assert_eq!((samples.len() as u64 + told, report.samples, report.dropped), (PICTURES, samples.len() as u64, told));
    // Where something is told to be dropped, there the numbering has its hole.
    let mut next = 0;
    for sample in &samples {
        assert_eq!(sample.seq, Some(next + sample.dropped));
        next += sample.dropped + 1;
    }
    bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_passed_on_is_said_once() {
    let bus = Bus::open().await;
    let reader = Stuck::default();
    reader.release();
    let pipe = ArrowPipe::start(&bus.router, &id("desk"), reader.clone()).await.unwrap();
    let session = bus.robot.session();
    for _ in 0..3 {
        session.put("sanqu/desk/arm-01/joint", vec![1]).encoding(ENCODING_ARROW).attachment(vec![1_u8; 48]).await.unwrap();
    }
    session.put("sanqu/desk/arm-01/motor", vec![1]).encoding(ENCODING_ARROW).await.unwrap();
    let arrived = async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while pipe.samples() < 4 {
            tick.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, arrived).await.unwrap();
    let report = pipe.close().unwrap();
    assert_eq!((report.samples, report.unreadable, report.dropped), (1, 3, 0));
    let bytes = reader.0.0.lock().unwrap().bytes.clone();
    let items = read_until(&mut bytes.as_slice(), |items| items.iter().any(|item| item.kind == PipeKind::Sample));
    let troubles: Vec<&PipeItem> = items.iter().filter(|item| item.kind == PipeKind::Trouble).collect();
    assert_eq!(troubles.len(), 1, "{items:?}");
    assert!(String::from_utf8_lossy(&troubles[0].payload).contains("checksum"));
    let bare = items.iter().find(|item| item.kind == PipeKind::Sample).unwrap();
    assert_eq!(
        (bare.boot, bare.seq, bare.rows, bare.t_ns),
        (None, None, 0, bare.recv_ns),
        "without a header nothing is known but the arrival"
    );
    bus.close().await;
}
