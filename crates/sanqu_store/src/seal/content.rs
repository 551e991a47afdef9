//! What a payload holds, and whether it fits its stream.

use arrow_array::RecordBatch;
use sanqu_model::{Quantity, StreamDescription};
use sanqu_wire::{ENCODING_ARROW, ENCODING_H264, ENCODING_JSON, PAYLOAD_BYTES_MAX, ROW_VALUES_MAX, decode_rows, h264};

/// How the samples of a stream are stored; the first readable sample decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Rows of quantities: one column for each element.
    Rows(Layout),
    /// H.264 access units in an MP4, one row a frame beside it.
    Video(ParameterSets),
    /// JSON text in a column.
    Text,
    /// Pictures and messages verbatim in a binary column.
    Bytes,
}

/// The quantities of an Arrow stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// As the payloads have them: all must agree.
    pub(super) payload: Vec<Quantity>,
    /// As they are stored: with the description's names and units where it has any.
    pub(super) stored: Vec<Quantity>,
}

/// The decoder's configuration that all frames of one MP4 share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParameterSets {
    pub(super) sps: Vec<u8>,
    pub(super) pps: Vec<u8>,
}

impl Form {
    /// The form of a stream without any readable sample.
    pub(super) fn of_description(description: Option<&StreamDescription>, encoding: &str) -> Self {
        match encoding {
            ENCODING_ARROW => {
                // A description of more columns than a payload may have is nobody's: their cost would be in memory alone.
                let possible = |d: &&StreamDescription| d.quantities.iter().map(|q| q.elements.len()).sum::<usize>() <= ROW_VALUES_MAX;
                let stored = description.filter(possible).map(|d| d.quantities.clone()).unwrap_or_default();
                Self::Rows(Layout { payload: stored.clone(), stored })
            }
            ENCODING_JSON => Self::Text,
            _ => Self::Bytes,
        }
    }

    /// The form that a readable payload asks for; none when a video has not yet said its parameter sets.
    pub(super) fn of_payload(encoding: &str, payload: &[u8], descriptions: &[&StreamDescription]) -> Result<Option<Self>, String> {
        Ok(match encoding {
            ENCODING_ARROW => Some(Self::Rows(Layout::new(decode_quantities(payload)?.1, descriptions))),
            ENCODING_H264 => h264::parameter_sets(payload)
                // What an MP4's header cannot hold would keep the whole episode from being sealed.
                .filter(|(sps, pps)| h264::parse_sps(sps).is_ok() && pps.len() <= h264::SPS_BYTES_MAX)
                .map(|(sps, pps)| Self::Video(ParameterSets { sps: sps.to_vec(), pps: pps.to_vec() })),
            ENCODING_JSON => Some(Self::Text),
            _ => Some(Self::Bytes),
        })
    }

    /// Whether the payload that the form was read from is as one of the descriptions says; always true without any.
    pub(super) fn keeps_to_one_of(&self, descriptions: &[&StreamDescription]) -> bool {
        match self {
            Self::Rows(layout) => descriptions.is_empty() || descriptions.iter().any(|d| fits(&layout.payload, &d.quantities)),
            _ => true,
        }
    }
}

impl ParameterSets {
    /// Whether the SPS and PPS of an access unit are of another picture format.
    pub(super) fn differ<'a>(&self, mut found: impl Iterator<Item = &'a [u8]>) -> bool {
        found.any(|set| set != self.sps && set != self.pps)
    }
}

impl Layout {
    /// Names and units come from the description that fits the payload: a payload need not repeat them.
    fn new(payload: Vec<Quantity>, descriptions: &[&StreamDescription]) -> Self {
        let described = descriptions.iter().map(|d| &d.quantities).find(|described| fits(&payload, described));
        let stored = described.unwrap_or(&payload).clone();
        Self { payload, stored }
    }

    /// Whether the description had another form than the payloads.
    pub(super) fn contradicts(&self, description: &StreamDescription) -> bool {
        self.stored != description.quantities
    }
}

/// Whether a payload holds what was described. Names, units and frames may be left out, but not be others: the values
/// would be stored under the wrong joint.
fn fits(payload: &[Quantity], described: &[Quantity]) -> bool {
    let may_be = |found: &str, expected: &str| found.is_empty() || found == expected;
    let is_unnamed = |elements: &[String]| elements.iter().enumerate().all(|(i, name)| *name == i.to_string());
    payload.len() == described.len()
        && payload.iter().zip(described).all(|(p, d)| {
            (&p.name, p.value_type, p.elements.len()) == (&d.name, d.value_type, d.elements.len())
                && (p.elements == d.elements || is_unnamed(&p.elements))
                && may_be(&p.unit, &d.unit)
                && may_be(&p.frame, &d.frame)
        })
}

/// Checks a payload against its stream's form and counts its rows.
pub(super) fn check_payload(form: &Form, payload: &[u8]) -> Result<usize, String> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(format!("{} bytes; at most {PAYLOAD_BYTES_MAX} are stored", payload.len()));
    }
    match form {
        Form::Rows(layout) => {
            let (batch, quantities) = decode_quantities(payload)?;
            if quantities != layout.payload {
                return Err(format!("its columns are {}, the stream's are {}", words(&quantities), words(&layout.payload)));
            }
            Ok(batch.num_rows())
        }
        Form::Video(sets) => {
            h264::to_avcc(payload).map_err(|e| e.to_string())?;
            if h264::has_b_slice(payload) {
                return Err("it has a bidirectional slice; only streams without B-frames can be stored".to_owned());
            }
            if sets.differ(h264::all_parameter_sets(payload)) {
                return Err("its parameter sets differ from the stream's first: one MP4 holds one picture format".to_owned());
            }
            Ok(1)
        }
        Form::Text => std::str::from_utf8(payload).map(|_| 1).map_err(|e| format!("no UTF-8 text: {e}")),
        Form::Bytes => Ok(1),
    }
}

fn decode_quantities(payload: &[u8]) -> Result<(RecordBatch, Vec<Quantity>), String> {
    let batch = decode_rows(payload).map_err(|e| e.to_string())?;
    let fields = batch.schema();
    let quantities: Result<_, _> = fields.fields().iter().skip(1).map(|field| Quantity::from_field(field)).collect();
    let quantities = quantities.map_err(|e| e.to_string())?;
    Ok((batch, quantities))
}

fn words(quantities: &[Quantity]) -> String {
    let words: Vec<String> = quantities.iter().map(|q| format!("{}[{}; {:?}]", q.name, q.elements.len(), q.value_type)).collect();
    words.join(", ")
}
