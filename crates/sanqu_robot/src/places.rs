//! Where in the text of a table a key stands.

use toml::de::{DeTable, DeValue};

/// Line and column, both from 1, of the deepest key of a dotted path that the text has.
pub(crate) fn locate(text: &str, path: &str) -> Option<(usize, usize)> {
    let document = DeTable::parse(text).ok()?;
    let mut words = path.split('.');
    let first = words.next()?;
    let (key, value) = document.get_ref().get_key_value(first)?;
    let mut at = key.span().start;
    let mut value = value.get_ref();
    for word in words {
        let next = match value {
            DeValue::Table(table) => table.get_key_value(word).map(|(key, next)| (key.span().start, next)),
            DeValue::Array(items) => word.parse::<usize>().ok().and_then(|index| items.get(index)).map(|item| (item.span().start, item)),
            _ => None,
        };
        let Some((start, next)) = next else { break };
        at = start;
        value = next.get_ref();
    }
    Some(line_and_column(text, at))
}

fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expect: Option<(usize, usize)>) {
        let text = "[poses.stand]\nheight = 1\n\n[[drive]]\nmotor = \"夸\"\n[[drive]]\nmotor = \"b\"\n[drive.gear]\nstages = [ { a = 1 }, { a = 2, b = 3 } ]\n";
        assert_eq!(locate(text, path), expect, "{path}");
    }

    #[test]
    fn keys_are_found_by_line_and_column() {
        check("poses.stand.height", Some((2, 1)));
        check("drive.1.motor", Some((7, 1)));
        check("drive.1.gear.stages.1.b", Some((9, 32)));
        check("drive.1.gear.none", Some((8, 8)));
        check("drive.1.none", Some((6, 1)));
        check("nothing", None);
    }
}
