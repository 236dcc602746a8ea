//! [`Png`]: an image as a picture to look at.

use std::io::{self, Write};
use std::sync::Arc;

use half::f16;
use mflow_handlers::{Array, Data, Dtype, Element};
use png::{BitDepth, ColorType, Compression, Encoder, Filter};

use super::array_folder::ArrayFile;
use super::flags::Flags;
use crate::endpoint::Origin;
use crate::routing::BySource;

/// The colour of a pixel without value: in the palette behind all grays.
const MASKED: u8 = 255;
/// A red that is dark enough not to hide the image behind the gaps of the detector.
const MASKED_COLOUR: [u8; 3] = [110, 30, 50];
/// The brightest gray of the palette.
const WHITE: u8 = MASKED - 1;
/// How many pixels at most decide the scale: more would not change it.
const SAMPLED: usize = 1 << 20;
/// The share of pixels that are at least black, and the one that are at most white.
const BLACK_SHARE: f64 = 0.01;
const WHITE_SHARE: f64 = 0.995;
/// The share of the pixels brighter than black that are not all white, if these are few.
const BRIGHTER_SHARE: f64 = 0.9;

/// Writes images as pictures of 8 bits: 255 grays, and a dark red for pixels without value.
///
/// An image is an array of two dimensions, or the first plane of one of three; not of complex
/// numbers, and not without pixels. These values flag gaps, bad and saturated pixels, and are shown
/// as pixels without value:
///
/// ```text
/// unsigned types   the greatest two values; of 8 bits the greatest alone
/// signed types     the least two values, and the greatest
/// floats           NaN and infinities
/// any type         pixels that are masked or saturated by the header of the series, if it was seen
/// ```
///
/// The darkest 1 % of the other pixels are black, the brightest 0.5 % white, and the scale between
/// is linear. If these two values are equal, as in images with few photons, white is the value that
/// 90 % of the brighter pixels do not exceed: so each photon is visible. Percentiles are taken of
/// at most 2^20 pixels, evenly spread.
#[derive(Clone, Debug)]
pub struct Png {
    headers: BySource<Arc<Flags>>,
    /// The flags of the series of the current message.
    flags: Arc<Flags>,
}

impl Default for Png {
    fn default() -> Self {
        let flags = Arc::<Flags>::default();
        Self { headers: BySource::new(Arc::clone(&flags)), flags }
    }
}

impl ArrayFile for Png {
    const EXTENSION: &'static str = "png";

    fn observe(&mut self, origin: &Arc<Origin>, data: &Data) {
        if let Some(flags) = Flags::of_header(data) {
            *self.headers.of(origin) = Arc::new(flags);
        }
        let header = self.headers.of(origin);
        self.flags = if header.is_for(data) { Arc::clone(header) } else { Arc::default() };
    }

    fn accepts(&self, array: &Array) -> bool {
        let is_real = !matches!(array.dtype(), Dtype::Complex64 | Dtype::Complex128);
        is_real && extents(array).is_some()
    }

    fn write(&self, name: &str, array: &Array, out: &mut dyn Write) -> io::Result<()> {
        let Some((width, height)) = extents(array) else { return Ok(()) };
        let plane = &array.shape()[array.shape().len() - 2..];
        let flagged =
            Flagged { mask: self.flags.mask(name, plane), saturation: self.flags.saturation() };
        let pixels = match array.dtype() {
            Dtype::Uint8 => grays::<u8>(array, &flagged),
            Dtype::Uint16 => grays::<u16>(array, &flagged),
            Dtype::Uint32 => grays::<u32>(array, &flagged),
            Dtype::Uint64 => grays::<u64>(array, &flagged),
            Dtype::Int8 => grays::<i8>(array, &flagged),
            Dtype::Int16 => grays::<i16>(array, &flagged),
            Dtype::Int32 => grays::<i32>(array, &flagged),
            Dtype::Int64 => grays::<i64>(array, &flagged),
            Dtype::Bool => grays::<u8>(array, &flagged),
            Dtype::Float16 => grays::<f16>(array, &flagged),
            Dtype::Float32 => grays::<f32>(array, &flagged),
            Dtype::Float64 => grays::<f64>(array, &flagged),
            Dtype::Complex64 | Dtype::Complex128 => return Ok(()),
        };
        let mut encoder = Encoder::new(out, width, height);
        encoder.set_color(ColorType::Indexed);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        encoder.set_filter(Filter::NoFilter);
        encoder.set_palette(palette());
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&pixels)?;
        Ok(writer.finish()?)
    }
}

/// Returns width and height of the image, or of its first plane.
fn extents(array: &Array) -> Option<(u32, u32)> {
    let (height, width) = match *array.shape() {
        [height, width] => (height, width),
        [planes, height, width] if planes > 0 => (height, width),
        _ => return None,
    };
    // PNG has 31 bits for each.
    let extent = |extent: usize| u32::try_from(extent).ok().filter(|n| (1..1 << 31).contains(n));
    Some((extent(width)?, extent(height)?))
}

fn palette() -> Vec<u8> {
    let grays = (0..=WHITE).map(|gray| {
        let level = u16::from(gray) * 255 / u16::from(WHITE);
        [u8::try_from(level).expect("WHITE is the brightest"); 3]
    });
    grays.chain([MASKED_COLOUR]).flatten().collect()
}

/// The flags of the pixels by the header of the series.
#[derive(Clone, Copy, Debug, Default)]
struct Flagged<'a> {
    mask: Option<&'a [bool]>,
    saturation: Option<u64>,
}

/// Returns the place in the palette of each pixel of the first plane.
fn grays<P: Pixel>(array: &Array, flagged: &Flagged<'_>) -> Vec<u8> {
    let plane = array.shape().iter().rev().take(2).product();
    let elements = array.elements::<P>().expect("the type is that of the array");
    let pixels = Pixels { pixels: &elements[..plane], flagged: *flagged };
    let (black, white) = scale(&pixels);
    // Half of each, so that nothing overflows.
    let range = white / 2.0 - black / 2.0;
    let gray = |value: f64| {
        let share = if range > 0.0 { (value / 2.0 - black / 2.0) / range } else { 0.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of no more than one, rounded"
        )]
        let gray = (share.clamp(0.0, 1.0) * f64::from(WHITE)).round() as u8;
        gray
    };
    pixels.values(1).map(|value| value.map_or(MASKED, gray)).collect()
}

/// The pixels of a plane.
struct Pixels<'a, P> {
    pixels: &'a [P],
    flagged: Flagged<'a>,
}

impl<P: Pixel> Pixels<'_, P> {
    /// Returns the value of each `step`-th pixel, none if it is flagged.
    fn values(&self, step: usize) -> impl Iterator<Item = Option<f64>> {
        let Flagged { mask, saturation } = self.flagged;
        #[expect(clippy::cast_precision_loss, reason = "the difference cannot be seen")]
        let saturation = saturation.map_or(f64::INFINITY, |count| count as f64);
        (0..self.pixels.len()).step_by(step).map(move |index| {
            let is_masked = mask.is_some_and(|mask| mask[index]);
            self.pixels[index].value().filter(|&value| !is_masked && value < saturation)
        })
    }
}

/// Returns the values that are black and white.
fn scale<P: Pixel>(pixels: &Pixels<'_, P>) -> (f64, f64) {
    let step = pixels.pixels.len().div_ceil(SAMPLED).max(1);
    let sample = sorted(pixels.values(step).flatten());
    let (Some(black), Some(white)) = (at(&sample, BLACK_SHARE), at(&sample, WHITE_SHARE)) else {
        return (0.0, 0.0);
    };
    if white > black {
        return (black, white);
    }
    // They are few, and the sample may have none of them.
    let brighter = sorted(pixels.values(1).flatten().filter(|&value| value > black));
    (black, at(&brighter, BRIGHTER_SHARE).unwrap_or(black))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Returns the value that a share of sorted ones do not exceed, none if there are none.
fn at(sorted: &[f64], share: f64) -> Option<f64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of no more than one, rounded"
    )]
    let index = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(index).copied()
}

/// An element that can be shown.
trait Pixel: Element {
    /// Returns the value; none if detectors use it as a flag.
    fn value(self) -> Option<f64>;
}

macro_rules! pixels {
    ($($element:ty: |$pixel:ident| $value:expr;)*) => {$(
        impl Pixel for $element {
            #[allow(clippy::cast_precision_loss, reason = "the difference cannot be seen")]
            fn value(self) -> Option<f64> {
                let $pixel = self;
                $value
            }
        }
    )*};
}

pixels! {
    u8: |pixel| (pixel != Self::MAX).then(|| pixel.into());
    u16: |pixel| (pixel < Self::MAX - 1).then(|| pixel.into());
    u32: |pixel| (pixel < Self::MAX - 1).then(|| pixel.into());
    u64: |pixel| (pixel < Self::MAX - 1).then_some(pixel as f64);
    i8: |pixel| (Self::MIN + 2..Self::MAX).contains(&pixel).then(|| pixel.into());
    i16: |pixel| (Self::MIN + 2..Self::MAX).contains(&pixel).then(|| pixel.into());
    i32: |pixel| (Self::MIN + 2..Self::MAX).contains(&pixel).then(|| pixel.into());
    i64: |pixel| (Self::MIN + 2..Self::MAX).contains(&pixel).then_some(pixel as f64);
    f16: |pixel| Some(pixel.into()).filter(|value: &f64| value.is_finite());
    f32: |pixel| Some(pixel.into()).filter(|value: &f64| value.is_finite());
    f64: |pixel| Some(pixel).filter(|value| value.is_finite());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grays<P: Pixel>(array: &Array) -> Vec<u8> {
        super::grays::<P>(array, &Flagged::default())
    }

    #[test]
    fn the_scale_goes_from_one_percentile_to_the_other() {
        let values: Vec<u16> = (0..=1000).collect();
        let pixels = Pixels { pixels: &values[..], flagged: Flagged::default() };
        assert_eq!(scale(&pixels), (10.0, 995.0));
        let array = Array::from_elements(&values, &[7, 143]).unwrap();
        let grays = grays::<u16>(&array);
        assert_eq!((grays[0], grays[10], grays[995], grays[1000]), (0, 0, WHITE, WHITE));
        assert_eq!(grays[503], 127);
    }

    #[test]
    fn few_photons_are_seen_and_no_value_has_its_colour() {
        let mut values = vec![0_u32; 100_000];
        values[5] = 1;
        values[50_000..50_100].fill(1);
        values[60_000] = 9000;
        values[6] = u32::MAX;
        let grays = grays::<u32>(&Array::from_elements(&values, &[10, 10_000]).unwrap());
        assert_eq!(grays[4..8], [0, WHITE, MASKED, 0]);
    }

    #[test]
    fn what_is_no_number_has_its_colour_and_all_alike_is_black() {
        let array = |values: &[f32]| Array::from_elements(values, &[1, values.len()]).unwrap();
        let all = grays::<f32>(&array(&[f32::NAN, -1.0, f32::INFINITY, 3.0]));
        assert_eq!(all, [MASKED, 0, MASKED, WHITE]);
        assert_eq!(grays::<f32>(&array(&[2.0, 2.0])), [0, 0]);
        assert_eq!(grays::<f32>(&array(&[f32::NAN])), [MASKED]);
        assert_eq!(
            grays::<f64>(&Array::from_elements(&[f64::MIN, f64::MAX], &[2, 1]).unwrap()).len(),
            2
        );
    }

    #[test]
    fn values_that_detectors_use_as_flags_have_their_colour_and_do_not_change_the_scale() {
        fn check<P: Pixel>(flags: &[P], [black, white]: [P; 2]) {
            let pixels = [&[black, white], flags].concat();
            let grays = grays::<P>(&Array::from_elements(&pixels, &[1, pixels.len()]).unwrap());
            let masked = vec![MASKED; flags.len()];
            assert_eq!(grays, [&[0, WHITE], &masked[..]].concat(), "{}", P::DTYPE);
        }
        check(&[u8::MAX], [0, u8::MAX - 1]);
        check(&[u16::MAX, u16::MAX - 1], [0, u16::MAX - 2]);
        check(&[u32::MAX, u32::MAX - 1], [0, u32::MAX - 2]);
        check(&[u64::MAX, u64::MAX - 1], [0, 7]);
        check(&[i8::MIN, i8::MIN + 1, i8::MAX], [i8::MIN + 2, i8::MAX - 1]);
        check(&[i16::MIN, i16::MIN + 1, i16::MAX], [i16::MIN + 2, i16::MAX - 1]);
        check(&[i32::MIN, i32::MIN + 1, i32::MAX], [-1, 3]);
        check(&[i64::MIN, i64::MIN + 1, i64::MAX], [-1, 3]);
        check(&[f32::NAN, f32::NEG_INFINITY], [-1.0, 3.0]);
    }

    #[test]
    fn what_the_header_masks_and_what_is_saturated_have_their_colour() {
        let array = Array::from_elements(&[1_i32, 5, 900, 9, 10], &[1, 5]).unwrap();
        let mask = [false, false, true, false, false];
        let flagged = Flagged { mask: Some(&mask), saturation: Some(10) };
        assert_eq!(super::grays::<i32>(&array, &flagged), [0, 127, MASKED, WHITE, MASKED]);
    }

    #[test]
    fn images_have_two_dimensions_or_planes_of_them() {
        let accepts = |shape: &[usize]| {
            let length = shape.iter().product();
            Png::default().accepts(&Array::from_elements(&vec![0_u8; length], shape).unwrap())
        };
        assert!(accepts(&[1, 1]) && accepts(&[3, 2, 2]));
        for shape in [&[][..], &[3], &[0, 3], &[3, 0], &[0, 2, 2], &[1, 1, 1, 1]] {
            assert!(!accepts(shape), "{shape:?}");
        }
    }
}
