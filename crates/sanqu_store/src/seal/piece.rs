use crate::journal::{Fields, Record};

/// Consecutive rows of one sample. Pieces of a stream sort by run and sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Piece {
    pub(super) run: u32,
    /// Sequence of the first row that is kept.
    pub(super) seq: u64,
    /// Number of the sample in order of arrival.
    pub(super) entry: u64,
    /// Rows of the payload before the first kept one.
    pub(super) skip: u32,
    pub(super) rows: u32,
}

impl Record for Piece {
    const BYTES: usize = 28;

    fn encode(&self, to: &mut Vec<u8>) {
        to.extend(self.run.to_le_bytes());
        to.extend(self.seq.to_le_bytes());
        to.extend(self.entry.to_le_bytes());
        to.extend(self.skip.to_le_bytes());
        to.extend(self.rows.to_le_bytes());
    }

    fn decode(from: &[u8]) -> Self {
        let mut fields = Fields(from);
        Self { run: fields.u32(), seq: fields.u64(), entry: fields.u64(), skip: fields.u32(), rows: fields.u32() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_survive() {
        let piece = Piece { run: 1, seq: 2, entry: 3, skip: 4, rows: u32::MAX };
        let mut bytes = Vec::new();
        piece.encode(&mut bytes);
        assert_eq!((bytes.len(), Piece::decode(&bytes)), (Piece::BYTES, piece));
    }
}
