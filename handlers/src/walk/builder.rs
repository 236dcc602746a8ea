//! [`Builder`]: builds the JSON of the visited values.

use serde_json::{Map, Value};

use super::{Shown, Unread, Visitor, bytes};

/// Builds JSON, and reads all values.
pub(crate) struct Builder {
    open: Vec<Open>,
    json: Value,
    is_whole: bool,
    warnings: Vec<String>,
}

/// A map or a list that has not ended.
enum Open {
    /// A map, with the key of the next value.
    Map(Map<String, Value>, String),
    List(Vec<Value>),
}

impl Default for Builder {
    fn default() -> Self {
        Self { open: Vec::new(), json: Value::Null, is_whole: true, warnings: Vec::new() }
    }
}

impl Builder {
    /// Returns the JSON.
    pub(crate) fn finish(self) -> Value {
        self.json
    }

    /// Returns whether everything could be read.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Adds the warnings that only reading finds.
    pub(crate) fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn add(&mut self, value: Value) {
        match self.open.last_mut() {
            Some(Open::Map(map, key)) => drop(map.insert(std::mem::take(key), value)),
            Some(Open::List(list)) => list.push(value),
            None => self.json = value,
        }
    }
}

impl<'d> Visitor<'d> for Builder {
    fn map(&mut self) {
        self.open.push(Open::Map(Map::new(), String::new()));
    }

    fn list(&mut self) {
        self.open.push(Open::List(Vec::new()));
    }

    fn key(&mut self, name: &str) {
        if let Some(Open::Map(_, key)) = self.open.last_mut() {
            name.clone_into(key);
        }
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::Map(map, _)) => self.add(map.into()),
            Some(Open::List(list)) => self.add(list.into()),
            None => {}
        }
    }

    fn json(&mut self, value: &dyn Fn() -> Value) {
        self.add(value());
    }

    fn unread(&mut self, unread: Box<dyn Unread + 'd>) {
        let read = unread.read();
        self.is_whole &= read.is_ok();
        let Shown { value, raw, warning } = unread.show(read);
        let beside = match self.open.last() {
            Some(Open::Map(_, key)) => raw.map(|raw| (format!("{key}_raw"), raw)),
            _ => None,
        };
        self.add(value);
        if let Some((key, raw)) = beside {
            self.key(&key);
            self.add(bytes(&raw));
        }
        self.warnings.extend(warning);
    }
}
