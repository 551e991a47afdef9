//! The parts of a grid, and the sentences about what is in none.

use super::{EDGE_ROWS_MAX, Grid, GridSpec, Part};
use crate::lerobot::rows::NO_COMMAND;

/// Collects parts, and the gaps between them.
pub(super) struct Builder {
    spec: GridSpec,
    /// The part that rows are added to now.
    pub(super) open: Option<Part>,
    parts: Vec<Part>,
    gaps: Vec<Gap>,
    rows: usize,
}

/// Rows that are in no part; none, where one part ends and the next begins at once.
struct Gap {
    from: usize,
    end: usize,
    reasons: Vec<String>,
}

impl Builder {
    pub(super) fn new(spec: GridSpec) -> Self {
        Self { spec, open: None, parts: Vec::new(), gaps: Vec::new(), rows: 0 }
    }

    pub(super) fn extend(&mut self, t_ns: i64) {
        if let Some(part) = &mut self.open {
            part.row_t_ns.push(t_ns);
            self.rows += 1;
        }
    }

    /// Ends the open part before `row`.
    pub(super) fn close(&mut self, row: usize, reason: &str) {
        if let Some(part) = self.open.take() {
            self.parts.push(part);
            self.gaps.push(Gap { from: row, end: row, reasons: vec![reason.to_owned()] });
        }
    }

    /// Begins a part at `row`, or says why the row is in none.
    pub(super) fn begin(&mut self, row: usize, t_ns: i64, start: Result<Vec<usize>, String>) {
        self.rows = row + 1;
        match (start, self.gaps.last_mut()) {
            (Ok(first_frame), _) => self.open = Some(Part { first_row: row, row_t_ns: vec![t_ns], first_frame }),
            (Err(reason), Some(gap)) if gap.end == row => {
                gap.end += 1;
                // Why nothing begins at the very row where a part ended, its end has said.
                if gap.from < row && !gap.reasons.iter().any(|known| reason_kind(known) == reason_kind(&reason)) {
                    gap.reasons.push(reason);
                }
            }
            (Err(reason), _) => self.gaps.push(Gap { from: row, end: row + 1, reasons: vec![reason] }),
        }
    }

    pub(super) fn finish(mut self) -> Grid {
        self.parts.extend(self.open.take());
        let mut grid = Grid::default();
        let mut notes: Vec<(usize, String)> = Vec::new();
        for Gap { from, end, reasons } in self.gaps {
            let (at_start, at_end) = (from == 0, end == self.rows);
            let reasons = reasons.join("; ");
            let note = match end - from {
                0 => format!("split before row {from}: {reasons}"),
                // A demonstration begins with its first command: what is before it lacks nothing, it has no action.
                _ if at_start && reasons == NO_COMMAND => {
                    notes.push((from, format!("rows {from}..={} left out: {reasons}", end - 1)));
                    continue;
                }
                rows if (at_start || at_end) && rows <= EDGE_ROWS_MAX => {
                    notes.push((from, format!("rows {from}..={} trimmed at the edge: {reasons}", end - 1)));
                    continue;
                }
                _ if at_start || at_end => format!("rows {from}..={} dropped: {reasons}", end - 1),
                _ => format!("split, rows {from}..={} dropped: {reasons}", end - 1),
            };
            grid.is_lossy = true;
            notes.push((from, note));
        }
        for part in self.parts {
            let rows = part.row_t_ns.len();
            if rows < usize::try_from(self.spec.fps).unwrap_or(usize::MAX) {
                let (first, last) = (part.first_row, part.first_row + rows - 1);
                notes.push((first, format!("rows {first}..={last} dropped: {rows} rows without a break are less than one second")));
                grid.is_lossy = true;
            } else {
                grid.parts.push(part);
            }
        }
        notes.sort_by_key(|(row, _)| *row);
        grid.notes = notes.into_iter().map(|(_, note)| note).collect();
        grid
    }
}

/// The reason without its numbers: rows that are dropped one after another for the same reason share one note.
fn reason_kind(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | '-')).collect()
}
