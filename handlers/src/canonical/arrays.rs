//! [`NamedArray`]: the arrays that a message holds, whatever its format.
//!
//! The formats know where the arrays are: they walk their values.

use serde_json::Value;

use crate::array::Array;
use crate::data::Data;
use crate::walk::{Read, ReadError, Unread, Visitor};

/// An array of a message with its name in it, or why it cannot be read.
#[derive(Debug)]
pub struct NamedArray {
    /// What it is in its message.
    pub name: String,
    /// The array, decompressed.
    pub array: Result<Array, ReadError>,
}

/// The arrays of a message, each read when it is its turn.
type Arrays<'d> = Box<dyn Iterator<Item = NamedArray> + 'd>;

impl Data {
    /// Returns the arrays of the message with their names, decompressing each when it is its turn.
    ///
    /// ```text
    /// array-1.0     001, 002, …      the number of the part, the header being 000
    /// dheader-1.0   flatfield, pixel_mask, countrate_table
    /// dimage-1.0    image
    /// stream2       data.threshold_1, images.0.profile, …   the path of keys and indices
    /// bsr_m         the names of the channels that hold an array
    /// ```
    ///
    /// These are all arrays that the [canonical](crate::canonical()) JSON shows. Single values and
    /// texts of bsread are no arrays. Other formats have no arrays. A value that should be readable
    /// and is not is returned with its error, also if it would not have been an array.
    ///
    /// ```
    /// use mflow_handlers::{Array, ArrayMessage, Data};
    ///
    /// let array = Array::from_elements(&[1_u8, 2], &[2])?;
    /// let data = Data::from(ArrayMessage::new(array.clone()));
    /// let named = data.arrays().next().unwrap();
    /// assert_eq!((named.name.as_str(), named.array?), ("001", array));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn arrays(&self) -> Arrays<'_> {
        let mut collector = Collector::default();
        self.walk(&mut collector);
        let read = |(name, unread): (String, Box<dyn Unread + '_>)| match unread.read() {
            Ok(Read::Array(array)) => Some(NamedArray { name, array: Ok(array) }),
            Ok(_) => None,
            Err(error) => Some(NamedArray { name, array: Err(error) }),
        };
        Box::new(collector.found.into_iter().filter_map(read))
    }
}

/// Collects the values to be read, with their names.
#[derive(Default)]
struct Collector<'d> {
    path: Vec<Step>,
    found: Vec<(String, Box<dyn Unread + 'd>)>,
}

/// A step of a path: the key of a map, or the index of a list, of the value that is next.
enum Step {
    Key(String),
    Index(usize),
}

impl Collector<'_> {
    /// Steps to the next value of a list.
    fn step(&mut self) {
        if let Some(Step::Index(index)) = self.path.last_mut() {
            *index += 1;
        }
    }

    fn name(&self) -> String {
        let steps = self.path.iter().map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        });
        steps.collect::<Vec<_>>().join(".")
    }
}

impl<'d> Visitor<'d> for Collector<'d> {
    fn map(&mut self) {
        self.path.push(Step::Key(String::new()));
    }

    fn list(&mut self) {
        self.path.push(Step::Index(0));
    }

    fn key(&mut self, name: &str) {
        if let Some(Step::Key(key)) = self.path.last_mut() {
            name.clone_into(key);
        }
    }

    fn end(&mut self) {
        self.path.pop();
        self.step();
    }

    fn json(&mut self, _: &dyn Fn() -> Value) {
        self.step();
    }

    fn unread(&mut self, unread: Box<dyn Unread + 'd>) {
        let name = unread.name().unwrap_or_else(|| self.name());
        self.found.push((name, unread));
        self.step();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::bsread::{DataHeader, Definition, Kind, Pulse, Timestamp};
    use crate::dectris::stream2::{self, Stream2, TypedArray};
    use crate::dectris::{Image, stream2::Cbor};

    fn pixels() -> Array {
        Array::from_elements(&[1_u16, 2, 3, 4, 5, 6], &[2, 3]).unwrap()
    }

    /// Returns the names, and what could be read under each.
    fn read(data: &Data) -> Vec<(String, Option<Array>)> {
        data.arrays().map(|named| (named.name, named.array.ok())).collect()
    }

    #[test]
    fn an_image_has_its_pixels_or_the_reason_why_not() {
        let mut image = Image::new(4, 17, &pixels());
        assert_eq!(read(&image.clone().into()), [("image".into(), Some(pixels()))]);
        image.blob = Bytes::from_static(b"short");
        assert_eq!(read(&image.into()), [("image".into(), None)]);
    }

    #[test]
    fn a_stream2_image_has_the_pixels_of_each_channel_and_what_else_is_an_array() {
        let typed = TypedArray::new(&pixels()).unwrap();
        let mut image = stream2::Image::new(4, "x", 17);
        image.push_channel("threshold_1", typed.clone());
        image.extra.push("more", typed.cbor().clone());
        image.extra.push("number", Cbor::parse(Bytes::from_static(&[7])).unwrap());
        let expected = ["data.threshold_1", "more"].map(|name| (name.into(), Some(pixels())));
        assert_eq!(read(&Stream2::from(image).into()), expected);
    }

    #[test]
    fn bsread_has_the_channels_that_are_arrays() {
        let header = DataHeader::new([
            Definition::new("CURRENT", Kind::Float64),
            Definition::new("CAMERA", Kind::Uint16).with_shape(&[2, 3]),
            Definition::new("MISSING", Kind::Uint16).with_shape(&[2, 3]),
        ]);
        let mut pulse = Pulse::new(&header.unwrap(), 500, Timestamp::new(1, 0));
        pulse.set("CURRENT", 1.5).unwrap();
        pulse.set("CAMERA", pixels()).unwrap();
        assert_eq!(read(&pulse.finish().into()), [("CAMERA".into(), Some(pixels()))]);
    }
}
