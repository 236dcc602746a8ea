//! [`Array`]: the typed array in a binary part. The formats know which header describes it.

mod dtype;

use std::borrow::Cow;
use std::fmt;

use bytemuck::Pod;
use bytes::Bytes;
use half::f16;
use smallvec::SmallVec;

pub use dtype::{ByteOrder, Dtype, UnknownByteOrder, UnknownType};

/// The lengths of the dimensions of an array.
pub(crate) type Extents = SmallVec<[usize; 4]>;

/// The most dimensions an array may have, as many as numpy's.
pub const MAX_DIMENSIONS: usize = 64;

/// An array as it lies in the binary part of a message: type, byte order, shape in C order (slowest
/// dimension first) and bytes, which are shared with the message.
///
/// What is built has the length that type and shape say.
///
/// ```
/// use mflow_handlers::Array;
///
/// let image = Array::from_elements(&[1_u16, 2, 3, 4, 5, 6], &[2, 3])?;
/// assert_eq!(image.shape(), [2, 3]);
/// assert_eq!(image.elements::<u16>()?[4], 5);
/// assert!(image.elements::<f32>().is_err());
/// # Ok::<(), mflow_handlers::ArrayError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Array {
    dtype: Dtype,
    order: ByteOrder,
    shape: Extents,
    bytes: Bytes,
}

impl Array {
    /// Makes an array of its bytes. Types of one byte have no byte order: `order` is taken for
    /// little there.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Length`] if `bytes` has another length than type and shape say, and
    /// [`ArrayError::Overflow`] or [`ArrayError::TooManyDimensions`] for a shape nothing can have.
    pub fn new(
        dtype: Dtype,
        order: ByteOrder,
        shape: &[usize],
        bytes: Bytes,
    ) -> Result<Self, ArrayError> {
        Self::from_extents(dtype, order, Extents::from_slice(shape), bytes)
    }

    pub(crate) fn from_extents(
        dtype: Dtype,
        order: ByteOrder,
        shape: Extents,
        bytes: Bytes,
    ) -> Result<Self, ArrayError> {
        if shape.len() > MAX_DIMENSIONS {
            return Err(ArrayError::TooManyDimensions { found: shape.len() });
        }
        match byte_length(dtype, &shape)? {
            expected if expected == bytes.len() => {
                let order = if dtype.word() == 1 { ByteOrder::Little } else { order };
                Ok(Self { dtype, order, shape, bytes })
            }
            expected => Err(ArrayError::Length {
                dtype,
                shape: shape.into_vec(),
                expected,
                found: bytes.len(),
            }),
        }
    }

    /// Makes an array of elements, in the byte order of this machine.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_elements<T: Element>(elements: &[T], shape: &[usize]) -> Result<Self, ArrayError> {
        let bytes = Bytes::copy_from_slice(bytemuck::cast_slice(elements));
        Self::new(T::DTYPE, ByteOrder::NATIVE, shape, bytes)
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Returns the order of the bytes in each number.
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// Returns the length of each dimension in C order, the slowest first. It is empty for a single
    /// element.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the bytes as they lie in the message.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// Returns whether there are no elements, as one of the dimensions is 0.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the elements in C order. They are borrowed from the message if its bytes are
    /// aligned and in this machine's order, else copied.
    ///
    /// # Errors
    ///
    /// [`ArrayError::Element`] if the elements are of another type than `T`. A bool reads as `u8`.
    pub fn elements<T: Element>(&self) -> Result<Cow<'_, [T]>, ArrayError> {
        if !T::reads(self.dtype) {
            return Err(ArrayError::Element { expected: T::DTYPE, found: self.dtype });
        }
        let is_native = self.order == ByteOrder::NATIVE || self.dtype.word() == 1;
        if is_native && let Ok(elements) = bytemuck::try_cast_slice(&self.bytes) {
            return Ok(Cow::Borrowed(elements));
        }
        let mut elements = vec![T::zeroed(); self.len()];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut elements);
        bytes.copy_from_slice(&self.bytes);
        if !is_native {
            swap(bytes, self.dtype.word());
        }
        Ok(Cow::Owned(elements))
    }

    /// Returns the array in the byte order of this machine, sharing the bytes if they are already.
    pub fn to_native(&self) -> Self {
        self.to_order(ByteOrder::NATIVE)
    }

    /// Returns the array in a byte order, sharing the bytes if they are already.
    pub fn to_order(&self, order: ByteOrder) -> Self {
        let mut array = self.clone();
        if self.order != order && self.dtype.word() > 1 {
            let mut bytes = self.bytes.to_vec();
            swap(&mut bytes, self.dtype.word());
            array.bytes = bytes.into();
            array.order = order;
        }
        array
    }

    /// Returns whether two arrays have the same type, byte order and shape.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.dtype, self.order, &self.shape) == (other.dtype, other.order, &other.shape)
    }
}

/// Shows what the array is, not its bytes.
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Array({} {} {:?}, {} bytes)",
            self.order,
            self.dtype,
            self.shape,
            self.bytes.len()
        )
    }
}

/// Reverses the bytes of each word.
fn swap(bytes: &mut [u8], word: usize) {
    fn swap_words<const N: usize>(bytes: &mut [u8]) {
        for word in bytes.as_chunks_mut::<N>().0 {
            word.reverse();
        }
    }
    match word {
        2 => swap_words::<2>(bytes),
        4 => swap_words::<4>(bytes),
        8 => swap_words::<8>(bytes),
        _ => {}
    }
}

/// A type of this language that an array's elements can be read as. Complex numbers are pairs, the
/// real part first.
pub trait Element: Pod + sealed::Sealed {
    /// The type of elements that this is.
    const DTYPE: Dtype;

    /// Returns whether elements of a type can be read as this.
    fn reads(dtype: Dtype) -> bool {
        dtype == Self::DTYPE
    }
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($element:ty: $dtype:ident,)*) => {$(
        impl sealed::Sealed for $element {}
        impl Element for $element {
            const DTYPE: Dtype = Dtype::$dtype;
        }
    )*};
}

elements! {
    i8: Int8, i16: Int16, i32: Int32, i64: Int64,
    u16: Uint16, u32: Uint32, u64: Uint64,
    f16: Float16, f32: Float32, f64: Float64,
    [f32; 2]: Complex64, [f64; 2]: Complex128,
}

impl sealed::Sealed for u8 {}
impl Element for u8 {
    const DTYPE: Dtype = Dtype::Uint8;

    fn reads(dtype: Dtype) -> bool {
        matches!(dtype, Dtype::Uint8 | Dtype::Bool)
    }
}

/// Why bytes are not the array that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// The header names no type, or not by a text.
    #[error("the header has no 'type'")]
    NoType,
    /// The sender says that there is no array: it sends no bytes, and describes no array.
    #[error("the sender says that there is no array")]
    Absent,
    /// The header names a compression that has no specification.
    #[error("nothing is known of the compression '{0}'")]
    Unspecified(Box<str>),
    /// The header has no shape, or one that is no list of whole numbers from 0 up.
    #[error("expected a list of whole numbers from 0 up as 'shape'")]
    NoShape,
    /// The header names an unknown type.
    #[error(transparent)]
    Type(#[from] UnknownType),
    /// The header names an unknown byte order.
    #[error(transparent)]
    Order(#[from] UnknownByteOrder),
    /// The shape is one that no array in memory can have.
    #[error("{dtype} of shape {shape:?} is larger than any memory")]
    Overflow {
        /// The type of the elements.
        dtype: Dtype,
        /// The shape in C order.
        shape: Vec<usize>,
    },
    /// The shape has more than [`MAX_DIMENSIONS`] dimensions.
    #[error("expected at most {MAX_DIMENSIONS} dimensions, found {found}")]
    TooManyDimensions {
        /// The number of dimensions.
        found: usize,
    },
    /// The number of bytes is not the one that type and shape say.
    #[error("expected {expected} bytes of {dtype} in shape {shape:?}, found {found}")]
    Length {
        /// The type of the elements.
        dtype: Dtype,
        /// The shape in C order.
        shape: Vec<usize>,
        /// The bytes that such an array has.
        expected: usize,
        /// The bytes there are.
        found: usize,
    },
    /// The elements are of another type than was asked for.
    #[error("expected elements of {expected}, found {found}")]
    Element {
        /// The type asked for.
        expected: Dtype,
        /// The type of the elements.
        found: Dtype,
    },
    /// The array to be sent is not the one that the header describes.
    #[error("expected {expected:?}, found {found:?}")]
    Unlike {
        /// What the header describes.
        expected: Box<Array>,
        /// What is to be sent.
        found: Box<Array>,
    },
    /// An array without elements, which is an empty part, reads as no array.
    #[error("an array without elements cannot be distinguished from no array")]
    Empty,
}

/// Returns the bytes of an array of this type and shape.
pub(crate) fn byte_length(dtype: Dtype, shape: &[usize]) -> Result<usize, ArrayError> {
    shape
        .iter()
        .try_fold(dtype.size(), |size, extent| size.checked_mul(*extent))
        .ok_or_else(|| ArrayError::Overflow { dtype, shape: shape.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }

    #[test]
    fn elements_of_the_other_order_are_swapped() {
        let array = Array::new(Dtype::Uint16, ByteOrder::Big, &[2], bytes(&[1, 2, 3, 4])).unwrap();
        assert_eq!(*array.elements::<u16>().unwrap(), [0x0102, 0x0304]);
        assert_eq!(array.to_order(ByteOrder::Little).bytes()[..], [2, 1, 4, 3]);
        assert_eq!(array.to_order(ByteOrder::Big).bytes().as_ptr(), array.bytes().as_ptr());
    }

    #[test]
    fn complex_elements_are_swapped_by_their_halves() {
        let array = Array::from_elements(&[[1.5_f32, -2.0]], &[1]).unwrap();
        let big = array.to_order(ByteOrder::Big);
        assert_eq!(big.bytes()[..], [0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0]);
        assert_eq!(*big.elements::<[f32; 2]>().unwrap(), [[1.5, -2.0]]);
        assert_eq!(big.to_native(), array);
    }

    #[test]
    fn aligned_native_elements_are_borrowed_and_others_copied() {
        let all = Array::from_elements(&[0_u64, 1, 2], &[3]).unwrap().bytes().clone();
        for offset in 0..8 {
            let part = all.slice(offset..offset + 16);
            let array = Array::new(Dtype::Uint64, ByteOrder::NATIVE, &[2], part.clone()).unwrap();
            let elements = array.elements::<u64>().unwrap();
            let is_aligned = part.as_ptr().cast::<u64>().is_aligned();
            assert_eq!(matches!(elements, Cow::Borrowed(_)), is_aligned, "{offset}");
            assert_eq!(bytemuck::cast_slice::<u64, u8>(&elements), part);
        }
    }

    #[test]
    fn a_bool_reads_as_u8_and_nothing_else() {
        let array = Array::new(Dtype::Bool, ByteOrder::Big, &[2], bytes(&[1, 0])).unwrap();
        assert_eq!(*array.elements::<u8>().unwrap(), [1, 0]);
        assert_eq!(
            array.elements::<i8>().unwrap_err(),
            ArrayError::Element { expected: Dtype::Int8, found: Dtype::Bool }
        );
    }

    #[test]
    fn one_byte_has_no_order() {
        let new = |order| Array::new(Dtype::Uint8, order, &[1], bytes(&[7])).unwrap();
        assert_eq!(new(ByteOrder::Big), new(ByteOrder::Little));
    }

    #[test]
    fn no_dimensions_are_one_element() {
        let array = Array::from_elements(&[2.5_f64], &[]).unwrap();
        assert_eq!((array.len(), array.shape()), (1, &[][..]));
    }

    #[test]
    fn a_length_that_disagrees_names_both() {
        let error =
            Array::new(Dtype::Uint16, ByteOrder::Little, &[2, 3], bytes(&[0; 11])).unwrap_err();
        assert_eq!(error.to_string(), "expected 12 bytes of uint16 in shape [2, 3], found 11");
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let error = |shape: &[usize]| {
            Array::new(Dtype::Uint16, ByteOrder::Little, shape, Bytes::new()).unwrap_err()
        };
        assert!(matches!(error(&[usize::MAX]), ArrayError::Overflow { .. }));
        assert!(matches!(error(&[1 << 32, 1 << 32]), ArrayError::Overflow { .. }));
        assert_eq!(error(&[1; 65]), ArrayError::TooManyDimensions { found: 65 });
    }

    #[test]
    fn a_dimension_of_zero_is_no_element() {
        let array = Array::new(Dtype::Float64, ByteOrder::Little, &[0, 5], Bytes::new()).unwrap();
        assert!(array.is_empty());
        assert!(array.elements::<f64>().unwrap().is_empty());
    }
}
