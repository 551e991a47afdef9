//! From journal to episode folder.

/// How far [`seal`] has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealProgress {
    /// What is being done.
    pub stage: SealStage,
    /// The stream as `<robot>/<stream>`, while one is being worked on.
    pub stream: Option<String>,
    /// Streams done.
    pub done: usize,
    /// Streams in all.
    pub total: usize,
}

/// See [`SealProgress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SealStage {
    /// The journal is read once for its records' places.
    Index,
    /// A stream is decoded, checked and written.
    Write,
    /// The sealed files are read back and compared.
    ReadBack,
}
