//! A seat map drawn with letters: the stage on top, sections below it, a letter for each seat.
//!
//! Letters are plain ASCII on purpose: boxes and bullets have no certain width where Korean is
//! shown. A row that does not fit is condensed: each column then stands for several neighbours.

use crate::output::{Output, Paint};
use crate::text::{clean, fit, number, pad_left, won};

/// What a seat is, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Glyph {
    Free,
    Held,
    Sold,
    Blocked,
    /// Sold or blocked: the public map does not tell them apart.
    Taken,
    /// Several seats that are not alike.
    Mixed,
}

impl Glyph {
    fn letter(self) -> &'static str {
        match self {
            Glyph::Free => ".",
            Glyph::Held => "o",
            Glyph::Sold | Glyph::Taken => "#",
            Glyph::Blocked => "x",
            Glyph::Mixed => "+",
        }
    }

    fn paint(self) -> Paint {
        match self {
            Glyph::Free => Paint::Green,
            Glyph::Held => Paint::Yellow,
            Glyph::Sold | Glyph::Taken => Paint::Red,
            Glyph::Blocked => Paint::Dim,
            Glyph::Mixed => Paint::Blue,
        }
    }

    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Glyph::Free => "available",
            Glyph::Held => "held",
            Glyph::Sold => "sold",
            Glyph::Blocked => "blocked",
            Glyph::Taken => "sold_or_blocked",
            Glyph::Mixed => "mixed",
        }
    }
}

/// A section to draw.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) price: u64,
    /// Row numbers and their seats in order.
    pub(crate) rows: Vec<(u32, Vec<Glyph>)>,
}

impl Section {
    pub(crate) fn count(&self, glyph: Glyph) -> usize {
        self.rows.iter().flat_map(|(_, seats)| seats).filter(|&&seat| seat == glyph).count()
    }

    pub(crate) fn seats(&self) -> usize {
        self.rows.iter().map(|(_, seats)| seats.len()).sum()
    }
}

/// Draws sections under a stage.
pub(crate) fn draw(output: &Output, title: &str, sections: &[Section]) -> String {
    let columns = output.width().max(20);
    let labels = row_labels(sections);
    let room = columns - labels - 1;
    let longest = sections.iter().flat_map(|section| &section.rows).map(|(_, seats)| seats.len());
    let longest = longest.max().unwrap_or(0);
    let per_column = longest.div_ceil(room).max(1);
    // Seats with blanks between them are easier to count, where there is room.
    let spaced = per_column == 1 && longest * 2 <= room;
    let line = |seats: &[Glyph]| drawn_row(output, seats, per_column, spaced);
    let widest = drawn_width(longest, per_column, spaced).max(9);
    let mut text = format!("{}\n\n", output.paint(Paint::Bold, &clean(title)));
    text.push_str(&format!("{} {}\n", " ".repeat(labels), stage(widest)));
    for section in sections {
        let head = head(section);
        text.push_str(&format!("\n{}\n", output.paint(Paint::Bold, &fit(&head, columns))));
        for (row, seats) in &section.rows {
            let drawn = drawn_width(seats.len(), per_column, spaced);
            let before = " ".repeat(widest.saturating_sub(drawn) / 2);
            let label = output.paint(Paint::Dim, &pad_left(&row.to_string(), labels));
            text.push_str(&format!("{label} {before}{}\n", line(seats)));
        }
    }
    text.push('\n');
    text.push_str(&legend(output, sections, per_column));
    text
}

fn row_labels(sections: &[Section]) -> usize {
    let rows = sections.iter().flat_map(|section| &section.rows);
    rows.map(|(row, _)| row.to_string().len()).max().unwrap_or(1).max(2)
}

fn stage(columns: usize) -> String {
    let word = " STAGE ";
    let dashes = columns.saturating_sub(word.len() + 2);
    format!("[{}{word}{}]", "-".repeat(dashes / 2), "-".repeat(dashes - dashes / 2))
}

fn head(section: &Section) -> String {
    format!(
        "{}  {}  {} of {} free",
        clean(&section.name),
        won(section.price),
        number(section.count(Glyph::Free) as u64),
        number(section.seats() as u64)
    )
}

fn drawn_width(seats: usize, per_column: usize, spaced: bool) -> usize {
    match spaced {
        true => (seats * 2).saturating_sub(1),
        false => seats.div_ceil(per_column),
    }
}

fn drawn_row(output: &Output, seats: &[Glyph], per_column: usize, spaced: bool) -> String {
    let glyphs: Vec<Glyph> = seats.chunks(per_column).map(together).collect();
    let gap = if spaced { " " } else { "" };
    let mut text = String::new();
    // One colour for neighbours that are alike.
    for (position, run) in glyphs.chunk_by(|a, b| a == b).enumerate() {
        if position > 0 {
            text.push_str(gap);
        }
        let letters = vec![run[0].letter(); run.len()].join(gap);
        text.push_str(&output.paint(run[0].paint(), &letters));
    }
    text
}

fn together(seats: &[Glyph]) -> Glyph {
    match seats {
        [first, rest @ ..] if rest.iter().all(|seat| seat == first) => *first,
        _ => Glyph::Mixed,
    }
}

fn legend(output: &Output, sections: &[Section], per_column: usize) -> String {
    let count = |glyph| sections.iter().map(|section| section.count(glyph)).sum::<usize>() as u64;
    let mut parts = Vec::new();
    for (glyph, name) in [
        (Glyph::Free, "free"),
        (Glyph::Held, "held"),
        (Glyph::Sold, "sold"),
        (Glyph::Blocked, "blocked"),
        (Glyph::Taken, "sold or blocked"),
    ] {
        if glyph != Glyph::Taken || count(glyph) > 0 {
            let letter = output.paint(glyph.paint(), glyph.letter());
            parts.push((format!("{letter} {name} {}", number(count(glyph))), name.len() + 12));
        }
    }
    let total: usize = sections.iter().map(Section::seats).sum();
    parts.push((format!("total {}", number(total as u64)), 14));
    let mut text = String::new();
    let mut used = 0;
    for (part, columns) in parts {
        if used > 0 && used + columns > output.width() {
            text.push('\n');
            used = 0;
        }
        text.push_str(if used > 0 { "   " } else { "" });
        text.push_str(&part);
        used += columns;
    }
    text.push('\n');
    if per_column > 1 {
        let mixed = output.paint(Glyph::Mixed.paint(), Glyph::Mixed.letter());
        let note = format!("1 column = {per_column} seats, {mixed} if they differ");
        text.push_str(&note);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width;

    fn section(name: &str, rows: &[(u32, &str)]) -> Section {
        let glyph = |letter: char| match letter {
            '.' => Glyph::Free,
            'o' => Glyph::Held,
            '#' => Glyph::Sold,
            'x' => Glyph::Blocked,
            other => panic!("{other}"),
        };
        let rows = rows.iter().map(|(row, seats)| (*row, seats.chars().map(glyph).collect()));
        Section { name: name.into(), price: 150_000, rows: rows.collect() }
    }

    #[test]
    fn a_small_hall_is_spaced_and_centred() {
        let sections =
            [section("VIP", &[(1, "..o#."), (2, "x...#")]), section("일반", &[(3, ".......")])];
        let text = draw(&Output::plain(60), "봄 콘서트", &sections);
        let expected = "\
봄 콘서트

   [-- STAGE --]

VIP  150,000원  6 of 10 free
 1   . . o # .
 2   x . . . #

일반  150,000원  7 of 7 free
 3 . . . . . . .

. free 13   o held 1   # sold 2
x blocked 1   total 17
";
        assert_eq!(text, expected);
    }

    #[test]
    fn long_rows_are_condensed_to_the_terminal() {
        let row = format!("{}{}", ".".repeat(500), "#".repeat(501));
        let text = draw(&Output::plain(40), "t", &[section("A", &[(1, &row)])]);
        assert!(text.lines().all(|line| width(line) <= 40), "{text}");
        // 1,001 seats in 37 columns: 28 to each.
        assert!(text.contains("1 column = 28 seats"), "{text}");
        assert!(text.contains(&format!(" 1 {}+{}\n", ".".repeat(17), "#".repeat(18))), "{text}");
        assert!(text.contains("# sold 501"), "{text}");
    }

    #[test]
    fn no_sections_are_an_empty_hall() {
        assert!(draw(&Output::plain(40), "t", &[]).contains("total 0"));
    }
}
