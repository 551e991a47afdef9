//! ROS 1 messages, read by the definition that travels with them.
//!
//! A bag, and a robot-side agent, carry the text of each message's definition (`message_definition`: the message and every
//! type it contains). [`MessageLayout`] is made of that text and turns message bytes into a [`Message`], so that a newer
//! robot's additional fields need no change here. The serialised form is little-endian, without padding or tags.

mod layout;
mod read;
mod value;

pub use layout::{DEFINITION_BYTES_MAX, DEPTH_MAX, FIELDS_MAX, MessageLayout, TYPES_MAX};
pub use read::{ARRAY_LEN_MAX, MESSAGE_BYTES_MAX, VALUES_MAX};
pub use value::{Message, Value};

#[cfg(test)]
mod tests;
