//! Payload bytes to and from chunks: sample header, Arrow IPC, H.264 access units, ROS 1 messages; no IO.
