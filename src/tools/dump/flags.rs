//! [`Flags`]: the pixels of an image that are flagged by the header of its series.

use mflow_handlers::dectris::stream2::{Stream2, TypedArray};
use mflow_handlers::{Array, Data, Json};

/// The pixels that hold no measured value, by the header of a series.
///
/// A mask has a byte for each pixel of the detector. Each channel may have a mask.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Flags {
    series: Option<u64>,
    /// The count from which on a pixel is saturated.
    saturation: Option<u64>,
    masks: Vec<Mask>,
}

/// Which pixels are masked, in C order.
#[derive(Clone, Debug, PartialEq)]
struct Mask {
    /// The channel that it is for; every image if there is none.
    channel: Option<String>,
    shape: Vec<usize>,
    is_masked: Vec<bool>,
}

impl Flags {
    /// Reads the header of a series; `None` if the message is not one.
    pub(super) fn of_header(data: &Data) -> Option<Self> {
        match data {
            Data::Header(header) => {
                let table = header.tables.as_ref().map(|tables| tables.pixel_mask.array());
                Some(Self {
                    series: header.series(),
                    saturation: header.config.as_ref().and_then(saturation),
                    masks: table
                        .and_then(Result::ok)
                        .map(|it| Mask::new(None, &it))
                        .into_iter()
                        .collect(),
                })
            }
            Data::Stream2(message) => match &**message {
                Stream2::Start(start) => {
                    let masks = start.pixel_mask.iter().flatten();
                    let read = |(channel, mask): &(String, TypedArray)| {
                        Some(Mask::new(Some(channel), &mask.array().ok()?))
                    };
                    Some(Self {
                        series: start.series_id,
                        saturation: start.saturation_value.filter(|&count| count > 0),
                        masks: masks.filter_map(read).collect(),
                    })
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the count from which on the pixels of an image are saturated.
    pub(super) fn saturation(&self) -> Option<u64> {
        self.saturation
    }

    /// Returns the mask of an image, by its name and shape, in C order.
    pub(super) fn mask(&self, name: &str, shape: &[usize]) -> Option<&[bool]> {
        let is_of = |mask: &&Mask| {
            let channel = mask.channel.as_deref();
            mask.shape == shape
                && channel.is_none_or(|channel| name.strip_prefix("data.") == Some(channel))
        };
        self.masks.iter().find(is_of).map(|mask| &*mask.is_masked)
    }

    /// Returns whether the header belongs to the images of a message. It does if one of the two has
    /// no series.
    pub(super) fn is_for(&self, data: &Data) -> bool {
        let series = match data {
            Data::Image(image) => image.series(),
            Data::Stream2(message) => match &**message {
                Stream2::Image(image) => image.series_id,
                _ => return false,
            },
            _ => return false,
        };
        series.is_none() || self.series.is_none() || series == self.series
    }
}

/// Reads the count from which on pixels are saturated. In the stream V1 it is the limit of the
/// count-rate correction.
fn saturation(config: &Json) -> Option<u64> {
    let keys = ["saturation_value", "countrate_correction_count_cutoff"];
    let count = |key| config.get(key)?.as_u64().filter(|&count| count > 0);
    keys.into_iter().find_map(count)
}

impl Mask {
    /// Reads a mask, in which a good pixel is 0.
    fn new(channel: Option<&str>, mask: &Array) -> Self {
        let pixels = mask.bytes().chunks_exact(mask.dtype().size());
        Self {
            channel: channel.map(str::to_owned),
            shape: mask.shape().to_vec(),
            is_masked: pixels.map(|pixel| pixel.iter().any(|&byte| byte != 0)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use mflow_handlers::dectris::stream2::{Image, Start};
    use mflow_handlers::{Message, Registry};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_header_of_the_first_stream_flags_pixels_of_every_image_of_its_series() {
        let header = json!({"htype": "dheader-1.0", "series": 4, "header_detail": "all"});
        let table = json!({"shape": [2, 1], "type": "uint32"}).to_string();
        let mask = vec![0, 0, 0, 0, 0, 1, 0, 0];
        let parts: Vec<Vec<u8>> = vec![
            header.to_string().into(),
            json!({"countrate_correction_count_cutoff": 100}).to_string().into(),
            table.clone().into(),
            mask.clone(),
            table.clone().into(),
            mask.clone(),
            table.into(),
            mask,
        ];
        let data = Registry::default().decode(Message::new(parts.into_iter().map(Into::into)));
        let flags = Flags::of_header(&data).unwrap();
        assert_eq!(flags.saturation(), Some(100));
        assert_eq!(flags.mask("image", &[1, 2]), Some(&[false, true][..]));
        assert_eq!(flags.mask("image", &[2, 1]), None);
        let image = |series| {
            let pixels = Array::from_elements(&[1_u16, 2], &[1, 2]).unwrap();
            mflow_handlers::dectris::Image::new(series, 0, &pixels).into()
        };
        assert!(flags.is_for(&image(4)));
        assert!(!flags.is_for(&image(5)));
        assert_eq!(Flags::of_header(&image(4)), None);
    }

    #[test]
    fn a_start_of_the_second_stream_flags_pixels_of_its_channels() {
        let typed = TypedArray::new(&Array::from_elements(&[0_u32, 8], &[1, 2]).unwrap()).unwrap();
        let start = Start {
            pixel_mask: Some([("threshold_1", typed)].into_iter().collect()),
            saturation_value: Some(7),
            ..Start::new(4, "x")
        };
        let flags = Flags::of_header(&Stream2::from(start).into()).unwrap();
        assert_eq!(flags.saturation(), Some(7));
        assert_eq!(flags.mask("data.threshold_1", &[1, 2]), Some(&[false, true][..]));
        assert_eq!(flags.mask("data.threshold_2", &[1, 2]), None);
        assert!(flags.is_for(&Stream2::from(Image::new(4, "x", 0)).into()));
        assert!(!flags.is_for(&Stream2::from(Image::new(5, "y", 0)).into()));
    }
}
