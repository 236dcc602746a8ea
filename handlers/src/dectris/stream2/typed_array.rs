//! [`TypedArray`]: arrays in CBOR (RFC 8746), whose bytes may be compressed.
//!
//! ```text
//! 40 ([[height, width], typed])      many dimensions, the slowest first
//! 1040 ([[height, width], typed])    the same, with the elements of a column side by side
//! typed         64..87 (bytes)       64 + 16 float + 8 signed + 4 little endian + log2 of the width
//!               [1, 2, 3]            within tag 40 and 1040: numbers one by one
//! bytes         a byte string, or
//! 56500 (["bslz4", 2, bytes])        algorithm, size of the elements, compressed bytes
//! ```
//!
//! Sources: RFC 8746; DECTRIS, stream V2 (tag 56500).

use bytes::Bytes;

use super::blob::{self, Blob};
use super::column_major;
use super::error::TypedArrayError;
use crate::array::{Array, ArrayError, ByteOrder, Dtype, Extents, MAX_DIMENSIONS};
use crate::cbor::{Cbor, Head, Item, Items, Reader, Writer, to_float};
use crate::compression::{Codec, Options};

/// Dimensions in C order.
const ROW_MAJOR: u64 = 40;

/// Dimensions, the elements in Fortran's order.
const COLUMN_MAJOR: u64 = 1040;

/// A list of elements that are alike.
const HOMOGENEOUS: u64 = 41;

/// An array in a message, decompressed on request.
///
/// Any value in the place of an array is kept; the methods return what is wrong with it.
///
/// ```
/// use mflow_handlers::Array;
/// use mflow_handlers::compression::{Codec, Element};
/// use mflow_handlers::dectris::stream2::TypedArray;
///
/// let pixels = Array::from_elements(&[0_u16; 6], &[2, 3])?;
/// let sent = TypedArray::compressed(&pixels, Codec::BitshuffleLz4(Element::of_bytes(2)?))?;
/// assert_eq!(sent.array()?, pixels);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedArray(Cbor);

/// The components of a value, nothing decompressed.
struct Layout {
    dimensions: Option<Extents>,
    is_column_major: bool,
    content: Content,
}

enum Content {
    /// The tag of the type, and the bytes.
    Typed(u64, Blob),
    /// Numbers one by one.
    Plain(Array),
}

impl Layout {
    /// Returns the layout, or [`TypedArrayError::Absent`] if the sender says that there is no
    /// array. That is so if there are no elements, no dimensions ask for any, and the content is a
    /// scalar or is compressed.
    fn unless_absent(self) -> Result<Self, TypedArrayError> {
        let is_expected = match self.dimensions.as_deref() {
            Some(extents) => !extents.is_empty() && !extents.contains(&0),
            None => false,
        };
        let is_empty = match &self.content {
            Content::Typed(_, blob) => blob.bytes.is_empty(),
            Content::Plain(array) => array.is_empty(),
        };
        // Uncompressed content of no bytes is an empty array if it has no dimensions, or one of 0.
        let is_plain = !matches!(&self.content, Content::Typed(_, blob) if blob.is_compressed());
        let is_scalar = self.dimensions.as_ref().is_some_and(Extents::is_empty);
        match is_empty && !is_expected && (is_scalar || !is_plain) {
            true => Err(TypedArrayError::Absent),
            false => Ok(self),
        }
    }
}

impl TypedArray {
    /// Makes an array of uncompressed elements. One of one dimension is written without dimensions.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError::Dtype`] for bools and complex numbers.
    pub fn new(array: &Array) -> Result<Self, TypedArrayError> {
        Self::build(array, |writer| {
            writer.bytes(array.bytes());
            Ok(())
        })
    }

    /// Makes an array of elements that are compressed.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`TypedArrayError::Compression`] if the codec only decodes, or is
    /// for elements of another size.
    pub fn compressed(array: &Array, codec: Codec) -> Result<Self, TypedArrayError> {
        Self::build(array, |writer| blob::write(codec, array.bytes(), writer))
    }

    fn build(
        array: &Array,
        content: impl FnOnce(&mut Writer) -> Result<(), TypedArrayError>,
    ) -> Result<Self, TypedArrayError> {
        let tag = tag(array).ok_or(TypedArrayError::Dtype(array.dtype()))?;
        let mut result = Ok(());
        let cbor = Cbor::write(|writer| {
            if array.shape().len() != 1 {
                writer.tag(ROW_MAJOR);
                writer.array(2);
                writer.array(array.shape().len());
                array.shape().iter().for_each(|&extent| writer.unsigned(extent as u64));
            }
            writer.tag(tag);
            result = content(writer);
        });
        result.map(|()| Self(cbor))
    }

    /// Returns the value that was sent.
    pub fn cbor(&self) -> &Cbor {
        &self.0
    }

    /// Returns the type of the elements.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError`] if there is none.
    pub fn dtype(&self) -> Result<Dtype, TypedArrayError> {
        match self.layout()?.content {
            Content::Typed(tag, _) => Ok(element(tag)?.0),
            Content::Plain(array) => Ok(array.dtype()),
        }
    }

    /// Returns the length of each dimension in C order, the slowest first.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError`] if they cannot be determined.
    pub fn shape(&self) -> Result<Vec<usize>, TypedArrayError> {
        let layout = self.layout()?;
        match (layout.dimensions, &layout.content) {
            (Some(dimensions), _) => Ok(dimensions.into_vec()),
            (None, Content::Plain(array)) => Ok(array.shape().to_vec()),
            (None, Content::Typed(tag, blob)) => Ok(vec![blob.length()? / element(*tag)?.0.size()]),
        }
    }

    /// Returns how the elements are compressed, `None` if they are not.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError`], among others if the algorithm is unknown.
    pub fn codec(&self) -> Result<Option<Codec>, TypedArrayError> {
        match self.layout()?.content {
            Content::Typed(_, blob) => blob.codec(),
            Content::Plain(_) => Ok(None),
        }
    }

    /// Returns the bytes as they were sent, compressed or not, whatever their type and algorithm.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError`] if there are none.
    pub fn blob(&self) -> Result<Bytes, TypedArrayError> {
        match self.layout()?.content {
            Content::Typed(_, blob) => Ok(blob.bytes),
            Content::Plain(_) => Err(TypedArrayError::NotBytes),
        }
    }

    /// Returns the array in C order, decompressed on the caller's thread; its bytes are shared with
    /// the message if they are not compressed.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError`].
    pub fn array(&self) -> Result<Array, TypedArrayError> {
        self.array_with(&Options::default())
    }

    /// Returns the array as [`array`](Self::array) does, decompressed as the options say.
    ///
    /// # Errors
    ///
    /// [`TypedArrayError`].
    pub fn array_with(&self, options: &Options) -> Result<Array, TypedArrayError> {
        let Layout { dimensions, is_column_major, content } = self.layout()?;
        let array = match content {
            Content::Typed(tag, blob) => {
                let (dtype, order) = element(tag)?;
                let expected = dimensions.as_deref().map(|shape| byte_length(dtype, shape));
                let bytes = blob.decompress(expected.transpose()?, options)?;
                let flat = || Extents::from_slice(&[bytes.len() / dtype.size()]);
                let shape = dimensions.clone().unwrap_or_else(flat);
                Array::from_extents(dtype, order, shape, bytes)?
            }
            Content::Plain(array) => match dimensions.clone() {
                Some(shape) => {
                    let (dtype, order) = (array.dtype(), array.order());
                    Array::from_extents(dtype, order, shape, array.bytes().clone())?
                }
                None => array,
            },
        };
        Ok(if is_column_major { column_major::to_c_order(&array) } else { array })
    }

    /// Checks all that can be checked without decompressing.
    pub(super) fn check(&self) -> Result<(), TypedArrayError> {
        let layout = self.layout()?;
        match layout.content {
            Content::Plain(_) => self.array().map(drop),
            Content::Typed(tag, blob) => {
                let (dtype, _) = element(tag)?;
                let found = blob.length()?;
                let expected = match &layout.dimensions {
                    Some(shape) => byte_length(dtype, shape)?,
                    None => found / dtype.size() * dtype.size(),
                };
                let shape = layout.dimensions.map_or_else(Vec::new, Extents::into_vec);
                match expected == found {
                    true => Ok(()),
                    false => Err(ArrayError::Length { dtype, shape, expected, found }.into()),
                }
            }
        }
    }

    fn layout(&self) -> Result<Layout, TypedArrayError> {
        let item = self.0.item();
        let mut reader = item.reader();
        match reader.next()? {
            Head::Null | Head::Undefined => Err(TypedArrayError::Absent),
            Head::Tag(tag @ (ROW_MAJOR | COLUMN_MAJOR)) => {
                let Head::Array(mut items) = reader.next()? else {
                    return Err(TypedArrayError::Dimensions);
                };
                reader.has_more(&mut items)?;
                let dimensions = dimensions(&mut reader)?;
                if !reader.has_more(&mut items)? {
                    return Err(TypedArrayError::Dimensions);
                }
                let content = content(&mut reader, item)?;
                let is_column_major = tag == COLUMN_MAJOR;
                Layout { dimensions: Some(dimensions), is_column_major, content }.unless_absent()
            }
            Head::Tag(tag @ 64..=87) => {
                let content = typed(tag, &mut reader, item)?;
                Layout { dimensions: None, is_column_major: false, content }.unless_absent()
            }
            _ => Err(TypedArrayError::NotTyped),
        }
    }
}

impl From<Cbor> for TypedArray {
    fn from(value: Cbor) -> Self {
        Self(value)
    }
}

/// Returns whether a tag is that of an array.
pub(super) fn is_array_tag(tag: u64) -> bool {
    matches!(tag, ROW_MAJOR | COLUMN_MAJOR | 64..=87)
}

/// Returns the type and byte order of a tag of RFC 8746.
fn element(tag: u64) -> Result<(Dtype, ByteOrder), TypedArrayError> {
    use Dtype::{
        Float16, Float32, Float64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64,
    };
    let dtype = match (tag & 0x18, tag & 3) {
        _ if tag == 76 => return Err(TypedArrayError::Tag(tag)),
        (0x00, 0) => Uint8,
        (0x00, 1) => Uint16,
        (0x00, 2) => Uint32,
        (0x00, 3) => Uint64,
        (0x08, 0) => Int8,
        (0x08, 1) => Int16,
        (0x08, 2) => Int32,
        (0x08, 3) => Int64,
        (0x10, 0) => Float16,
        (0x10, 1) => Float32,
        (0x10, 2) => Float64,
        _ => return Err(TypedArrayError::Tag(tag)),
    };
    Ok((dtype, if tag & 4 == 0 { ByteOrder::Big } else { ByteOrder::Little }))
}

/// Returns the tag of an array's type and byte order.
fn tag(array: &Array) -> Option<u64> {
    let is_one_byte = array.dtype().word() == 1;
    (64..=87).find(|&tag| {
        element(tag).is_ok_and(|(dtype, order)| {
            dtype == array.dtype() && (is_one_byte || order == array.order())
        })
    })
}

fn byte_length(dtype: Dtype, shape: &[usize]) -> Result<usize, ArrayError> {
    let length = shape.iter().try_fold(dtype.size(), |size, &extent| size.checked_mul(extent));
    length.ok_or_else(|| ArrayError::Overflow { dtype, shape: shape.to_vec() })
}

fn dimensions(reader: &mut Reader<'_>) -> Result<Extents, TypedArrayError> {
    let Head::Array(mut items) = reader.next()? else {
        return Err(TypedArrayError::Dimensions);
    };
    let mut dimensions = Extents::new();
    while reader.has_more(&mut items)? {
        let extent = match reader.next_untagged()? {
            Head::Integer(extent) => usize::try_from(extent).ok(),
            _ => None,
        };
        dimensions.push(extent.ok_or(TypedArrayError::Dimensions)?);
        if dimensions.len() > MAX_DIMENSIONS {
            return Err(ArrayError::TooManyDimensions { found: dimensions.len() }.into());
        }
    }
    Ok(dimensions)
}

fn content(reader: &mut Reader<'_>, item: Item<'_>) -> Result<Content, TypedArrayError> {
    match reader.next()? {
        Head::Null | Head::Undefined => Err(TypedArrayError::Absent),
        Head::Tag(tag @ 64..=87) => typed(tag, reader, item),
        Head::Tag(HOMOGENEOUS) => match reader.next()? {
            Head::Array(items) => plain(reader, items),
            _ => Err(TypedArrayError::NotTyped),
        },
        Head::Array(items) => plain(reader, items),
        _ => Err(TypedArrayError::NotTyped),
    }
}

fn typed(tag: u64, reader: &mut Reader<'_>, item: Item<'_>) -> Result<Content, TypedArrayError> {
    match reader.clone().next()? {
        Head::Null | Head::Undefined => Err(TypedArrayError::Absent),
        _ => Ok(Content::Typed(tag, Blob::read(reader, item)?)),
    }
}

/// Reads numbers one by one: bools, whole numbers, or floats if one of them is.
fn plain(reader: &mut Reader<'_>, mut items: Items) -> Result<Content, TypedArrayError> {
    let (mut bools, mut wholes, mut floats) = (Vec::new(), Vec::new(), Vec::new());
    while reader.has_more(&mut items)? {
        match reader.next_untagged()? {
            Head::Bool(flag) => bools.push(u8::from(flag)),
            Head::Integer(number) => {
                wholes.push(number);
                floats.push(to_float(number));
            }
            Head::Float(number) => floats.push(number),
            _ => return Err(TypedArrayError::NotNumbers),
        }
    }
    let array = match (bools.len(), wholes.len(), floats.len()) {
        (length, _, 0) if length > 0 => {
            Array::new(Dtype::Bool, ByteOrder::Little, &[length], bools.into())
        }
        (0, whole, length) if whole == length => {
            let signed: Option<Vec<i64>> = wholes.iter().map(|&n| n.try_into().ok()).collect();
            let unsigned: Option<Vec<u64>> = wholes.iter().map(|&n| n.try_into().ok()).collect();
            match (signed, unsigned) {
                (Some(signed), _) => Array::from_elements(&signed, &[length]),
                (None, Some(unsigned)) => Array::from_elements(&unsigned, &[length]),
                (None, None) => Array::from_elements(&floats, &[length]),
            }
        }
        (0, _, length) => Array::from_elements(&floats, &[length]),
        _ => return Err(TypedArrayError::NotNumbers),
    };
    Ok(Content::Plain(array?))
}
