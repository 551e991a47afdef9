/// One record batch of rows as an Arrow IPC stream.
pub const ENCODING_ARROW: &str = "application/vnd.apache.arrow.stream";
/// One H.264 access unit, Annex B.
pub const ENCODING_H264: &str = "video/h264";
/// One H.265 access unit, Annex B.
pub const ENCODING_H265: &str = "video/h265";
/// One JPEG picture.
pub const ENCODING_JPEG: &str = "image/jpeg";
/// One PNG picture; depth is 16-bit grey, millimetres.
pub const ENCODING_PNG: &str = "image/png";
/// A small JSON document: events and status.
pub const ENCODING_JSON: &str = "application/json";
/// One serialised ROS 1 message, verbatim.
pub const ENCODING_ROS1: &str = "application/ros1";
