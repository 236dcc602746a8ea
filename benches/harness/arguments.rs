//! The command line of a bench: `cargo bench --bench NAME -- [--quick] [--runs N] [--sizes A,B]`.

use std::io::{Write, stdout};
use std::time::Duration;

use mflow::cli::parse_size;

use super::{Result, baseline, machine};

/// How to measure.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    /// How many times each side runs, in turns.
    pub(crate) runs: usize,
    /// Sizes to measure instead of those of the bench.
    pub(crate) sizes: Option<Vec<usize>>,
    /// Time between the rates that a receiver prints.
    pub(crate) interval: Duration,
    /// How many rates to wait for before those that count.
    pub(crate) warm_up: usize,
    /// How many rates count.
    pub(crate) counted: usize,
    /// Whether less is done, to see that everything works.
    pub(crate) quick: bool,
}

impl Arguments {
    /// Reads the command line, and prints on which machine this is. Returns nothing if this process
    /// is one of the baselines, which has then run, or if no bench was requested (`cargo test` runs
    /// them too).
    pub(crate) fn read() -> Result<Option<Self>> {
        let mut given = std::env::args().skip(1).peekable();
        if given.next_if_eq(baseline::ROLE).is_some() {
            return baseline::serve(&given.collect::<Vec<_>>()).map(|()| None);
        }
        let mut arguments = Self {
            runs: 9,
            sizes: None,
            interval: Duration::from_millis(250),
            warm_up: 2,
            counted: 6,
            quick: false,
        };
        let mut asked = false;
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or(format!("'{argument}' needs a value"));
            match argument.as_str() {
                "--bench" => asked = true,
                "--quick" => {
                    (arguments.runs, arguments.warm_up, arguments.counted) = (3, 1, 3);
                    arguments.quick = true;
                }
                "--runs" => arguments.runs = value()?.parse::<usize>()?.max(1),
                "--sizes" => {
                    let sizes = value()?;
                    let sizes =
                        sizes.split(',').map(|size| parse_size(size).map(|size| size.bytes));
                    arguments.sizes = Some(sizes.collect::<std::result::Result<_, _>>()?);
                }
                _ => return Err(format!("'{argument}' is not an option of this bench").into()),
            }
        }
        if asked {
            writeln!(stdout(), "{}", machine::describe())?;
        }
        Ok(asked.then_some(arguments))
    }

    /// Returns the sizes that were asked for, or else those of the bench.
    pub(crate) fn sizes_or(&self, sizes: &[usize]) -> Vec<usize> {
        self.sizes.clone().unwrap_or_else(|| sizes.to_vec())
    }
}
