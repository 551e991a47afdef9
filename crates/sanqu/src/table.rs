//! Tables and numbers for people.

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{CellAlignment, Table};

/// A table with a header; columns named in `right` are aligned to the right.
pub(crate) fn table(header: &[&str], right: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for (index, name) in header.iter().enumerate() {
        if right.contains(name)
            && let Some(column) = table.column_mut(index)
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Bytes with a unit, three significant figures.
pub(crate) fn bytes(count: u64) -> String {
    let mut value = approximate(count);
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            let decimals = if unit == "B" || value >= 100.0 { 0 } else { 1 };
            return format!("{value:.decimals$} {unit}");
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

#[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
fn approximate(count: u64) -> f64 {
    count as f64
}

/// A duration in seconds with one decimal.
pub(crate) fn seconds(ns: i64) -> String {
    let tenths = ns / 100_000_000;
    format!("{}.{} s", tenths / 10, (tenths % 10).abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (count, expect) in
            [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (123_456, "123 kB"), (4_180_456, "4.2 MB"), (5_000_000_000_000, "5.0 TB")]
        {
            assert_eq!(bytes(count), expect);
        }
        assert_eq!(seconds(7_016_000_000), "7.0 s");
    }
}
