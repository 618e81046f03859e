//! Columns without lines, as kubectl prints them.

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use super::{Look, Mark, clean};

/// What stands between two columns.
const GAP: &str = "   ";

pub struct Table {
    look: Look,
    rows: Vec<Vec<Cell>>,
}

/// Text of a column; it is cleaned here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A word in the colour of the state it stands for.
    pub fn word(word: &str) -> Self {
        Self::styled(word, Mark::of_word(word).map(Mark::style).unwrap_or_default())
    }

    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: clean(&text.into()).into_owned(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

impl Table {
    pub fn new<'h>(look: Look, header: impl IntoIterator<Item = &'h str>) -> Self {
        Self { look, rows: vec![header.into_iter().map(Cell::from).collect()] }
    }

    pub fn without_header(look: Look) -> Self {
        Self { look, rows: vec![] }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The header and the rows, without blanks at their ends.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.width()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        self.rows.iter().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or_default();
        let mut line = String::new();
        for (index, (cell, width)) in row.iter().zip(widths).take(last + 1).enumerate() {
            line.push_str(&self.look.paint(&cell.text, cell.style));
            if index < last {
                line.push_str(&" ".repeat(width - cell.text.width()));
                line.push_str(GAP);
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_they_show() {
        let look = Look { color: true, unicode: true, terminal: true };
        let mut table = Table::new(look, ["NAME", "HEALTH", "AGE"]);
        let healthy = Cell::styled("Healthy", AnsiColor::Green.on_default());
        table.row(["dev".into(), healthy, "4m".into()]);
        table.row(["東京\u{1b}[2J".into(), "".into(), "2d".into()]);
        table.row(["prod".into(), "Unknown".into(), "".into()]);
        assert_eq!(
            table.lines(),
            [
                "NAME       HEALTH    AGE",
                "dev        \u{1b}[32mHealthy\u{1b}[0m   4m",
                "東京\u{fffd}[2J             2d",
                "prod       Unknown",
            ]
        );
    }
}
