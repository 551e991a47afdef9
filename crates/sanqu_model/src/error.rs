use thiserror::Error;

/// What can be wrong with a word: an id, a key, a schema, a field file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// An id has characters or a length that keys and file names cannot carry.
    #[error("{what} {value:?} is not a valid id: expected 1 to 32 characters of a-z, 0-9 and '-'")]
    BadId {
        /// Which id: "robot", "station", …
        what: &'static str,
        /// The text that was given.
        value: String,
    },
    /// An episode id is not a ULID.
    #[error("episode id {value:?} is not a ULID (26 characters of Crockford base 32)")]
    BadEpisodeId {
        /// The text that was given.
        value: String,
    },
    /// A stream name is not one of the wire contract's.
    #[error("stream {value:?}: {expected}")]
    BadStream {
        /// The text that was given.
        value: String,
        /// What would have been accepted.
        expected: &'static str,
    },
    /// A zenoh key does not have the form `sanqu/<field>/<robot>/<stream>`.
    #[error("key {key:?} is not sanqu/<field>/<robot>/<stream>: {reason}")]
    BadKey {
        /// The key.
        key: String,
        /// Which part is wrong.
        reason: String,
    },
    /// A batch does not have the columns that a [`crate::Chunk`] needs.
    #[error("stream {stream}: column {column:?}: expected {expected}, found {found}")]
    BadColumn {
        /// The stream's key.
        stream: String,
        /// The column's name.
        column: String,
        /// The Arrow type expected.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A stream description contradicts itself.
    #[error("stream description: quantity {quantity:?}: {reason}")]
    BadDescription {
        /// The quantity's name.
        quantity: String,
        /// What is wrong.
        reason: String,
    },
    /// A field file could not be read as TOML.
    #[error("field file: {reason}")]
    FieldSyntax {
        /// The parser's message, with line and column.
        reason: String,
    },
    /// A field file names something twice or points at something that is not there.
    #[error("field {field}: {reason}")]
    FieldContent {
        /// The field's id.
        field: String,
        /// What is wrong, naming the entry.
        reason: String,
    },
    /// A time zone name that the tz database does not have.
    #[error("time zone {zone:?} is not in the IANA database")]
    BadZone {
        /// The name that was given.
        zone: String,
    },
}
