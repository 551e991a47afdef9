//! ROS 1 messages, read by the definition that travels with them.
