//! Payloads that nothing can compress and that parse: made once, then copied with the capture times of the moment.

use anyhow::{Context as _, Result};
use arrow_array::ArrayRef;
use arrow_array::types::{Float64Type, UInt32Type};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use sanqu_model::{Quantity, StreamDescription, StreamName, ValueType};
use sanqu_wire::{CLOCK_ROBOT, ENCODING_ARROW, ENCODING_H264, encode_rows, fixed_list};

use crate::plan::{GOP, JOINTS, Kind, PICTURE_BYTES, ROWS_PER_PAYLOAD};

/// Payloads of each kind that are made beforehand.
const TEMPLATES: usize = 64;
/// Key frames that are made beforehand; one in [`GOP`] pictures is one.
const KEY_TEMPLATES: usize = 8;

/// Parameter sets as x264 wrote them for 320 x 240 pixels.
const SPS: &[u8] = b"\x67\x42\xc0\x0d\xd9\x01\x41\xfb\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\xc0\xf1\x42\xa4\x80";
const PPS: &[u8] = b"\x68\xcb\x83\xcb\x20";
/// First macroblock 0, slice type 7 (I), parameter set 0.
const IDR_SLICE: &[u8] = b"\x65\x88\x80";
/// First macroblock 0, slice type 5 (P), parameter set 0.
const P_SLICE: &[u8] = b"\x41\x9a\x80";
const START_CODE: &[u8] = b"\0\0\0\x01";
/// Where a picture's number is written, counted from its end.
const NUMBER_FROM_END: usize = 64;

/// Payloads of one kind.
pub(crate) struct Pool {
    templates: Vec<Vec<u8>>,
    keyframes: Vec<Vec<u8>>,
    /// Where the rows' capture times are in each template.
    times_at: Vec<usize>,
}

impl Pool {
    /// Makes the templates; the same seed makes the same.
    pub(crate) fn new(kind: Kind, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(match kind {
            Kind::Joint => 1,
            Kind::Motor => 2,
            Kind::Camera => 3,
        });
        if kind == Kind::Camera {
            let mut pictures = |count, is_key| (0..count).map(|_| access_unit(&mut rng, is_key)).collect();
            return Ok(Self { templates: pictures(TEMPLATES, false), keyframes: pictures(KEY_TEMPLATES, true), times_at: Vec::new() });
        }
        let description = description(kind, "joint".parse()?);
        let (mut templates, mut times_at) = (Vec::new(), Vec::new());
        for _ in 0..TEMPLATES {
            // Random times stand in for the real ones and are found again by their bytes.
            let t_ns: Vec<i64> = (0..ROWS_PER_PAYLOAD).map(|_| (rng.next_u64() >> 1).cast_signed()).collect();
            let payload = encode_rows(&description, &t_ns, columns(&mut rng, &description)?)?;
            let times: Vec<u8> = t_ns.iter().flat_map(|t| t.to_le_bytes()).collect();
            times_at.push(payload.windows(times.len()).position(|bytes| bytes == times).context("no times in the payload")?);
            templates.push(payload);
        }
        Ok(Self { templates, keyframes: Vec::new(), times_at })
    }

    /// Sample `number` of a stream, and whether it is a key frame. Its rows were captured at `first_ns` and then every
    /// `row_ns`; a picture carries its number, so that no two of a stream are alike.
    pub(crate) fn payload(&self, number: u64, first_ns: i64, row_ns: i64) -> (Vec<u8>, bool) {
        let pick = |count: usize| usize::try_from(number % count.max(1) as u64).unwrap_or(0);
        if self.times_at.is_empty() {
            let is_key = number.is_multiple_of(GOP);
            let pictures = if is_key { &self.keyframes } else { &self.templates };
            let mut payload = pictures[pick(pictures.len())].clone();
            let at = payload.len() - NUMBER_FROM_END;
            // Seven bits a byte under a set bit: the number can make no start code.
            for (place, byte) in payload[at..at + 8].iter_mut().enumerate() {
                *byte = 0x80 | u8::try_from((number >> (7 * place)) & 0x7f).unwrap_or(0);
            }
            return (payload, is_key);
        }
        let picked = pick(self.templates.len());
        let mut payload = self.templates[picked].clone();
        let times = payload[self.times_at[picked]..].chunks_exact_mut(8).take(ROWS_PER_PAYLOAD as usize);
        for (bytes, row) in times.zip(0..) {
            bytes.copy_from_slice(&(first_ns + row * row_ns).to_le_bytes());
        }
        (payload, false)
    }
}

/// How a stream of this kind describes itself.
pub(crate) fn description(kind: Kind, stream: StreamName) -> StreamDescription {
    let elements: Vec<String> = (0..JOINTS).map(|joint| format!("bench_{joint:02}_joint")).collect();
    let f64 = |name, unit| Quantity::f64(name, unit, &elements);
    let quantities = match kind {
        Kind::Joint => vec![f64("pos", "rad"), f64("vel", "rad/s"), f64("effort", "N·m")],
        Kind::Motor => {
            let err = Quantity { value_type: ValueType::U32, ..f64("err", "") };
            vec![f64("pos", "rad"), f64("vel", "rad/s"), f64("current", "A"), f64("torque", "N·m"), f64("temp", "°C"), err]
        }
        Kind::Camera => Vec::new(),
    };
    let facts = if kind == Kind::Camera { vec![("width", "320"), ("height", "240")] } else { Vec::new() };
    StreamDescription {
        stream,
        encoding: if kind == Kind::Camera { ENCODING_H264 } else { ENCODING_ARROW }.to_owned(),
        rate_hz: if kind == Kind::Camera { 30.0 } else { 500.0 },
        clock: CLOCK_ROBOT,
        quantities,
        facts: facts.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect(),
    }
}

fn columns(rng: &mut ChaCha8Rng, description: &StreamDescription) -> Result<Vec<ArrayRef>> {
    let count = ROWS_PER_PAYLOAD as usize * JOINTS;
    let mut columns = Vec::new();
    for quantity in &description.quantities {
        columns.push(match quantity.value_type {
            ValueType::U32 => fixed_list::<UInt32Type>((0..count).map(|_| rng.next_u32()).collect(), JOINTS)?,
            _ => fixed_list::<Float64Type>((0..count).map(|_| value(rng)).collect(), JOINTS)?,
        });
    }
    Ok(columns)
}

/// A number in -4..4 with 53 random bits: sign, mantissa; only the exponent is tame, so that statistics stay finite.
fn value(rng: &mut ChaCha8Rng) -> f64 {
    let bits = rng.next_u64();
    let magnitude = f64::from_bits((bits >> 12) | 0x3ff0_0000_0000_0000) * 2.0;
    if bits & 1 == 0 { magnitude } else { -magnitude }
}

/// One H.264 access unit of [`PICTURE_BYTES`]: real parameter sets at key frames, then a slice of random bits.
fn access_unit(rng: &mut ChaCha8Rng, is_key: bool) -> Vec<u8> {
    let mut unit = Vec::with_capacity(PICTURE_BYTES);
    let sets: &[&[u8]] = if is_key { &[SPS, PPS] } else { &[] };
    for nal in sets {
        unit.extend_from_slice(START_CODE);
        unit.extend_from_slice(nal);
    }
    unit.extend_from_slice(START_CODE);
    unit.extend_from_slice(if is_key { IDR_SLICE } else { P_SLICE });
    let mut random = vec![0; PICTURE_BYTES];
    rng.fill_bytes(&mut random);
    push_escaped(&mut unit, &random);
    // A unit never ends in a zero byte.
    unit.resize(PICTURE_BYTES, 0x80);
    unit
}

/// Emulation prevention: 00 00 00 to 00 00 03 do not occur inside a unit. Stops at [`PICTURE_BYTES`].
fn push_escaped(unit: &mut Vec<u8>, bytes: &[u8]) {
    let mut zeros = 0;
    for byte in bytes {
        if unit.len() + 2 > PICTURE_BYTES {
            return;
        }
        if zeros == 2 && *byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        unit.push(*byte);
    }
}

#[cfg(test)]
mod tests;
