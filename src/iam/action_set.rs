//! A set of catalogued actions, as bits.

/// The number of an action in the catalogue.
pub type ActionId = u16;

/// A set of actions. Grows to whatever is put into it; an empty set owns nothing.
#[derive(Clone, Debug, Default)]
pub struct ActionSet {
    words: Vec<u64>,
}

impl ActionSet {
    /// Adds one action.
    pub fn insert(&mut self, id: ActionId) {
        let word = usize::from(id) / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (id % 64);
    }

    /// Whether the action is in the set.
    pub fn contains(&self, id: ActionId) -> bool {
        self.words.get(usize::from(id) / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    /// How many actions the set holds.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// Adds what is in `other`.
    pub fn union(&mut self, other: &Self) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word |= theirs;
        }
    }

    /// Keeps what is also in `other`.
    pub fn intersect(&mut self, other: &Self) {
        self.words.truncate(other.words.len());
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word &= theirs;
        }
    }

    /// Drops what is in `other`.
    pub fn subtract(&mut self, other: &Self) {
        for (word, theirs) in self.words.iter_mut().zip(&other.words) {
            *word &= !theirs;
        }
    }

    /// Whether everything in this set is also in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.words.iter().enumerate().all(|(i, word)| word & !other.words.get(i).copied().unwrap_or(0) == 0)
    }

    /// Whether the sets have an action in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(one, other)| one & other != 0)
    }

    /// The actions, in the catalogue's order.
    pub fn iter(&self) -> impl Iterator<Item = ActionId> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            std::iter::successors((word != 0).then_some(word), |left| {
                let rest = left & (left - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |left| {
                let bit = index * 64 + left.trailing_zeros() as usize;
                ActionId::try_from(bit).expect("only ActionIds are inserted")
            })
        })
    }
}

impl Extend<ActionId> for ActionSet {
    fn extend<I: IntoIterator<Item = ActionId>>(&mut self, ids: I) {
        ids.into_iter().for_each(|id| self.insert(id));
    }
}

impl FromIterator<ActionId> for ActionSet {
    fn from_iter<I: IntoIterator<Item = ActionId>>(ids: I) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }
}

impl PartialEq for ActionSet {
    fn eq(&self, other: &Self) -> bool {
        self.is_subset(other) && other.is_subset(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_set() {
        let mut a: ActionSet = [3, 64, 700].into_iter().collect();
        let b: ActionSet = [64, 5].into_iter().collect();
        assert_eq!(a.iter().collect::<Vec<_>>(), [3, 64, 700]);
        assert_eq!(a.len(), 3);
        a.subtract(&b);
        assert_eq!(a, [3, 700].into_iter().collect());
        a.intersect(&[700].into_iter().collect());
        assert!(a.contains(700) && !a.contains(3));
        assert!(a.is_subset(&[1, 700].into_iter().collect()));
    }
}
