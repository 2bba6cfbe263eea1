//! Containers that allocate once: the only place of the core that holds a growing collection.

use alloc::collections::VecDeque;

/// A queue of at most `capacity` items; the memory for all of them is taken at the start.
#[derive(Debug)]
pub struct Queue<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> Queue<T> {
    /// A queue for `capacity` items.
    pub fn with_capacity(capacity: usize) -> Queue<T> {
        Queue {
            items: VecDeque::with_capacity(capacity),
            capacity,
        }
    }

    /// Appends `item`, or gives it back when the queue is full.
    pub fn try_push(&mut self, item: T) -> Result<(), T> {
        if self.items.len() >= self.capacity {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Takes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Puts `item` before the one at `index`, or gives it back when the queue is full.
    pub fn try_insert(&mut self, index: usize, item: T) -> Result<(), T> {
        if self.items.len() >= self.capacity || index > self.items.len() {
            return Err(item);
        }
        self.items.insert(index, item);
        Ok(())
    }

    /// Keeps those that `keep` says of.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// The items, oldest first.
    pub const fn items(&self) -> &VecDeque<T> {
        &self.items
    }

    /// The same, to be changed.
    pub fn items_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> + '_ {
        self.items.iter_mut()
    }

    /// The item at `index`, to be changed.
    pub fn at_mut(&mut self, index: usize) -> Option<&mut T> {
        self.items.get_mut(index)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many more fit.
    pub fn room(&self) -> usize {
        self.capacity - self.items.len()
    }
}
