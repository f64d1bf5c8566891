//! All orders of the installation by age, and how many are where in their lives: a page of the newest
//! of one class costs a look at one count for every 4,096 orders and a few bytes, however many there
//! are.

use crate::record::OrderRef;

/// Where an order is in its life, as far as lists of orders tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderClass {
    /// Held or being paid.
    Open,
    /// Sold.
    Paid,
    /// Over.
    Ended,
}

const CLASSES: usize = 3;
const BLOCK: usize = 4096;

/// See the module. Orders are named by how many were made before them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderIndex {
    orders: Vec<OrderRef>,
    classes: Vec<OrderClass>,
    /// By block of [`BLOCK`] orders and class.
    blocks: Vec<[u32; CLASSES]>,
    /// By class.
    totals: [u64; CLASSES],
}

impl OrderIndex {
    /// How many orders there are, of a class or of all.
    #[must_use]
    pub fn count(&self, class: Option<OrderClass>) -> u64 {
        class.map_or(self.orders.len() as u64, |class| self.totals[class as usize])
    }

    /// Orders of a class or all of them, newest first, without the `skip` newest.
    pub fn newest(
        &self,
        class: Option<OrderClass>,
        skip: usize,
    ) -> impl Iterator<Item = OrderRef> + '_ {
        let in_block = move |block: usize| match class {
            Some(class) => self.blocks[block][class as usize] as usize,
            None => self.block(block).len(),
        };
        let mut skip = skip;
        let mut blocks = self.blocks.len();
        while blocks > 0 && in_block(blocks - 1) <= skip {
            blocks -= 1;
            skip -= in_block(blocks);
        }
        let wanted = (0..blocks).rev().filter(move |&block| in_block(block) > 0);
        let is_of = move |position: &usize| class.is_none_or(|of| self.classes[*position] == of);
        let found = wanted.flat_map(|block| self.block(block).rev()).filter(is_of).skip(skip);
        found.map(|position| self.orders[position])
    }

    fn block(&self, block: usize) -> std::ops::Range<usize> {
        block * BLOCK..self.orders.len().min((block + 1) * BLOCK)
    }

    /// Adds an order that is newer than all others. Answers with how many were made before it.
    pub(super) fn push(&mut self, order: OrderRef, class: OrderClass) -> u32 {
        let seq = self.orders.len();
        if seq.is_multiple_of(BLOCK) {
            self.blocks.push([0; CLASSES]);
        }
        self.orders.push(order);
        self.classes.push(class);
        self.blocks[seq / BLOCK][class as usize] += 1;
        self.totals[class as usize] += 1;
        seq as u32
    }

    /// An order has come to be of another class.
    pub(super) fn set(&mut self, seq: u32, class: OrderClass) {
        let position = seq as usize;
        let before = std::mem::replace(&mut self.classes[position], class);
        let counts = &mut self.blocks[position / BLOCK];
        counts[before as usize] -= 1;
        counts[class as usize] += 1;
        self.totals[before as usize] -= 1;
        self.totals[class as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{EventIndex, OrderNumber};

    #[test]
    fn pages_are_those_of_a_sorted_list() {
        let mut index = OrderIndex::default();
        let mut naive = Vec::new();
        for seq in 0..3 * BLOCK as u32 + 100 {
            let order = OrderRef { event: EventIndex(seq % 7), number: OrderNumber(seq / 7) };
            assert_eq!(index.push(order, OrderClass::Open), seq);
            naive.push((order, OrderClass::Open));
        }
        // The middle block has no paid order at all.
        let middle = BLOCK..2 * BLOCK;
        for position in (0..naive.len()).filter(|at| at % 5 == 0 && !middle.contains(at)) {
            naive[position].1 = OrderClass::Paid;
            index.set(position as u32, OrderClass::Paid);
        }
        for position in (0..naive.len()).filter(|at| at % 10 == 0 && !middle.contains(at)) {
            naive[position].1 = OrderClass::Ended;
            index.set(position as u32, OrderClass::Ended);
        }
        let classes = [OrderClass::Open, OrderClass::Paid, OrderClass::Ended].map(Some);
        for class in classes.into_iter().chain([None]) {
            let is_of = |of: OrderClass| class.is_none_or(|class| class == of);
            let all: Vec<OrderRef> =
                naive.iter().rev().filter(|(_, of)| is_of(*of)).map(|&(order, _)| order).collect();
            assert_eq!(index.count(class), all.len() as u64);
            for skip in
                [0, 1, 99, 100, 500, BLOCK, 2 * BLOCK + 7, all.len() - 1, all.len(), 1 << 40]
            {
                let page: Vec<OrderRef> = index.newest(class, skip).take(20).collect();
                let expected: Vec<OrderRef> = all.iter().skip(skip).take(20).copied().collect();
                assert_eq!(page, expected, "{class:?} from {skip}");
            }
        }
    }
}
