//! What the columns of a table take, in words.

use std::fmt;

/// What a column takes, as people are told who wrote something else; the engine judges.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// A text of so many visible characters.
    Chars(usize, usize),
    /// A whole number from, to.
    Whole(u32, u32),
    /// A switch.
    YesOrNo,
    /// A seat of the event.
    Seat,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Chars(0, max) => {
                write!(f, "{}자 이하로, 제어 문자 없이 적어 주세요.", Grouped(*max))
            }
            Rule::Chars(min, max) => {
                write!(f, "{min}자 이상 {}자 이하로, 제어 문자 없이 적어 주세요.", Grouped(*max))
            }
            Rule::Whole(min, max) => {
                write!(
                    f,
                    "{min} 이상 {} 이하의 정수를 숫자로만 적어 주세요.",
                    Grouped(*max as usize)
                )
            }
            Rule::YesOrNo => f.write_str("true나 false로 적거나 비워 두세요."),
            Rule::Seat => f.write_str("이 공연에 없는 좌석이에요."),
        }
    }
}

/// A number with a comma between thousands.
pub(crate) struct Grouped(pub(crate) usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 / 1_000 {
            0 => write!(f, "{}", self.0),
            thousands => write!(f, "{},{:03}", Grouped(thousands), self.0 % 1_000),
        }
    }
}
