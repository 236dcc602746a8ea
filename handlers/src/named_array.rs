//! [`NamedArray`]: the arrays that a message holds, whatever its format.
//!
//! What the values of a message mean is left to the formats; what is no array is left to them too.

use crate::array::{Array, ArrayError};
use crate::bsread::{Channel, Value, ValueError};
use crate::compression::Options;
use crate::data::Data;
use crate::dectris::PixelError;
use crate::dectris::stream2::TypedArrayError;

/// An array of a message with its name in it, or why it cannot be read.
#[derive(Debug)]
pub struct NamedArray {
    /// What it is in its message.
    pub name: String,
    /// The array, decompressed.
    pub array: Result<Array, ReadError>,
}

/// Why an array of a message cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The pixels of an image.
    #[error(transparent)]
    Pixels(#[from] PixelError),
    /// A table of a detector.
    #[error(transparent)]
    Table(#[from] ArrayError),
    /// An array in CBOR.
    #[error(transparent)]
    Cbor(#[from] TypedArrayError),
    /// The value of a channel.
    #[error(transparent)]
    Value(#[from] ValueError),
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
    /// stream2       data.threshold_1, flatfield.threshold_1, …   the field, and the channel in it
    /// bsr_m         the names of the channels that hold an array
    /// ```
    ///
    /// Single values and texts of bsread are no arrays, nor is what other formats hold.
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
        match self {
            Self::Array(message) => {
                Box::new(message.data.iter().zip(1..).filter_map(|(array, part)| {
                    Some(named(format!("{part:03}"), Ok(array.clone()?)))
                }))
            }
            Self::Header(header) => {
                let tables = header.tables.iter().flat_map(|tables| {
                    [
                        ("flatfield", &tables.flatfield),
                        ("pixel_mask", &tables.pixel_mask),
                        ("countrate_table", &tables.countrate_table),
                    ]
                });
                Box::new(tables.map(|(name, table)| named(name, table.array().map_err(Into::into))))
            }
            Self::Image(image) => Box::new(std::iter::once_with(|| {
                named("image", image.pixels().map_err(Into::into))
            })),
            Self::Stream2(message) => {
                let arrays = message.arrays().into_iter();
                Box::new(arrays.map(|(name, array)| named(name, array.array().map_err(Into::into))))
            }
            Self::Bsread(message) => Box::new(message.channels().filter_map(channel)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

fn named(name: impl Into<String>, array: Result<Array, ReadError>) -> NamedArray {
    NamedArray { name: name.into(), array }
}

fn channel(channel: Channel<'_>) -> Option<NamedArray> {
    let array = match channel.read(&Options::default()) {
        Ok(Some(Value::Array(array))) => Ok(array),
        Ok(_) => return None,
        Err(error) => Err(error.into()),
    };
    Some(named(channel.name(), array))
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
