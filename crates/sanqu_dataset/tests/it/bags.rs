//! Bags made by hand, for what real ones do not have: damage, other compressions, gaps.

/// Builds a bag of one chunk with `/kuavo_arm_traj` messages.
pub(crate) struct BagMaker {
    pub(crate) messages: Vec<(u32, u64, Vec<f64>)>,
    pub(crate) topic: &'static str,
}

const DEFINITION: &str = "Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort\n\
    ================================================================================\nMSG: std_msgs/Header\nuint32 seq\ntime stamp\nstring frame_id\n";

fn record(fields: &[(&str, &[u8])], data: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    for (name, value) in fields {
        header.extend(u32::try_from(name.len() + 1 + value.len()).unwrap().to_le_bytes());
        header.extend(name.as_bytes());
        header.push(b'=');
        header.extend(*value);
    }
    let mut out = u32::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    out.extend(header);
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(data);
    out
}

fn time(ns: u64) -> Vec<u8> {
    let (secs, nanos) = (u32::try_from(ns / 1_000_000_000).unwrap(), u32::try_from(ns % 1_000_000_000).unwrap());
    [secs.to_le_bytes(), nanos.to_le_bytes()].concat()
}

fn joint_state(seq: u32, stamp_ns: u64, degrees: &[f64]) -> Vec<u8> {
    let mut out = seq.to_le_bytes().to_vec();
    out.extend(time(stamp_ns));
    out.extend([0; 4]); // frame_id
    out.extend([0; 4]); // name
    out.extend(u32::try_from(degrees.len()).unwrap().to_le_bytes());
    out.extend(degrees.iter().flat_map(|v| v.to_le_bytes()));
    out.extend([0; 8]); // velocity, effort
    out
}

impl BagMaker {
    fn connection(&self) -> Vec<u8> {
        let fields: Vec<u8> = [
            ("topic", self.topic.as_bytes()),
            ("type", b"sensor_msgs/JointState"),
            ("md5sum", b"3066dcd76a6cfaef579bd0f34173e9fd"),
            ("message_definition", DEFINITION.as_bytes()),
        ]
        .iter()
        .flat_map(|(name, value)| {
            let mut field = u32::try_from(name.len() + 1 + value.len()).unwrap().to_le_bytes().to_vec();
            field.extend(name.as_bytes());
            field.push(b'=');
            field.extend(*value);
            field
        })
        .collect();
        record(&[("op", &[7]), ("conn", &[0; 4]), ("topic", self.topic.as_bytes())], &fields)
    }

    /// The bag's bytes; `pack` turns the chunk's content into (compression, packed bytes).
    pub(crate) fn bytes(&self, pack: impl Fn(&[u8]) -> (&'static str, Vec<u8>)) -> Vec<u8> {
        let mut content = self.connection();
        for (seq, stamp_ns, degrees) in &self.messages {
            let recv = time(stamp_ns + 1000);
            content.extend(record(&[("op", &[2]), ("conn", &[0; 4]), ("time", &recv)], &joint_state(*seq, *stamp_ns, degrees)));
        }
        let (compression, packed) = pack(&content);
        let size = u32::try_from(content.len()).unwrap().to_le_bytes();
        let chunk = record(&[("op", &[5]), ("compression", compression.as_bytes()), ("size", &size)], &packed);
        let mut out = b"#ROSBAG V2.0\n".to_vec();
        let header = |index_pos: u64| {
            record(
                &[("op", &[3]), ("index_pos", &index_pos.to_le_bytes()), ("conn_count", &[1, 0, 0, 0]), ("chunk_count", &[1, 0, 0, 0])],
                &[b' '; 8],
            )
        };
        let index_pos = (out.len() + header(0).len() + chunk.len()) as u64;
        out.extend(header(index_pos));
        out.extend(chunk);
        out.extend(self.connection());
        out
    }

    pub(crate) fn plain(&self) -> Vec<u8> {
        self.bytes(|content| ("none", content.to_vec()))
    }
}
