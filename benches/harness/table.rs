//! Medians, ratios and tables.

use std::fmt;

/// A median and the quartiles around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    /// A quarter of the values is below.
    pub(crate) low: f64,
    /// Half of the values is below.
    pub(crate) median: f64,
    /// A quarter of the values is above.
    pub(crate) high: f64,
}

impl Spread {
    /// Returns that of some values; not a number if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |quarters: usize| match values.len() {
            0 => f64::NAN,
            len => {
                let place = (len - 1) * quarters;
                let (below, above) = (values[place / 4], values[place.div_ceil(4)]);
                below + (above - below) * [0.0, 0.25, 0.5, 0.75][place % 4]
            }
        };
        Self { low: at(1), median: at(2), high: at(3) }
    }

    /// Returns that of the ratios of values that were measured next to each other.
    pub(crate) fn of_ratios(values: &[f64], others: &[f64]) -> Self {
        Self::of(values.iter().zip(others).map(|(value, other)| value / other))
    }
}

/// Prints as a ratio with its quartiles; a dash if there are none.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { low, median, high } = self;
        if median.is_nan() {
            return f.write_str("-");
        }
        write!(f, "{median:.2} ({low:.2}-{high:.2})")
    }
}

/// Returns a ratio with what was promised, and whether that was kept; a dash if there is none.
pub(crate) fn against(ratio: Spread, promised: f64) -> String {
    if promised == 0.0 || ratio.median.is_nan() {
        return ratio.to_string();
    }
    let verdict = if ratio.median >= promised { "ok" } else { "LESS" };
    format!("{ratio}, {promised} {verdict}")
}

/// Returns bytes as people write them.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0 => "0 B".into(),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1024) => format!("{} KiB", bytes >> 10),
        _ if bytes.is_multiple_of(1000) => format!("{} kB", bytes / 1000),
        _ => format!("{bytes} B"),
    }
}

/// Returns a rate of messages of some size as messages per second, or as bytes for large ones.
pub(crate) fn rate(messages: f64, bytes: f64) -> String {
    match (bytes, messages) {
        _ if messages.is_nan() => "-".into(),
        (4096.0.., _) => format!("{:.2} GB/s", messages * bytes / 1e9),
        (_, 1e6..) => format!("{:.2} M/s", messages / 1e6),
        _ => format!("{:.0} k/s", messages / 1e3),
    }
}

/// A table whose columns are aligned; it is Markdown as well.
#[derive(Clone, Debug)]
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    /// Starts a table with the names of its columns.
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Self {
        Self(vec![columns.map(str::to_owned).to_vec()])
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<String>>) {
        self.0.push(cells.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        };
        let columns = self.0.first().map_or(0, Vec::len);
        let widths: Vec<_> = (0..columns).map(width).collect();
        for (index, row) in self.0.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")?;
            if index == 0 {
                for width in &widths {
                    write!(f, "| {:-<width$} ", "")?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
