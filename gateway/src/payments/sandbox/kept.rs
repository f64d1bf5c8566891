//! The lines of the Toss sandbox's file, and what they come to.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::idempotency::AnswerLine;
use super::payment::Payment;
use super::questions::{NewAnswers, Questions};

/// One line, as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Line<'a> {
    /// The payment after a change.
    Payment(&'a Payment),
    Answer(&'a AnswerLine),
    /// The clock's offset from real time.
    AdvancedMs(u64),
    /// All answers, after some were given.
    Questions(&'a Questions),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum ReadLine {
    Payment(Box<Payment>),
    Answer(AnswerLine),
    AdvancedMs(u64),
    Questions(NewAnswers),
}

/// What an earlier start has left.
#[derive(Default)]
pub(super) struct Kept {
    /// Each as it was last, in the order of their windows.
    pub(super) payments: Vec<Payment>,
    pub(super) answers: Vec<AnswerLine>,
    pub(super) advanced_ms: u64,
    pub(super) questions: Questions,
}

impl Kept {
    pub(super) fn of(lines: Vec<ReadLine>) -> Self {
        let mut kept = Kept::default();
        let mut positions: HashMap<String, usize> = HashMap::new();
        for line in lines {
            match line {
                ReadLine::Payment(payment) => match positions.get(&payment.key) {
                    Some(&position) => kept.payments[position] = *payment,
                    None => {
                        positions.insert(payment.key.clone(), kept.payments.len());
                        kept.payments.push(*payment);
                    }
                },
                ReadLine::Answer(answer) => kept.answers.push(answer),
                ReadLine::AdvancedMs(advanced_ms) => kept.advanced_ms = advanced_ms,
                ReadLine::Questions(answers) => kept.questions.answer(answers),
            }
        }
        kept
    }
}
