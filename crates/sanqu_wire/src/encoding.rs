use crate::{av1, h264, h265};

/// One record batch of rows as an Arrow IPC stream.
pub const ENCODING_ARROW: &str = "application/vnd.apache.arrow.stream";
/// One H.264 access unit, Annex B.
pub const ENCODING_H264: &str = "video/h264";
/// One H.265 access unit, Annex B.
pub const ENCODING_H265: &str = "video/h265";
/// One AV1 temporal unit in the low-overhead form, as an MP4 sample holds it.
pub const ENCODING_AV1: &str = "video/av1";
/// One JPEG picture.
pub const ENCODING_JPEG: &str = "image/jpeg";
/// One PNG picture; depth is 16-bit grey, millimetres.
pub const ENCODING_PNG: &str = "image/png";
/// A small JSON document: events and status.
pub const ENCODING_JSON: &str = "application/json";
/// One serialised ROS 1 message, verbatim.
pub const ENCODING_ROS1: &str = "application/ros1";

/// Whether decoding can begin at a payload, as its own bytes say; payloads that are no video stand for themselves.
pub fn is_keyframe(encoding: &str, payload: &[u8]) -> bool {
    match encoding {
        ENCODING_H264 => h264::is_keyframe(payload),
        ENCODING_H265 => h265::is_keyframe(payload),
        ENCODING_AV1 => av1::is_keyframe(payload),
        _ => true,
    }
}
