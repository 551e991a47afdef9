//! The list and what the user has done to it: a filter, a cursor, marked episodes. Knows nothing of windows.

use std::collections::BTreeSet;

use bevy::prelude::Resource;

use super::shelf::Entry;

/// Longest filter, characters.
const FILTER_MAX: usize = 80;

/// See the module.
#[derive(Resource, Clone, Debug, Default)]
pub struct Board {
    entries: Vec<Entry>,
    filter: String,
    /// Entries that the filter lets through, by index.
    visible: Vec<usize>,
    /// Index in `visible`.
    cursor: usize,
    marked: BTreeSet<usize>,
    /// First line of the window into `visible`.
    top: usize,
}

impl Board {
    /// A list without filter; the cursor is on the first episode.
    pub fn new(entries: Vec<Entry>) -> Self {
        let visible = (0..entries.len()).collect();
        Self { entries, visible, ..Self::default() }
    }

    /// What is typed.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// How many episodes are listed, and how many there are.
    pub fn count(&self) -> (usize, usize) {
        (self.visible.len(), self.entries.len())
    }

    /// How many are marked.
    pub fn marked(&self) -> usize {
        self.marked.len()
    }

    /// Adds a character to the filter.
    pub fn type_char(&mut self, char: char) {
        if !char.is_control() && self.filter.chars().count() < FILTER_MAX {
            self.filter.push(char);
            self.narrow();
        }
    }

    /// Takes the last character off.
    pub fn backspace(&mut self) {
        self.filter.pop();
        self.narrow();
    }

    /// Takes filter and marks away; false when there were none.
    pub fn clear(&mut self) -> bool {
        let was = !self.filter.is_empty() || !self.marked.is_empty();
        self.filter.clear();
        self.marked.clear();
        self.narrow();
        was
    }

    /// Moves the cursor by lines, as far as there are some.
    pub fn move_by(&mut self, lines: isize) {
        self.cursor = self.cursor.saturating_add_signed(lines).min(self.visible.len().saturating_sub(1));
    }

    /// Puts the cursor on a line of the window; false when nothing is there, or it was there already.
    pub fn point_at(&mut self, line: usize) -> bool {
        let wanted = self.top + line;
        let moved = wanted < self.visible.len() && wanted != self.cursor;
        if moved {
            self.cursor = wanted;
        }
        moved
    }

    /// Marks or unmarks the episode under the cursor and goes to the next.
    pub fn mark(&mut self) {
        if let Some(entry) = self.visible.get(self.cursor).copied() {
            if !self.marked.remove(&entry) {
                self.marked.insert(entry);
            }
            self.move_by(1);
        }
    }

    /// The marked episodes in the order of the list; without marks the one under the cursor.
    pub fn picked(&self) -> Vec<&Entry> {
        let under = self.visible.get(self.cursor).copied();
        let picked: Vec<usize> = if self.marked.is_empty() { under.into_iter().collect() } else { self.marked.iter().copied().collect() };
        picked.into_iter().map(|entry| &self.entries[entry]).collect()
    }

    /// The lines of a window of `height` lines, which moves as little as shows the cursor: the episode, whether the cursor
    /// is on it, whether it is marked.
    pub fn lines(&mut self, height: usize) -> Vec<(&Entry, bool, bool)> {
        let height = height.max(1);
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(height), self.cursor);
        self.top = self.top.min(self.visible.len().saturating_sub(height));
        let lines = self.visible.iter().enumerate().skip(self.top).take(height);
        lines.map(|(line, entry)| (&self.entries[*entry], line == self.cursor, self.marked.contains(entry))).collect()
    }

    /// Episodes that have every word of the filter somewhere in their columns, whatever the case.
    fn narrow(&mut self) {
        let under = self.visible.get(self.cursor).copied();
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |entry: &Entry| {
            let text = entry.columns().join(" ").to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        self.visible = self.entries.iter().enumerate().filter(|(_, entry)| fits(entry)).map(|(index, _)| index).collect();
        self.cursor = self.visible.iter().position(|entry| Some(*entry) == under).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn board(count: usize) -> Board {
        let entry = |index: usize| Entry {
            store: PathBuf::from("s"),
            dir: PathBuf::from(index.to_string()),
            episode: format!("01M8{index:04}"),
            start_ns: 0,
            length_ns: 20_000_000_000,
            station: if index.is_multiple_of(2) { "a01" } else { "c01" }.to_owned(),
            robots: "kuavo-01".to_owned(),
            task: if index == 3 { "Pour-Tea" } else { "" }.to_owned(),
            lost_rows: 0,
        };
        Board::new((0..count).map(entry).collect())
    }

    fn picked(board: &Board) -> Vec<&str> {
        board.picked().iter().map(|entry| entry.episode.as_str()).collect()
    }

    #[test]
    fn words_narrow_the_list_and_the_cursor_stays_on_its_episode() {
        let mut board = board(8);
        board.move_by(3);
        "C01 kua".chars().for_each(|char| board.type_char(char));
        assert_eq!((board.count(), picked(&board)), ((4, 8), vec!["01M80003"]));
        board.type_char('x');
        assert_eq!((board.count(), picked(&board)), ((0, 8), vec![]));
        board.mark();
        board.backspace();
        assert_eq!(board.count(), (4, 8));
        assert!(board.clear() && board.count() == (8, 8) && !board.clear());
        "tea".chars().for_each(|char| board.type_char(char));
        assert_eq!(picked(&board), ["01M80003"]);
        board.type_char('\n');
        assert_eq!(board.filter(), "tea", "control characters are no filter");
    }

    #[test]
    fn marked_episodes_are_picked_in_the_order_of_the_list() {
        let mut board = board(5);
        board.move_by(3);
        board.mark();
        board.move_by(-99);
        board.mark();
        assert_eq!((picked(&board), board.marked()), (vec!["01M80000", "01M80003"], 2));
        board.move_by(-1);
        board.mark();
        assert_eq!(picked(&board), ["01M80003"], "a second time takes the mark away");
    }

    #[test]
    fn the_window_moves_as_little_as_shows_the_cursor() {
        let mut board = board(10);
        let first = |board: &mut Board, lines: isize| {
            board.move_by(lines);
            let shown = board.lines(4);
            (shown.len(), shown[0].0.episode.clone(), shown.iter().position(|line| line.1))
        };
        assert_eq!(first(&mut board, 0), (4, "01M80000".to_owned(), Some(0)));
        assert_eq!(first(&mut board, 3), (4, "01M80000".to_owned(), Some(3)));
        assert_eq!(first(&mut board, 1), (4, "01M80001".to_owned(), Some(3)));
        assert_eq!(first(&mut board, -2), (4, "01M80001".to_owned(), Some(1)));
        assert_eq!(first(&mut board, 99), (4, "01M80006".to_owned(), Some(3)));
        assert!(board.point_at(0) && !board.point_at(0) && !board.point_at(4));
        assert_eq!(picked(&board), ["01M80006"]);
        "0009".chars().for_each(|char| board.type_char(char));
        assert_eq!(board.lines(4).len(), 1, "a shorter list is shown from its beginning");
    }
}
