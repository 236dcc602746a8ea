//! The messages with their fields: [`Start`], [`Image`], [`End`], and [`Other`] ones.

use bytes::Bytes;

use super::field::{ByName, Field};
use super::fields::{Entries, Fields, Received, fields};
use super::typed_array::TypedArray;
use crate::cbor::{Cbor, Item, Key, Writer, pairs};
use crate::header::{DateTime, Rational};

fields! {
    /// A message of the type `start`, sent when the detector is armed: its configuration.
    ///
    /// `countrate_correction_lookup_table`, `flatfield` and `pixel_mask` are there if the detector
    /// was set to send all.
    ///
    /// ```
    /// use mflow_handlers::dectris::stream2::{Start, Stream2};
    ///
    /// let start = Start {
    ///     channels: Some(vec!["threshold_1".into()]),
    ///     incident_energy: Some(12_400.0),
    ///     ..Start::new(4, "01HBV3JPF9T4ZDPADX6EMK6XMZ")
    /// };
    /// assert_eq!(Stream2::from(start).series_id(), Some(4));
    /// ```
    Start {
        /// The number of the series.
        series_id: u64,
        /// The name of the series, which no other has.
        series_unique_id: String,
        /// When the detector was armed.
        arm_date: DateTime,
        /// Where the beam hits the detector, in pixels from the left.
        beam_center_x: f64,
        /// Where the beam hits the detector, in pixels from the top.
        beam_center_y: f64,
        /// The names of the channels of an image, in their order.
        channels: Vec<String>,
        /// How long each image is exposed, in seconds.
        count_time: f64,
        /// Whether pixels are corrected for their rate of counts.
        countrate_correction_enabled: bool,
        /// The corrected count of each count.
        countrate_correction_lookup_table: TypedArray,
        /// The name of the detector.
        detector_description: String,
        /// The serial number of the detector.
        detector_serial_number: String,
        /// Where the detector stands, in metres from the sample.
        detector_translation: [f64; 3],
        /// The flatfield of each channel, `float32`, `[height, width]`.
        flatfield: ByName<TypedArray>,
        /// Whether pixels are corrected by the flatfield.
        flatfield_enabled: bool,
        /// The time from one image to the next, in seconds.
        frame_time: f64,
        /// The axes of the goniometer: `chi`, `kappa`, `omega`, `phi`, `two_theta`, or some of them.
        goniometer: ByName<Axis>,
        /// The type of the pixels: `uint8`, `uint16` or `uint32`.
        image_dtype: String,
        /// The width of an image, in pixels.
        image_size_x: u64,
        /// The height of an image, in pixels.
        image_size_y: u64,
        /// The energy of the photons, in electronvolts.
        incident_energy: f64,
        /// The wavelength of the photons, in ångströms.
        incident_wavelength: f64,
        /// How many images the series has.
        number_of_images: u64,
        /// The pixel mask of each channel, `uint32`, `[height, width]`: 0 for a good pixel.
        pixel_mask: ByName<TypedArray>,
        /// Whether the pixel mask is applied.
        pixel_mask_enabled: bool,
        /// The width of a pixel, in metres.
        pixel_size_x: f64,
        /// The height of a pixel, in metres.
        pixel_size_y: f64,
        /// The count from which on a pixel is saturated.
        saturation_value: u64,
        /// What the sensor is made of, as `Si`.
        sensor_material: String,
        /// How thick the sensor is, in metres.
        sensor_thickness: f64,
        /// The threshold of each channel, in electronvolts. There may be more than channels.
        threshold_energy: ByName<f64>,
        /// What the user wanted to be sent.
        user_data: Cbor,
        /// Whether pixels between chips are interpolated.
        virtual_pixel_interpolation_enabled: bool,
    } {
        /// Parts that the format does not know.
        more_parts: Vec<Bytes>,
        /// The part that this was decoded from.
        received: Received,
    }
}

fields! {
    /// A message of the type `image`: one image of every channel, with its times.
    ///
    /// ```
    /// use mflow_handlers::Array;
    /// use mflow_handlers::dectris::stream2::{Image, TypedArray};
    ///
    /// let pixels = Array::from_elements(&[1_u16, 2, 3, 4, 5, 6], &[2, 3])?;
    /// let mut image = Image::new(4, "01HBV3JPF9T4ZDPADX6EMK6XMZ", 17);
    /// image.push_channel("threshold_1", TypedArray::new(&pixels)?);
    /// assert_eq!(image.channel("threshold_1").unwrap().array()?, pixels);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Image {
        /// The number of the series.
        series_id: u64,
        /// The name of the series, which no other has.
        series_unique_id: String,
        /// The number of the image in its series, from 0.
        image_id: u64,
        /// How long the image was exposed, in seconds.
        real_time: Rational,
        /// When the series began.
        series_date: DateTime,
        /// When the exposure began, in seconds from `series_date`.
        start_time: Rational,
        /// When the exposure ended, in seconds from `series_date`.
        stop_time: Rational,
        /// What the user wanted to be sent.
        user_data: Cbor,
        /// The pixels of each channel, `[height, width]`.
        data: ByName<TypedArray>,
    } {
        /// Parts that the format does not know.
        more_parts: Vec<Bytes>,
        /// The part that this was decoded from.
        received: Received,
    }
}

fields! {
    /// A message of the type `end`: the series is over, or was aborted.
    End {
        /// The number of the series.
        series_id: u64,
        /// The name of the series, which no other has.
        series_unique_id: String,
    } {
        /// Parts that the format does not know.
        more_parts: Vec<Bytes>,
        /// The part that this was decoded from.
        received: Received,
    }
}

fields! {
    /// An axis of the goniometer.
    Axis {
        /// By how much it turns from one image to the next, in degrees.
        increment: f64,
        /// Where it stands at the first image, in degrees.
        start: f64,
    }
}

/// A message of another type, or of none: its keys and values as they were sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Other {
    /// All keys, `type` among them, and their values.
    pub entries: Entries,
    /// Parts that the format does not know.
    pub more_parts: Vec<Bytes>,
    /// The part that this was decoded from.
    pub received: Received,
}

impl Start {
    /// Makes a message that has the series only.
    pub fn new(series_id: u64, series_unique_id: &str) -> Self {
        Self {
            series_id: Some(series_id),
            series_unique_id: Some(series_unique_id.to_owned()),
            ..Self::default()
        }
    }
}

impl Image {
    /// Makes an image without channels and times.
    pub fn new(series_id: u64, series_unique_id: &str, image_id: u64) -> Self {
        Self {
            series_id: Some(series_id),
            series_unique_id: Some(series_unique_id.to_owned()),
            image_id: Some(image_id),
            ..Self::default()
        }
    }

    /// Adds a channel behind the others.
    pub fn push_channel(&mut self, name: &str, pixels: TypedArray) {
        self.data.get_or_insert_default().0.push((name.to_owned(), pixels));
    }

    /// Returns the pixels of a channel.
    pub fn channel(&self, name: &str) -> Option<&TypedArray> {
        self.data.as_ref()?.get(name)
    }

    /// Returns the names and pixels of the channels in their order.
    pub fn channels(&self) -> impl Iterator<Item = (&str, &TypedArray)> {
        self.data.iter().flatten().map(|(name, pixels)| (name.as_str(), pixels))
    }
}

impl End {
    /// Makes the end of a series.
    pub fn new(series_id: u64, series_unique_id: &str) -> Self {
        Self {
            series_id: Some(series_id),
            series_unique_id: Some(series_unique_id.to_owned()),
            ..Self::default()
        }
    }
}

impl Other {
    /// Makes a message of a type of the sender's own.
    pub fn new(r#type: &str) -> Self {
        let mut entries = Entries::default();
        entries.push("type", Cbor::write(|writer| writer.text(r#type)));
        Self { entries, ..Self::default() }
    }

    /// Returns the type, if the message has one.
    pub fn r#type(&self) -> Option<String> {
        self.entries.get("type").and_then(|value| String::read(value.item()))
    }
}

impl Fields for Other {
    fn fill(&mut self, key: &Key<'_>, value: Item<'_>) {
        self.entries.keep(key.item, value);
    }

    fn count(&self) -> usize {
        self.entries.0.len()
    }

    fn write(&self, writer: &mut Writer) {
        self.entries.write(writer);
    }

    fn is_same(&self, other: &Self) -> bool {
        self.entries == other.entries
    }

    fn extra(&self) -> &Entries {
        &self.entries
    }

    fn expected(_: &str) -> Option<&'static str> {
        None
    }

    fn levels(_: &str) -> Option<usize> {
        None
    }

    fn arrays(&self, _: &mut dyn FnMut(&str, &TypedArray)) {}
}

impl Field for Axis {
    const EXPECTED: &'static str = "a map";

    fn read(item: Item<'_>) -> Option<Self> {
        let mut axis = Self::default();
        pairs(item)?.into_iter().for_each(|(key, value)| axis.fill(&key, value));
        Some(axis)
    }

    fn write(&self, writer: &mut Writer) {
        writer.map(self.count());
        Fields::write(self, writer);
    }

    fn is_same(&self, other: &Self) -> bool {
        Fields::is_same(self, other)
    }
}
