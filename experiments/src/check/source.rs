//! Scenario text and places in it.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::fault::{Fault, Faults, Problem};
use super::key::KeyPath;
use crate::shipped;

/// More than any sensible scenario: what is larger is some other file.
const MAX_LEN: usize = 4 << 20;

/// The notation of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// TOML.
    Toml,
    /// The same tree as JSON.
    Json,
}

/// The text of a scenario and where it comes from.
#[derive(Clone, Debug)]
pub struct Source {
    pub(crate) text: Arc<Text>,
    pub(crate) notation: Notation,
    /// Where files named in the scenario are looked for; without it none can be named.
    pub(crate) folder: Option<PathBuf>,
}

/// A piece of text with the name it is shown by.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    /// The name of the file.
    pub name: String,
    /// The text.
    pub text: String,
    /// Whether this is no file but an option of the command line.
    pub from_options: bool,
}

/// A range of bytes in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The text.
    pub text: Arc<Text>,
    /// Where in it.
    pub span: Range<usize>,
}

impl Source {
    /// A scenario in memory; `name` stands in messages where a file name would.
    pub fn new(name: &str, text: &str, notation: Notation) -> Self {
        let text = Arc::new(Text::file(name, text));
        Self { text, notation, folder: None }
    }

    /// The same; files named in the scenario are looked for in `folder`.
    #[must_use]
    pub fn in_folder(self, folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()), ..self }
    }

    /// Reads a scenario file: JSON if its name ends so, TOML otherwise.
    ///
    /// # Errors
    /// If it cannot be read, is too large to be a scenario, or is no text.
    pub fn read(path: &Path) -> Result<Self, Faults> {
        let text = read_text(path).map_err(|why| {
            let what = format!("cannot read the scenario: {why}");
            let place = Place::start_of(&Arc::new(Text::file(&path.display().to_string(), "")));
            Faults::from(Fault::new(place, KeyPath::root(), Problem::Unreadable(what)))
        })?;
        let json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
        let notation = if json { Notation::Json } else { Notation::Toml };
        let folder = path.parent().map(Path::to_path_buf);
        Ok(Self { folder, ..Self::new(&path.display().to_string(), &text, notation) })
    }

    /// The name of the file without folder and ending.
    pub(crate) fn stem(&self) -> &str {
        let stem = Path::new(&self.text.name).file_stem();
        stem.and_then(|stem| stem.to_str()).unwrap_or("scenario")
    }
}

/// A text file that a scenario in `folder` names, or why it cannot be had. One that is not there may
/// be one of those that come with mptcpsim.
pub(super) fn read_beside(folder: Option<&Path>, name: &str) -> Result<String, String> {
    let path = folder.map(|folder| folder.join(name));
    match (path, shipped::recorded(name)) {
        (Some(path), recorded) if recorded.is_none() || path.exists() => read_text(&path),
        (_, Some(text)) => Ok(text.to_owned()),
        (_, None) => {
            Err("the scenario is not in a file, so there is no folder to look in".to_owned())
        }
    }
}

/// The whole of a text file, or why it cannot be had.
pub(crate) fn read_text(path: &Path) -> Result<String, String> {
    if path.is_dir() {
        return Err(format!("`{}` is a folder, not a file", path.display()));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_LEN as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() > MAX_LEN {
        return Err(format!("it is larger than {} MiB", MAX_LEN >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (byte {at}, line {line})")
    })
}

impl Text {
    fn file(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), from_options: false }
    }
}

impl Place {
    /// The start of a text.
    pub(crate) fn start_of(text: &Arc<Text>) -> Self {
        Self { text: Arc::clone(text), span: 0..0 }
    }

    /// Line and column of the start, both from 1, columns in characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = self.text.text.get(..self.span.start).unwrap_or(&self.text.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }
}
