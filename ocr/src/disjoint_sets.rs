//! Sets without common elements, which can be united.

/// A union–find structure over the numbers below a limit.
pub(crate) struct DisjointSets(Vec<usize>);

impl DisjointSets {
    pub(crate) fn new(len: usize) -> Self {
        Self((0..len).collect())
    }

    /// The representative of the set that contains `index`.
    pub(crate) fn find(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    pub(crate) fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        // The lowest index is the representative: the result does not depend on the order
        // of calls.
        self.0[a.max(b)] = a.min(b);
    }
}
