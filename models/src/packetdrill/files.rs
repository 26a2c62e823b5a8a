//! Files that a script makes, as far as their length goes: what is in them nobody sees.

use std::collections::BTreeMap;

/// Files by their path, and those that are open by their descriptor.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    lengths: BTreeMap<String, u64>,
    open: BTreeMap<i64, OpenFile>,
}

/// A file that is being read.
#[derive(Clone, Copy, Debug)]
struct OpenFile {
    len: u64,
    at: u64,
}

impl Files {
    /// A file of `len` bytes.
    pub(super) fn make(&mut self, path: &str, len: u64) {
        self.lengths.insert(path.to_owned(), len);
    }

    /// It is there no longer; who has it open has it still.
    pub(super) fn remove(&mut self, path: &str) {
        self.lengths.remove(path);
    }

    /// Opens a file to read it; false if there is none.
    pub(super) fn open(&mut self, fd: i64, path: &str) -> bool {
        let Some(&len) = self.lengths.get(path) else { return false };
        self.open.insert(fd, OpenFile { len, at: 0 });
        true
    }

    /// Closes it; false if there is none.
    pub(super) fn close(&mut self, fd: i64) -> bool {
        self.open.remove(&fd).is_some()
    }

    /// How many of `bytes` bytes can be read from `offset` on, or else from where the file stands;
    /// none if the descriptor is no file's.
    pub(super) fn left(&self, fd: i64, offset: Option<u64>, bytes: u64) -> Option<u64> {
        let file = self.open.get(&fd)?;
        Some(bytes.min(file.len.saturating_sub(offset.unwrap_or(file.at))))
    }

    /// So many bytes were read.
    pub(super) fn advance(&mut self, fd: i64, bytes: u64) {
        if let Some(file) = self.open.get_mut(&fd) {
            file.at += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_end() {
        let mut files = Files::default();
        files.make("a", 5);
        assert!(files.open(3, "a") && !files.open(4, "b"));
        assert_eq!(files.left(3, None, 3), Some(3));
        files.advance(3, 3);
        assert_eq!(files.left(3, None, 3), Some(2));
        assert_eq!(files.left(3, Some(1), 9), Some(4));
        assert_eq!(files.left(3, Some(9), 9), Some(0));
        assert_eq!(files.left(4, None, 1), None);
        files.remove("a");
        assert!(files.close(3) && !files.open(3, "a") && !files.close(3));
    }
}
